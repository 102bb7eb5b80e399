"""What a stack, a sweep or an image's making tells while it is under way, kept in English."""

from __future__ import annotations

from harness.model.message import Message


class Lines(list[str]):
    """The lines; ``tell`` is who is told."""

    def tell(self, told: Message) -> None:
        """Keeps one."""
        self.append(str(told))
