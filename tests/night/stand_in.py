"""A small stand-in for GitHub's REST API and a Slack webhook on 127.0.0.1: issues and artifacts, as the night asks for."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

TOKEN = "a-token"
REPOSITORY = "team/walk-api"
PAGE = 2  # entries a page: GitHub's 100 in small


class Server(ThreadingHTTPServer):
    """What it holds, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issues: list[dict[str, Any]] = []
        self.comments: list[tuple[int, str]] = []
        self.artifacts: list[dict[str, Any]] = []
        self.documents: dict[int, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.compared = {"tip": "identical", "before": "behind", "elsewhere": "diverged", "ahead": "ahead"}
        self.slack: list[str] = []
        self.refuse = 0
        self.with_token_elsewhere = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What a workflow's step would have."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}

    def add_artifact(self, name: str, document: dict[str, Any], created: str, **run: Any) -> None:
        """One verdict of the night's workflow on the branch main, unless ``run`` says otherwise."""
        number = len(self.artifacts) + 1
        url = f"https://example.org/{REPOSITORY}/actions/runs/{number}"
        expired = run.pop("expired", False)
        self.runs[number] = {
            "path": ".github/workflows/rehearsal.yml", "event": "schedule", "head_branch": "main", "head_sha": "tip",
            "status": "completed", "conclusion": "success", "created_at": created, "html_url": url,
            "repository": {"id": 7}, "head_repository": {"id": 7}, **run,
        }  # fmt: skip
        document = {"run_url": url, **document}
        entry = {
            "id": number, "name": name, "created_at": created, "expired": expired, "workflow_run": {"id": number},
        }  # fmt: skip
        self.artifacts.append(entry)
        self.documents[number] = document


class Handler(BaseHTTPRequestHandler):
    """The calls."""

    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Says nothing."""

    def do_GET(self) -> None:
        """Lists, one page each; an artifact is redirected to where its bytes are, as GitHub does."""
        at, query = urlparse(self.path), parse_qs(urlparse(self.path).query)
        if at.path.startswith("/storage/"):
            self.server.with_token_elsewhere += "Authorization" in self.headers
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as archive:
                archive.writestr("night.json", json.dumps(self.server.documents[int(at.path.rpartition("/")[2])]))
            self._answer(200, content.getvalue())
        elif not self._allowed():
            return
        elif at.path.endswith("/issues"):
            wanted = query["labels"][0]
            found = [i for i in self.server.issues if i["state"] == query["state"][0] and wanted in i["labels"]]
            self._page(found, at.path, query, None)
        elif at.path.endswith("/actions/artifacts"):
            self._page([a for a in self.server.artifacts if a["name"] == query["name"][0]], at.path, query, "artifacts")
        elif "/actions/runs/" in at.path:
            self._answer(200, json.dumps(self.server.runs[int(at.path.rpartition("/")[2])]).encode())
        elif at.path.endswith("/branches/main"):
            self._answer(200, b'{"commit": {"sha": "tip"}}')
        elif "/compare/tip..." in at.path:
            self._answer(200, json.dumps({"status": self.server.compared[at.path.rpartition("...")[2]]}).encode())
        else:
            number = at.path.split("/")[-2]
            self._answer(302, b"", {"Location": f"{self.server.url}/storage/{number}"})

    def do_POST(self) -> None:
        """Opens an issue, adds a comment, or is Slack."""
        body = self._body()
        if self.path == "/slack":
            self.server.slack.append(body["text"])
            self._answer(200, b"ok")
        elif self._allowed():
            if self.path.endswith("/issues"):
                issue = {"number": len(self.server.issues) + 1, "state": "open", **body}
                self.server.issues.append(issue)
                self._answer(201, json.dumps(issue).encode())
            else:
                self.server.comments.append((int(self.path.split("/")[-2]), body["body"]))
                self._answer(201, b"{}")

    def do_PATCH(self) -> None:
        """Changes an issue."""
        if self._allowed():
            issue = self.server.issues[int(self.path.rpartition("/")[2]) - 1]
            issue.update(self._body())
            self._answer(200, json.dumps(issue).encode())

    def _allowed(self) -> bool:
        if self.server.refuse or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(self.server.refuse or 401, b'{"message": "Resource not accessible"}')
            return False
        return True

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _page(self, entries: list[Any], path: str, query: dict[str, list[str]], key: str | None) -> None:
        number = int(query.get("page", ["1"])[0])
        shown = entries[(number - 1) * PAGE : number * PAGE]
        rest = "&".join(f"{name}={values[0]}" for name, values in query.items() if name != "page")
        more = {"Link": f'<{self.server.url}{path}?{rest}&page={number + 1}>; rel="next"'}
        self._answer(
            200, json.dumps({key: shown} if key else shown).encode(), more if len(entries) > number * PAGE else {}
        )

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving() -> Iterator[Server]:
    """One that answers, until the block ends."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
