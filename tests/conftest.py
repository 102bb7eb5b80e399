"""Settings of all tests, and the fixture that several packages of tests share."""

from __future__ import annotations

import asyncio

from hypothesis import settings

from tests.kind.shared import kind_cluster
from tests.real_runs import advanced_run, rolled_back_run

__all__ = ["advanced_run", "kind_cluster", "rolled_back_run"]

# pytest-asyncio asks for the current event loop, which Python 3.11 makes on the spot and nobody closes: a
# ResourceWarning, and so an error. Said that there is none, it makes none.
asyncio.set_event_loop(None)

# How long an example takes says what else the machine does, never whether the code is right. A change is held to the
# same examples each time; `nox -s nightly` draws others (--hypothesis-profile search), and prints how to draw them again.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("same")
