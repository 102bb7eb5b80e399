"""``python -m tests.manual [record FILE COMMAND ... | sample NAME RUN [FILE] | pictures NAME]``: what of docs/ is made.

Without words the reference of files, the page of claims, which command shows which erratum, and the samples' pages are written anew. ``record`` runs a command in a terminal and
keeps what it writes; ``sample`` takes a stored run's folder, and what its terminal wrote, into ``docs/samples``; ``pictures``
makes those of the READMEs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.base.errors import RehearsalError
from tests.manual import claims, reference, sample, screen
from tests.signoff import naming


def main(words: list[str]) -> int:
    """Does what is asked for."""
    parser = argparse.ArgumentParser(prog="nox -s manual --", description=__doc__, allow_abbrev=False)
    what = parser.add_subparsers(dest="what")
    recorded = what.add_parser("record", help="run a command in a terminal of 100 columns")
    recorded.add_argument("file", type=Path)
    recorded.add_argument("command", nargs=argparse.REMAINDER)
    taken = what.add_parser("sample", help="take a stored run into docs/samples")
    taken.add_argument("name")
    taken.add_argument("run", type=Path)
    taken.add_argument("terminal", type=Path, nargs="?")
    what.add_parser("pictures", help="the pictures of the READMEs").add_argument("name")
    asked = parser.parse_args(words)
    if asked.what == "record":
        return screen.record(asked.file, asked.command)
    if asked.what == "sample":
        sample.take(asked.run, asked.terminal, asked.name)
    elif asked.what == "pictures":
        sample.pictures(asked.name)
    else:
        reference.write()
        claims.write()
        naming.write()
        for folder in sorted(path for path in sample.SAMPLES.iterdir() if path.is_dir()):
            sample.pages(folder)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RehearsalError as error:
        sys.exit(f"error: {error}")
