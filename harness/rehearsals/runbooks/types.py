"""The plan of the runbooks, and what a run of them leaves."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.base.planfile import once
from harness.base.units import Seconds
from harness.model.command import Ran
from harness.model.stack import Capability
from harness.rules.register import ClaimId


class RunbookTarget(StrEnum):
    """What a page's commands act on."""

    CLUSTER = "cluster"  # the run's own, by kubectl
    BALANCED = "balanced"  # the same, with a load balancer in front
    DATABASE = "database"  # a PostgreSQL that lost a table, by a shell


class RunbookPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the manual, below ``docs/``. ``claims`` by the heading of level 2 whose commands are the exercise of
    each, "" for the whole page; ``needs`` is what it cannot be typed without, ``ground`` what it is typed on."""

    name: str
    title: str
    page: str
    claims: dict[str, ClaimId]
    needs: tuple[Capability, ...] = (Capability.REAL_KUBERNETES,)
    ground: RunbookTarget = RunbookTarget.CLUSTER


class RunbooksPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``scenarios/plans/runbooks.yaml``. A command may take ``limit_s``."""

    name: str = "runbooks"
    title: str
    limit_s: Seconds
    parts: tuple[RunbookPage, ...]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for two pages of one name."""
        once(page.name for page in self.parts)


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was typed, and how long it took."""

    chapter: str
    heading: str
    ran: Ran
    seconds: float


class Balanced(msgspec.Struct, frozen=True, kw_only=True):
    """The address that the Service had when its page was typed, "" without one, and HTTP's status of ``/health`` there,
    0 without an answer."""

    address: str
    status: int


class RestoredWalks(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the walks that were there at the moment are there again, ``None`` where nobody could be asked."""

    walks: int | None
    of: int


class RunbooksDetails(msgspec.Struct, kw_only=True):
    """The facts: what was typed of each page, how many lines it has, the zone that was drained, what the load
    balancer's address answered, and what the restored database holds; ``None`` of a run that did not come to it, or
    did not ask."""

    typed: dict[str, list[Typed]] = {}
    lines: dict[str, int] = {}
    zone: str = ""
    balanced: Balanced | None = None
    restored: RestoredWalks | None = None
