"""Runs of today's harness, stored as they are: what a judge says of real evidence, word for word, held by a test.

``python -m tests.corpus.today take FOLDER NAME`` stores a run's folder as ``today/NAME``, without what tells whose machine
it was made on, and without pages, which are drawn anew. ``python -m tests.corpus.today renew [NAME ...]`` writes anew what
today's judges say of them, after a change that was meant: ``git diff`` then shows every word and value that changed.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path
from typing import Any

import msgspec

from harness.judge.combine import combine
from harness.rehearsal import registry
from harness.rehearsal.rehearsal import Rehearsal
from harness.report.published import RESULT
from tests.corpus.scrub import take
from tests.rehearsal.again import again

TODAY = Path(__file__).with_name("today")
_DRAWN = (".html", ".xml", ".md")


def rehearsed(folder: Path) -> tuple[Rehearsal[Any, Any], type[Any], Path]:
    """What ``tests.rehearsal.again`` asks for: the rehearsal and its plan's type are those that the document names."""
    rehearsal = registry.rehearsal(RESULT.read(folder / "result.json").rehearsal)
    return rehearsal, rehearsal.plan, folder


def renew(folder: Path) -> None:
    """Writes what today's judge says into the stored document."""
    now = again(*rehearsed(folder))
    decided = None if now.result.decision is None else combine(now.judgements)
    changed = msgspec.structs.replace(now.result, judgements=now.judgements, sections=now.sections, decision=decided)
    RESULT.write(folder, changed)


def main() -> None:
    """Takes a folder, or renews."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.today", description=__doc__)
    doing = parser.add_subparsers(dest="doing", required=True)
    taking = doing.add_parser("take")
    taking.add_argument("folder", type=Path)
    taking.add_argument("name")
    taking.add_argument("--host", default=socket.gethostname(), help="the machine's name, where it was another one")
    renewing = doing.add_parser("renew")
    renewing.add_argument("names", nargs="*")
    given = parser.parse_args()
    if given.doing == "take":
        for line in take(given.folder, given.name, given.host, evidence=True, runs=TODAY):
            print(f"left out: {line}")
        for path in (TODAY / given.name).rglob("*"):
            if path.suffix in _DRAWN:
                path.unlink()
        return
    for name in given.names or sorted(path.name for path in TODAY.iterdir()):
        renew(TODAY / name)


if __name__ == "__main__":
    main()
