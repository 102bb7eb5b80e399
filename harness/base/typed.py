"""How a line begins that is to be typed again: with the Python as it was typed. Standard library only."""

from __future__ import annotations

import os
import re
import sys

from harness.base.data import INSTALLED

#: Tells the locked environment's Python how the one was typed that went on in it.
TYPED = "TEKUTOKO_PYTHON"


def typed() -> str:
    """Return the name by which a Python was started (``python``, ``python3.12``).

    Another name, such as a path, gives ``python3``, which is there where no ``python`` is (Debian).
    """
    name = os.environ.get(TYPED) or sys.orig_argv[0]
    return name if re.fullmatch(r"python(3(\.\d+)?)?", name) else "python3"


#: How a line begins that is to be typed again.
PROGRAM = "tekutoko-rehearsal" if INSTALLED else f"{typed()} -m harness"
