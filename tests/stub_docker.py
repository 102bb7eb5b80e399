"""A ``docker`` for tests that have none: containers are files in ``$STUB_DOCKER``, one engine for all who share it.

It knows what a sweep asks: ``version``, ``run --detach``, ``ps``, ``rm``, ``network ls``. Written into a folder of
``PATH`` by ``install``; standard library alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from pathlib import Path


def install(folder: Path) -> dict[str, str]:
    """What a process' environment needs to have it as its ``docker``. ``folder`` is made."""
    (folder / "containers").mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {Path(__file__).resolve()} "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "STUB_DOCKER": str(folder / "containers")}


def containers(folder: Path) -> dict[str, dict[str, str]]:
    """The labels of each container of the engine in ``folder``, by its name."""
    return {name: labels for _, name, labels in _all(folder / "containers")}


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
        if all((labels.get(key) == value if same else key in labels) for key, same, value in _parted(wanted)):
            line = form.replace("{{.ID}}", made).replace("{{.Names}}", name)
            lines.append(re.sub(r'\{\{\.Label "([^"]*)"\}\}', lambda match: labels.get(match[1], ""), line))  # noqa: B023
    return lines


def _parted(wanted: list[str]) -> list[tuple[str, str, str]]:
    return [each.partition("=") for each in wanted]


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
