"""For every test here."""

from __future__ import annotations

import asyncio

# pytest-asyncio asks for the current event loop, which Python 3.11 makes on the spot and nobody closes: a ResourceWarning.
# Said that there is none, it makes none.
asyncio.set_event_loop(None)
