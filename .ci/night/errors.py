"""What a person is told when a step cannot do its work, and the exit statuses of ``.ci/nightly``."""

from __future__ import annotations

RED = 1  # something failed, or a deployment may not go on
USAGE = 2
UNTOLD = 3  # GitHub or Slack could not be told


class Trouble(Exception):  # noqa: N818 - read as an outcome
    """What happened, where, and what to do; ``status`` is the exit status."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "", status: int = USAGE) -> None:
        super().__init__(what)
        self.status = status
        self._lines = [what, *([f"  where: {where}"] if where else []), *([f"  to do: {remedy}"] if remedy else [])]

    def __str__(self) -> str:
        return "\n".join(self._lines)
