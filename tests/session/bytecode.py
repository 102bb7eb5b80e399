"""Where the tests' processes keep their bytecode. Standard library only: ``noxfile.py`` reads it."""

from __future__ import annotations

import sys

from harness.base.home import home


def aside(arguments: tuple[str, ...], *, kept: bool = not sys.dont_write_bytecode) -> dict[str, str]:
    """Variables with which the tests' processes keep their bytecode in the cache folder, where the machine forbids it
    beside the sources (``PYTHONDONTWRITEBYTECODE``): else each of them compiles all packages and tests again.
    """
    if kept or arguments[:2] not in {("-m", "pytest"), ("-m", "tests.session.push")}:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home() / "bytecode")}
