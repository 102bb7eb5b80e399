"""The command lines of the four emulators, and whether each answers yet. The stack spawns and stops them.

Each prints one line when it listens, logs to standard output and ends at once on SIGTERM.

The Firebase emulators (Node programs), locked in ``node/``: installed by ``harness.stack.state.npm``.

Optional packages are left out: neither emulator needs them (``re2`` alone is 87 MB). Of the 268 MiB that are left 192
serve other emulators and commands of firebase-tools, or debuggers; ``package.json`` names them, each with what it is
for, and they are removed.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import msgspec

from harness.model.message import ProgressCallback, gettext_noop
from harness.model.stack import Address
from harness.stack.firebase import rest
from harness.stack.state import npm

SOURCES = Path(__file__).parent / "node"


class _LeftOut(msgspec.Struct, frozen=True):
    """``packages``: folders of node_modules with the reason; ``files``: patterns of names in all that stay."""

    packages: dict[str, str]
    files: list[str]


class _Package(msgspec.Struct, frozen=True):
    left_out: _LeftOut


def _leave_out(modules: Path) -> None:
    left_out = msgspec.json.decode((SOURCES / "package.json").read_bytes(), type=_Package).left_out
    for package in left_out.packages:
        shutil.rmtree(modules / package, ignore_errors=True)
    for pattern in left_out.files:
        for path in modules.rglob(pattern):
            if path.is_file():
                path.unlink()


TREE = npm.Tree(what=gettext_noop("the Firebase emulators"), sources=SOURCES, mib=76, finish=_leave_out)


def folder() -> Path:
    """Where the emulators' ``node_modules`` lies, installed or not."""
    return npm.folder(TREE)


def ensure(progress: ProgressCallback) -> Path:
    """The emulators' ``node_modules``, installed first where it is missing (10 s with npm's cache, 60 s without).

    Blocks. Raises ``StackNotStarted``.
    """
    return npm.ensure(TREE, progress)


# 147 MB of memory instead of 175; the emulator makes little garbage.
_AUTH_FLAGS = ("--max-semi-space-size=16",)
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and empty SETTINGS
_HTTP2_SETTINGS = 4


def auth_command(tree: Path, project_id: str, address: Address) -> list[str]:
    """The Auth emulator; ``tree`` is what ``ensure`` answered. Up after about 1 s of CPU."""
    return _node_command("auth.js", tree, project_id, address, *_AUTH_FLAGS)


def firestore_command(tree: Path, project_id: str, address: Address) -> list[str]:
    """The Firestore emulator; ``tree`` is what ``ensure`` answered."""
    return _node_command("firestore.js", tree, project_id, address)


def remote_config_command(address: Address) -> list[str]:
    """The Remote Config emulator, for any project. Runs with the checkout as its folder, or on ``PYTHONPATH``."""
    return [
        *(sys.executable, "-m", "harness.stack.firebase.remote_config"),
        *("--host", address.host, "--port", str(address.port)),
    ]


def storage_command(bucket: str, address: Address) -> list[str]:
    """The Storage emulator with one bucket. Runs with the checkout as its folder."""
    return [
        *(sys.executable, "-m", "harness.stack.firebase.storage"),
        *("--host", address.host, "--port", str(address.port), "--bucket", bucket),
    ]


def _node_command(script: str, tree: Path, project_id: str, address: Address, *flags: str) -> list[str]:
    """Raises ``StackNotStarted`` when there is no Node."""
    program = [str(npm.node()), *flags, str(SOURCES / script)]
    return [*program, str(tree), project_id, address.host, str(address.port)]


async def auth_ready(address: Address, timeout_s: float = 1.0) -> bool:
    """Whether the Auth emulator says that it is ready."""
    return await _says(address, b'"authEmulator"', timeout_s)


async def remote_config_ready(address: Address, timeout_s: float = 1.0) -> bool:
    """Whether the Remote Config emulator says that it is ready."""
    return await _says(address, b'"remoteConfigEmulator"', timeout_s)


async def storage_ready(address: Address, timeout_s: float = 1.0) -> bool:
    """Whether the Storage emulator answers."""
    return await _says(address, b"OK", timeout_s)


async def firestore_ready(address: Address, timeout_s: float = 1.0) -> bool:
    """Whether a gRPC server answers: it greets an HTTP/2 client with its SETTINGS frame."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(_HTTP2_PREFACE)
                frame = await reader.readexactly(9)
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return False
    return frame[3] == _HTTP2_SETTINGS


async def _says(address: Address, name: bytes, timeout_s: float) -> bool:
    try:
        answer = await rest.request(address, "GET", "/", timeout_s=timeout_s)
    except OSError:
        return False
    return answer.status == 200 and name in answer.body
