"""A target that is wrong on purpose: the bundled API, each of whose pods keeps ``TEST_LEAK`` MB more a minute, for good.

Started by the environment contract, as any other. No answer is wrong, or late.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from api import serve
from api.settings import read_settings

EVERY_S = 1.0
kept: list[bytes] = []


def leak(a_minute: int) -> None:
    """Goes on for ever; what is kept is written to, so that it is in memory indeed."""
    while not threading.Event().wait(EVERY_S):
        kept.append(b"\1" * (a_minute * 10**6 // 60))


def main() -> int:
    threading.Thread(target=leak, args=(int(os.environ["TEST_LEAK"]),), daemon=True).start()
    return serve.serve(read_settings(os.environ))


if __name__ == "__main__":
    sys.exit(main())
