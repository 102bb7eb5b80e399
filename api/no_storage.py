"""The storage port where no photos are kept: the rehearsal's Storage emulator comes with step B."""

from __future__ import annotations


class NoStorage:
    """Has nothing to remove."""

    async def forget_walk(self, user_id: str, walk_id: str) -> None:
        """Nothing to remove."""
