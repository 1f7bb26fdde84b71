"""A stand-in for the Hugging Face hub on this machine: as much of it as small models need.

Files are sent within the commit, as the real hub asks for small ones; large ones it wants by
another protocol (xet), which is the library's affair.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

TOKEN = "hf_ofthetest"


@dataclass
class Repository:
    """A model on the hub.

    Args:
        private: for its owner alone.
        commits: the files after each commit, by their paths.
        messages: of the commits.
    """

    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{}])
    messages: list[str] = field(default_factory=lambda: ["initial commit"])

    def files(self, revision: str) -> dict[str, bytes] | None:
        if revision == "main":
            return self.commits[-1]
        known = {sha(number): files for number, files in enumerate(self.commits)}
        return known.get(revision)


def sha(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


@dataclass
class Hub:
    """What lies on the hub, and what it was asked for.

    Args:
        repositories: by name.
        requests: method and path of each.
        address: of the server.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def latest(self, name: str) -> dict[str, bytes]:
        return self.repositories[name].commits[-1]


@contextmanager
def running_hub(cache: Path, token: str | None = TOKEN) -> Iterator[Hub]:
    """Let the hub's library talk to a server of ours, with an empty cache.

    Args:
        cache: folder for what is downloaded.
        token: of who is logged in; None: nobody is.
    """
    from huggingface_hub import constants

    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.address)
        url = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        patch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        patch.delenv("HF_TOKEN", raising=False)
        if token is not None:
            patch.setenv("HF_TOKEN", token)
        try:
            yield hub
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            owner, name, what, revision = (*parts[2:], "revision", "main")[:4]
            self._tell(f"{owner}/{name}", what, revision)
        elif len(parts) > 4 and parts[2] == "resolve":
            found, path = self._files(f"{parts[0]}/{parts[1]}", parts[3]), "/".join(parts[4:])
            if found is not None and path not in found:
                self._refuse(404, "EntryNotFound")
            elif found is not None:
                self._send(found[path], parts[3])
        else:
            self._refuse(404, "EntryNotFound")

    def _files(self, name: str, revision: str) -> dict[str, bytes] | None:
        repository = self.hub.repositories.get(name)
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not is_known):
            self._refuse(401 if not is_known else 404, "RepoNotFound")
            return None
        files = repository.files(revision)
        if files is None:
            self._refuse(404, "RevisionNotFound")
        return files

    def _tell(self, name: str, what: str, revision: str) -> None:
        files = self._files(name, revision)
        if files is None:
            return
        if what == "tree":
            self._answer([self._entry(path, content) for path, content in files.items()])
            return
        number = self.hub.repositories[name].commits.index(files)
        siblings = [{"rfilename": path} for path in files]
        self._answer({"id": name, "sha": sha(number), "siblings": siblings, "tags": []})

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": path, "size": len(content), "oid": oid}

    def do_POST(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, None)
            return
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            self._answer({"errors": [], "warnings": []})
        elif parts[4:5] == ["preupload"]:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif parts[4:5] == ["commit"]:
            self._commit(f"{parts[2]}/{parts[3]}", body)
        else:
            self._refuse(404, "EntryNotFound")

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "ada":
            self._refuse(403, None)
            return
        is_new = name not in self.hub.repositories
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.hub.repositories.setdefault(name, Repository(private))
        self._answer({"url": f"{self.hub.address}/{name}"}, 200 if is_new else 409)

    def _commit(self, name: str, body: bytes) -> None:
        repository = self.hub.repositories[name]
        files = dict(repository.commits[-1])
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                repository.messages.append(value["summary"])
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert entry["key"] == "deletedFile", entry
                del files[value["path"]]
        repository.commits.append(files)
        commit = sha(len(repository.commits) - 1)
        address = f"{self.hub.address}/{name}/commit/{commit}"
        self._answer({"success": True, "commitUrl": address, "commitOid": commit})

    def _answer(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self._start(status, len(body), {"Content-Type": "application/json"})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send(self, content: bytes, commit: str) -> None:
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        self._start(200, len(content), {"ETag": etag, "X-Repo-Commit": commit})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, status: int, code: str | None) -> None:
        self._start(status, 0, {} if code is None else {"X-Error-Code": code})

    def _start(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
