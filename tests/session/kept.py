"""What the tests' processes keep in the cache folder for the next session. Standard library only: ``noxfile.py`` reads
it.
"""

from __future__ import annotations

import os
import sys

from harness.base.home import home

#: What tools keep beside the sources if nobody says where. All of it is found again by the digest of a source, so that a
#: new checkout, whose files are all new, begins with it.
_TOOLS = {"MYPY_CACHE_DIR": "mypy", "HYPOTHESIS_STORAGE_DIRECTORY": "hypothesis"}


def aside(arguments: tuple[str, ...], *, compiles: bool = not sys.dont_write_bytecode) -> dict[str, str]:
    """Variables with which the tests' processes keep in the cache folder what they work out about the sources: types,
    the constants that examples are drawn from; and bytecode, where the machine forbids it beside the sources
    (``PYTHONDONTWRITEBYTECODE``): else each of them compiles all packages and tests again.
    """
    if arguments[:2] not in {("-m", "pytest"), ("-m", "tests.session.push")}:
        return {}
    found = {name: str(home() / folder) for name, folder in _TOOLS.items() if name not in os.environ}
    if not compiles:
        found |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home() / "bytecode")}
    return found
