"""Settings of all tests, and the fixture that several packages of tests share."""

from __future__ import annotations

import asyncio

from hypothesis import settings

from tests.kind.shared import kind_cluster

__all__ = ["kind_cluster"]

# pytest-asyncio asks for the current event loop, which Python 3.11 makes on the spot and nobody closes: a
# ResourceWarning, and so an error. Said that there is none, it makes none.
asyncio.set_event_loop(None)

# How long an example takes says what else the machine does, never whether the code is right.
settings.register_profile("here", deadline=None)
settings.load_profile("here")
