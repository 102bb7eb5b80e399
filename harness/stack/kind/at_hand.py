"""What this machine has of the rung ``kind``, looked at without making anything; blocks for a moment.

By the command line: every command with ``--on auto`` asks before its first line, and the doctor before the packages are
there; the SDK takes several times as long to be imported as the command to answer.
"""

from __future__ import annotations

import functools
import shutil
import subprocess

from harness.model.message import gettext_noop
from harness.stack.kind.images import choice, offline

_ASK_LIMIT_S = 5.0


def lacking() -> str:
    """What a run on kind would lack or first have to make, a message id; "" when Docker and a node image are at
    hand."""
    if shutil.which("docker") is None:
        return gettext_noop("there is no Docker")
    if not docker_answers():
        return gettext_noop("Docker does not answer")
    if node_image() is None:
        return gettext_noop("Docker has no node image yet; --on kind gets one first")
    return ""


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers."""
    return ask("version", "--format", "{{.Server.Version}}") is not None


def node_image() -> str | None:
    """The worker's node image that a cluster would be made of, when Docker has it."""
    if _has(official := choice.official_name()):
        return official
    own = offline.node_images()
    return own.worker if _has(own.worker) and _has(own.control_plane) else None


def _has(image: str) -> bool:
    return bool(ask("image", "inspect", "--format", "{{.Id}}", image))


def ask(*arguments: str, limit_s: float = _ASK_LIMIT_S) -> str | None:
    """What docker says; ``None`` when it fails or does not answer within ``limit_s``."""
    command = [shutil.which("docker") or "docker", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
