"""A web server on this machine that misbehaves as it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the answers of its path, one after the other; the last one stays."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        answers = self.server.answers.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def start(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def hang_up(self) -> None:
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Remembers what was asked for."""

    daemon_threads = True
    answers: dict[str, list[Answer]]
    requests: list[tuple[str, dict[str, str]]]

    def url(self, path: str, *answers: Answer) -> str:
        """An address that gives these answers."""
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def ranges(self) -> list[str | None]:
        """The Range headers, in the order of the requests."""
        return [headers.get("Range") for _, headers in self.requests]

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up whenever they want."""


@contextmanager
def serve() -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.requests = {}, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, body: bytes = b"sorry") -> Answer:
    """An error."""

    def answer(handler: Handler) -> None:
        handler.start(code, Content_Length=len(body))
        handler.wfile.write(body)

    return answer


def redirect(url: str) -> Answer:
    """Sends on to another address."""
    return lambda handler: handler.start(302, Location=url, Content_Length=0)


def page() -> Answer:
    """A page of apology with the status 200."""

    def answer(handler: Handler) -> None:
        body = b"\n<!DOCTYPE html><html>Quota exceeded</html>"
        handler.start(200, Content_Length=len(body), Content_Type="application/octet-stream")
        handler.wfile.write(body)

    return answer


def content(
    data: bytes,
    *,
    etag: str | None = '"1"',
    stop_after: int | None = None,
    ranges: bool = True,
    length: int | None = -1,
    stall: float = 0,
) -> Answer:
    """A file.

    Args:
        data: its bytes.
        etag: tells the client what version it is.
        stop_after: hang up after so many bytes of this answer.
        ranges: whether parts may be asked for.
        length: what is said of the length; None for nothing, -1 for the truth.
        stall: seconds of silence instead of hanging up.
    """

    def answer(handler: Handler) -> None:
        wanted = handler.headers.get("Range", "") if ranges else ""
        same = handler.headers.get("If-Range") in (None, etag)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and same else 0
        if start >= len(data):
            handler.start(416, Content_Length=0, Content_Range=f"bytes */{len(data)}")
            return
        said = len(data) - start if length == -1 else length
        headers: dict[str, object] = {"ETag": etag, "Content_Length": said}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if said is None:
            headers["Connection"] = "close"
        handler.start(206 if start else 200, **headers)
        handler.wfile.write(data[start:][:stop_after])
        if stall:
            handler.wfile.flush()
            threading.Event().wait(stall)
        if stop_after is not None or said != len(data) - start:
            handler.hang_up()

    return answer
