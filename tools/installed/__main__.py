"""``tekutoko-rehearsal``: the command of the installed package, which goes on in the locked environment.

``python FOLDER``, by which it goes on there, runs this file too.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run ``python -m harness`` of this folder; ends in its exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    runpy.run_module("harness", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
