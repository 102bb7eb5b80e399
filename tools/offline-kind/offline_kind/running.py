"""Programs run to their end, bounded in time; locks between processes; what a person is told."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_LAST_WORDS = 1500
#: Docker's labels of every image and container that is made here: the rehearsal's `clean` finds them by it.
LABEL = ("--label", "app.kubernetes.io/managed-by=tekutoko-rehearsal")
REPOSITORY = "tekutoko-rehearsal"


class Failed(Exception):  # noqa: N818 - an outcome
    """Why there is no answer: ``what`` failed, ``where``, and the ``remedy`` where one is known."""

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.remedy = what, where, remedy


def say(line: str) -> None:
    """Tell a person what is under way."""
    print(line, file=sys.stderr, flush=True)


def run(
    *command: str | Path,
    what: str,
    limit_s: float = 60.0,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    remedy: str = "",
    keep: Sequence[int] = (),
) -> str:
    """Run ``command`` to its end and return its output; the descriptors ``keep`` stay open in it. Raises ``Failed``."""
    where = " ".join(map(str, command[:4]))
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            pass_fds=tuple(keep),
        )
    except FileNotFoundError as error:
        raise Failed(f"{what} failed: {error.strerror}", str(command[0]), remedy) from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{what} was not done after {limit_s:g} s", where, remedy) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_LAST_WORDS:]
        raise Failed(f"{what} failed (status {done.returncode}): {said}", where, remedy)
    return done.stdout


def docker(*words: str | Path, what: str, limit_s: float = 60.0, remedy: str = "") -> str:
    """Run the command ``docker``. Raises ``Failed``."""
    return run("docker", *words, what=what, limit_s=limit_s, remedy=remedy)


def has_image(name: str) -> bool:
    """Return whether Docker holds the image. Raises ``Failed`` where there is no Docker."""
    return bool(docker("image", "ls", "--quiet", name, what=f"looking for the image {name}").strip())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock file ``path``, whose descriptor it gives; another process' work is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is at work on {path.stem}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
