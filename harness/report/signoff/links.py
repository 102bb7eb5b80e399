"""How the pages of a sign-off name and link a run. Pure."""

from __future__ import annotations

from urllib.parse import quote

from harness.base.units import DAY_S
from harness.model.message import Message, message
from harness.report.language import REPORT_HTML
from harness.report.signoff.types import FoundRun


def age(seconds: float | None) -> Message:
    """How long ago something was."""
    if seconds is None:
        return message("unknown")
    if seconds < 2 * 3600:
        return message("{minutes} min ago", minutes=f"{seconds / 60:.0f}")
    if seconds < 2 * DAY_S:
        return message("{hours} h ago", hours=f"{seconds / 3600:.0f}")
    return message("{days} days ago", days=f"{seconds / DAY_S:.1f}")


def href(run: FoundRun) -> str:
    """The run's page, from the folder of the sign-off."""
    return f"../{quote(run.folder)}/{REPORT_HTML}"


def short(digest: str) -> str:
    """A digest as people compare it: its first twelve places."""
    kind, colon, of = digest.partition(":")
    return f"{kind}:{of[:12]}" if colon else digest
