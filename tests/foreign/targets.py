"""Builds the foreign targets and names them to ``--target`` as their team would: a command and a ``target.yaml``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path

import yaml

from harness.stack.state import npm
from tests.deploy.theirs import Theirs

HERE = Path(__file__).parent
GO_SOURCES, NODE_SOURCES = HERE / "go", HERE / "node"
BUILD_LIMIT_S = 300  # without a build cache, on two busy cores
TREE = npm.Tree(what="a foreign target's packages", sources=NODE_SOURCES)


class Language(StrEnum):
    """What a target is written in."""

    GO = "go"
    NODE = "node"


def go_program() -> str | None:
    """The Go toolchain, on PATH or where its own installer puts it."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def build_go(folder: Path) -> Path:
    """The program, built in ``folder`` by the machine's own Go settings; modules are those of go.sum."""
    program, go = folder / "walks", go_program()
    assert go is not None
    environment = os.environ | {"GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
    done = subprocess.run(
        [go, "build", "-trimpath", "-o", str(program), "."],
        cwd=GO_SOURCES, env=environment, check=False, capture_output=True, text=True, timeout=BUILD_LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return program


def install_node() -> Path:
    """The ``node_modules`` of the lock file."""
    return npm.ensure(TREE, lambda line: None)


def target_file(
    folder: Path,
    language: Language,
    program: Path,
    *,
    faults: str = "",
    harmless: str = "",
    manifests: Theirs | None = None,
) -> Path:
    """``target.yaml`` in ``folder``. ``program`` is the Go binary, or the ``node_modules`` of the Node target.

    ``faults`` and ``harmless`` are names separated by commas. ``manifests`` is the team's folder, with what it takes
    a person to say of it.
    """
    environment = {"FAULTS": faults, "HARMLESS": harmless}
    if language is Language.GO:
        command = [str(program)]
    else:
        command = [str(npm.node()), str(NODE_SOURCES / "server.js")]
        environment |= {"HOST": "127.0.0.1", "NODE_PATH": str(program)}
    content: dict[str, object] = {
        "name": f"foreign {language} {faults or harmless or 'as it is'}",
        "command": command,
        "environment": environment,
        "migrations": "none",
    }
    if manifests is not None:
        variables = {key: value for key, value in manifests.target.items() if isinstance(value, dict)}
        others = {key: value for key, value in manifests.target.items() if key not in variables}
        content |= {"manifests": str(manifests.path), "variables": variables, **others}
    file = folder / "target.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True))
    return file


def lock_addresses() -> list[str]:
    """Packages of the npm lock that name where they were fetched from: a lock file must fit every registry."""
    packages = json.loads((NODE_SOURCES / "package-lock.json").read_text())["packages"]
    return [name for name, facts in packages.items() if "resolved" in facts]
