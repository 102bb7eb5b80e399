"""A Docker for tests that have none: containers are files in ``$STUB_DOCKER``, one engine for all who share it.

It knows what a sweep asks: of the command ``version``, ``run --detach``, ``ps`` and ``rm``; of the engine its version,
the lists of containers, images and networks, a removal. The command is written into a folder of ``PATH`` by ``install``,
which also begins the engine, a thread of the test's process; standard library alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


def install(folder: Path) -> dict[str, str]:
    """What a process' environment needs to have it as its Docker, while this process lives. ``folder`` is made."""
    (folder / "containers").mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {Path(__file__).resolve()} "$@"\n')
    program.chmod(0o755)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Engine", (Engine,), {"folder": folder / "containers"}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    engine = f"tcp://127.0.0.1:{server.server_port}"
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STUB_DOCKER": str(folder / "containers"), "DOCKER_HOST": engine}


class Engine(BaseHTTPRequestHandler):
    """What Docker's SDK asks of an engine, of the containers in ``folder``."""

    folder: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        kind = asked.path.rpartition("/")[0].rpartition("/")[2] if asked.path.endswith("/json") else asked.path[1:]
        if kind == "version":
            return self._answer({"ApiVersion": "1.44", "Version": "27.0"})
        if kind == "images":
            return self._answer([{"RepoTags": [name]} for name in images(self.folder.parent)])
        if kind != "containers":
            return self._answer([])  # no networks
        wanted = json.loads(parse_qs(asked.query).get("filters", ["{}"])[0]).get("label", [])
        found = [
            {"Id": made, "Names": [f"/{name}"], "Labels": labels}
            for made, name, labels in _all(self.folder)
            if _fits(labels, wanted)
        ]
        return self._answer(found)

    def do_DELETE(self) -> None:
        kind, _, name = urlsplit(self.path).path.partition("/images/")
        if name:
            left = set(images(self.folder.parent)) - {unquote(name)}
            (self.folder.parent / "images").write_text("\n".join(left))
            return self._answer([])
        path = self.folder / f"{kind.rpartition('/')[2]}.json"
        try:
            path.unlink()
        except FileNotFoundError:
            self._answer({"message": "No such container"}, 404)
        else:
            self._answer(None, 204)

    def _answer(self, content: object, status: int = 200) -> None:
        body = b"" if status == 204 else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nothing is said."""


def containers(folder: Path) -> dict[str, dict[str, str]]:
    """The labels of each container of the engine in ``folder``, by its name."""
    return {name: labels for _, name, labels in _all(folder / "containers")}


def images(folder: Path) -> list[str]:
    """The names of the images of the engine in ``folder``: the lines of its file ``images``."""
    file = folder / "images"
    return sorted(file.read_text().split()) if file.exists() else []


def _all(engine: Path) -> list[tuple[str, str, dict[str, str]]]:
    found = []
    for path in sorted(engine.glob("*.json")):
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:  # another removed it
            continue
        found.append((path.stem, content["name"], content["labels"]))
    return found


def _run(engine: Path, words: list[str]) -> str:
    labels = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--label")
    made = uuid.uuid4().hex[:12]
    half = engine / f"{made}.half"
    half.write_text(json.dumps({"name": words[words.index("--name") + 1], "labels": labels}))
    half.rename(engine / f"{made}.json")
    return made


def _ps(engine: Path, words: list[str]) -> list[str]:
    form = "{{.ID}}" if "--quiet" in words else words[words.index("--format") + 1]
    wanted = [words[at + 1].removeprefix("label=") for at, word in enumerate(words) if word == "--filter"]
    lines = []
    for made, name, labels in _all(engine):
        if _fits(labels, wanted):
            line = form.replace("{{.ID}}", made).replace("{{.Names}}", name)
            lines.append(re.sub(r'\{\{\.Label "([^"]*)"\}\}', lambda match: labels.get(match[1], ""), line))  # noqa: B023
    return lines


def _fits(labels: dict[str, str], wanted: list[str]) -> bool:
    parted = [each.partition("=") for each in wanted]
    return all((labels.get(key) == value if same else key in labels) for key, same, value in parted)


def main(words: list[str], engine: Path) -> list[str]:
    """The lines of the answer."""
    if words[0] == "version":
        return ["27.0"]
    if words[0] == "run":
        return [_run(engine, words)]
    if words[0] == "ps":
        return _ps(engine, words)
    if words[0] == "rm":
        for word in words[1:]:
            (engine / f"{word}.json").unlink(missing_ok=True)
    return []  # no networks


if __name__ == "__main__":
    for each in main(sys.argv[1:], Path(os.environ["STUB_DOCKER"])):
        print(each)
