"""How long the machine let nobody run: what a bound on a program's own speed does not hold against it."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

_EVERY_S = 0.02
_LEAST_S = 0.2  # less is a busy core


class Standstills(threading.Thread):
    """``seconds`` in which a thread that wakes every 20 ms did not, while the ``with`` lasted; ours await, and leave it
    its turn."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Until the end of the ``with``."""
        before, over = time.monotonic(), False
        while not over:
            over = self._over.wait(_EVERY_S)
            now = time.monotonic()
            gap_s, before = now - before - _EVERY_S, now
            self.seconds += gap_s if gap_s > _LEAST_S else 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self.join()
