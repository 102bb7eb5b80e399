"""What was waited for and did not come: an error for people, and a broken run."""

from __future__ import annotations

from harness.base.errors import Exit, RehearsalError


class NotInTime(RehearsalError):  # noqa: N818 - as the tree of harness.base.errors
    """The rehearsal cannot go on: what it waits for was not seen within its limit."""

    exit = Exit.RUN_BROKEN
