"""What is kept on this machine for later, and that nobody has used for 30 days: found, and removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.base.clock import NS, MachineClock, unix_ns
from harness.base.home import home, runs_folder, used_mark
from harness.base.message import Message, gettext_noop, message
from harness.report.index import recalled
from harness.report.latest import LATEST
from harness.report.signoff.gather import FOLDER
from harness.run.runner import PLAN_JSON
from harness.stack.kind import at_hand
from harness.stack.kind.images.recipe import REPOSITORY

UNUSED_DAYS = 30
_IMAGE, RUN = gettext_noop("Docker image"), gettext_noop("stored run")
#: The folders of ``home()`` that hold a folder for each lock or version, by what that is.
_KEPT = {
    "venv": gettext_noop("Python environment"),
    "npm": gettext_noop("npm packages"),
    "template": gettext_noop("PostgreSQL's template"),
    "wheels": gettext_noop("packages of an image"),
    "programs": gettext_noop("programs from Python packages"),
    "kind/binaries": gettext_noop("programs built from Go modules"),
}


class Unused(msgspec.Struct, kw_only=True):
    """``name`` is a folder's path, or an image's names; ``used`` is when it last was."""

    kind: str
    name: str
    used: datetime
    mib: int
    removed: bool = False

    @property
    def told(self) -> Message:
        """For people."""
        what = {"name": self.name, "mib": str(self.mib), "day": f"{self.used:%Y-%m-%d}"}
        told = message("{kind} {name}: {mib} MiB, last used on {day}", kind=Message(text=self.kind), **what)
        return message("removed: {what}", what=told) if self.removed else told


def found() -> list[Unused]:
    """Finds the folders and images that nobody used for ``UNUSED_DAYS``, and that no process or container has."""
    before_s, all_ = _days_ago(UNUSED_DAYS), list[Unused]()
    for name, kind in _KEPT.items():
        for folder in sorted((home() / name).glob("*/")):
            used_s = max(path.stat().st_mtime for path in (folder, used_mark(folder)) if path.exists())
            with _alone(folder) as alone:
                if alone and used_s < before_s and not folder.is_symlink():
                    all_.append(_folder(kind, folder, used_s))
    return [*all_, *_images(before_s)]


def runs(reports: Path, days: int, keep: int = 0) -> Iterator[Unused]:
    """Finds the stored runs in whose folders nothing was written for so many days, and that are not among the newest
    ``keep`` of the history.

    Left out are one that is not swept yet, the newest, and those that a sign-off page names: they are its evidence.
    """
    known = [line.run for line in recalled(reports) if "/" not in line.run] if keep else []  # a sequence with its runs
    pages = "".join(page.read_text(errors="replace") for page in (reports / FOLDER).rglob("*.json"))
    for folder in sorted(path.parent for path in reports.glob(f"*/{PLAN_JSON}")):
        written_s = max(path.lstat().st_mtime for path in folder.iterdir())
        newest = folder.resolve() == (reports / LATEST).resolve()
        kept = newest or folder.is_symlink() or folder.name in pages or (runs_folder() / folder.name).exists()
        kept = kept or (keep > 0 and folder.name not in known[:-keep])
        if written_s < _days_ago(days) and not kept:
            yield _folder(RUN, folder, written_s)


def remove(unused: Unused) -> bool:
    """Whether it is gone: not what somebody uses by now. A folder is renamed first: half of it would look whole."""
    if unused.kind == _IMAGE:
        unused.removed = at_hand.ask("image", "rm", *unused.name.split(), limit_s=300) is not None
        return unused.removed
    folder = Path(unused.name)
    with contextlib.suppress(OSError), _alone(folder) as alone:
        if alone:
            shutil.rmtree(folder.rename(folder.with_name(f".{folder.name.lstrip('.')}.removed")))
            unused.removed = True
    return unused.removed


def _days_ago(days: int) -> float:
    clock = MachineClock()
    return unix_ns(clock.anchor, clock.now_ns()) / NS - days * 86_400


def _folder(kind: str, folder: Path, used_s: float) -> Unused:
    blocks = sum(Path(at, name).lstat().st_blocks for at, _, names in os.walk(folder) for name in names)
    return Unused(kind=kind, name=str(folder), used=datetime.fromtimestamp(used_s, tz=UTC), mib=blocks // 2048)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no process has ``folder`` (``harness.base.home.use``); then none gets it within the block."""
    with contextlib.ExitStack() as held:
        try:
            fcntl.flock(held.enter_context(used_mark(folder).open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except FileNotFoundError:
            pass  # nobody has used it since there are marks
        yield True


def _images(before_s: float) -> Iterator[Unused]:
    """Those of this project. Docker keeps when one was last named, which each run does (``docker.has_image``)."""
    listed = at_hand.ask("image", "ls", "--quiet", "--no-trunc", "--filter", f"reference={REPOSITORY}/*")
    told = at_hand.ask("image", "inspect", *sorted({*listed.split()})) if listed else None
    for image in msgspec.json.decode(told or "[]"):
        used = max(map(datetime.fromisoformat, (image["Created"], *image.get("Metadata", {}).values())))
        containers = ("ps", "--all", "--quiet", "--filter", f"ancestor={image['Id']}")
        own = [name for name in image["RepoTags"] if name.startswith(f"{REPOSITORY}/")]
        if used.timestamp() < before_s and at_hand.ask(*containers) == "":
            yield Unused(kind=_IMAGE, name=" ".join(own), used=used, mib=image["Size"] // 2**20)
