"""The machine's dice."""

from __future__ import annotations

import uuid


class SystemIds:
    """Random version 4 UUIDs."""

    def walk_id(self) -> str:
        """A fresh UUID, lower case."""
        return str(uuid.uuid4())
