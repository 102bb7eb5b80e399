"""The plan of the runbooks, and what a run of them leaves."""

from __future__ import annotations

import msgspec

from harness.base.planfile import once
from harness.base.units import Seconds
from harness.model.command import Ran
from harness.model.stack import Capability
from scenarios.claims import ClaimId


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the manual, below ``docs/``. ``claims`` by the heading of level 2 whose commands are the exercise of
    each, "" for the whole page; ``needs`` is what it cannot be typed without."""

    name: str
    title: str
    page: str
    claims: dict[str, ClaimId]
    needs: tuple[Capability, ...] = (Capability.REAL_KUBERNETES,)


class RunbooksPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``scenarios/plans/runbooks.yaml``. A command may take ``limit_s``."""

    name: str = "runbooks"
    title: str
    limit_s: Seconds
    parts: tuple[Page, ...]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for two pages of one name."""
        once(page.name for page in self.parts)


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was typed, and how long it took."""

    chapter: str
    heading: str
    ran: Ran
    seconds: float


class RunbooksDetails(msgspec.Struct, kw_only=True):
    """The facts: what was typed of each page, how many lines it has, and the zone that was drained."""

    typed: dict[str, list[Typed]] = {}
    lines: dict[str, int] = {}
    zone: str = ""
