"""What a target does not do at all is found out once, not waited for by each check: the mirror, photos, log lines."""

from __future__ import annotations

import msgspec

from harness.model.message import Message


class Absence(msgspec.Struct):
    """One thing that many checks wait for. ``seen`` once any came; ``reason`` why none will, ``None`` until then."""

    seen: bool = False
    reason: Message | None = None

    def came(self) -> None:
        """One came: from now on each that does not is its own finding."""
        self.seen, self.reason = True, None

    def never_came(self, reason: Message) -> None:
        """None came though it was waited for, and none ever had."""
        if not self.seen:
            self.reason = reason


class Absences(msgspec.Struct):
    """Those of one run: documents in Firestore, removals of photos."""

    mirror: Absence = msgspec.field(default_factory=Absence)
    photos: Absence = msgspec.field(default_factory=Absence)
