"""The workflows, read by two linters (``nox -s lint``): actionlint for what GitHub would refuse, zizmor for what others
could misuse. Ours and the example for another repository.

actionlint is built from its Go module once a machine; zizmor comes with the locked packages and is asked offline.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.base.errors import RehearsalError
from harness.stack.kind.images import binaries

ROOT = Path(__file__).resolve().parents[2]
PLACES = (".github/workflows/*.yml", "examples/*/.github/workflows/*.yml")
LIMIT_S = 120


def files() -> list[Path]:
    """All workflows of the repository."""
    return sorted(path for place in PLACES for path in ROOT.glob(place))


def commands(actionlint: Path, paths: Iterable[Path]) -> list[list[str]]:
    """What is run. Steps of a workflow are one line of a script here, so that no shell is linted."""
    named = [str(path) for path in paths]
    zizmor = str(Path(sys.executable).parent / "zizmor")
    return [
        [str(actionlint), "-no-color", "-shellcheck=", "-pyflakes=", *named],
        [zizmor, "--offline", "--no-progress", "--quiet", "--color=never", *named],
    ]


def main(paths: Iterable[Path]) -> int:
    """1 when a linter found something. Raises ``StackNotStarted`` when actionlint cannot be built."""
    folder = asyncio.run(binaries.ensure(binaries.Module("actionlint"), print))
    statuses = [
        subprocess.run(command, cwd=ROOT, check=False, timeout=LIMIT_S).returncode
        for command in commands(folder / "actionlint", paths)
    ]
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    try:
        sys.exit(main([Path(name) for name in sys.argv[1:]] or files()))
    except (RehearsalError, OSError) as error:
        sys.exit(f"the workflows were not linted: {error}")
