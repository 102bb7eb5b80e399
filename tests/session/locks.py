"""``nox -s lock``: renews ``locks/`` from pyproject.toml, with hashes, without the index's address.

The largest is made first; the others take its pins. What is pinned stays unless pyproject.toml or ``--upgrade`` says
otherwise.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.base import bootstrap
from harness.base.data import ROOT

PLAIN = ("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet")
WORDS = ("pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", *PLAIN)


def main(more: list[str]) -> int:
    """0, or uv's status; what uv says goes through."""
    uv = str(Path(sys.executable).parent / "uv")
    for level, asked in reversed(bootstrap.LEVELS.items()):
        pins = () if level == "dev" else ("-c", str(bootstrap.lock("dev")))
        command = [uv, *WORDS, *asked.words, *pins, "-o", str(bootstrap.lock(level)), *(more if level == "dev" else ())]
        if status := subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
