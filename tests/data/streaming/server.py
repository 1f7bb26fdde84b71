"""A web server on this machine, which can be told to misbehave."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

Trouble = Callable[["Handler"], None]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, counts what is fetched, and lets trouble answer first."""

    requests: Counter[str]
    troubles: dict[str, list[Trouble]]

    def do_GET(self) -> None:
        """Answer as the next trouble of this path does, or properly."""
        name = self.path.rpartition("/")[2]
        self.requests[name] += 1
        waiting = self.troubles.get(name)
        if waiting:
            waiting.pop(0)(self)
        else:
            super().do_GET()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class Server:
    """Where a folder is served.

    Args:
        address: its URL.
        requests: how often each file was fetched.
        troubles: by file name, what happens instead of the next answers.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: Counter[str] = Counter()
        self.troubles: dict[str, list[Trouble]] = {}


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Serve a folder under http://127.0.0.1 until the end of the block."""
    handler = type("OwnHandler", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    served = Server(f"http://127.0.0.1:{server.server_port}")
    handler.requests, handler.troubles = served.requests, served.troubles
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def busy(handler: Handler) -> None:
    """The server has no time."""
    handler.send_error(503)


def hang_up(handler: Handler) -> None:
    """The connection breaks off in the middle."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"only this")
    handler.close_connection = True


def something_else(handler: Handler) -> None:
    """Other bytes than those that were asked for."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5")
    handler.end_headers()
    handler.wfile.write(b"hello")
