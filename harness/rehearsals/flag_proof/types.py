"""The plan of the flag's proof, and what a run of it leaves to be judged."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.planfile import RuleError
from harness.base.units import Seconds
from harness.checks.walk_continuity import WalkContinuity
from harness.model.message import Told, message
from harness.model.scenario import Span
from harness.rules.register import ClaimId, ErratumId

VIRTUAL, REAL = "virtual", "real"
MOVED, COPIED, ROLLED_BACK = "moved_without_a_copy", "moved_after_a_copy", "rolled_back"
NEW_ONLY, AGAIN = "flipped_on_in_mid_walk.new_locations_only", "flipped_on_in_mid_walk.unconfirmed_locations_again"
CLAIM_WALKS = "flag.factory"
#: Each story's claim.
STORIES = {
    MOVED: "dual_write.method", COPIED: "dual_write.method", ROLLED_BACK: "dual_write.diagram",
    NEW_ONLY: CLAIM_WALKS, AGAIN: CLAIM_WALKS,
}  # fmt: skip


class FlipDirection(StrEnum):
    """Which way the flag is flipped."""

    OFF_TO_ON = "off_to_on"
    ON_TO_OFF = "on_to_off"


class ClientKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of client.

    ``session_s`` 0: it asks Remote Config at every request; else at the app's start only, and starts again that often.
    ``offline_s``: so long without network around the publish. ``late`` is the erratum by which it is expected to be
    late at every interval, "" when it is not.
    """

    name: str
    session_s: Seconds = 0.0
    offline_s: Seconds = 0.0
    late: ErratumId = ""

    def __post_init__(self) -> None:
        """Raises ``RuleError`` for sessions and a gap at once, of which no bound is known."""
        if self.session_s and self.offline_s:
            what = message("a kind of client has sessions, or a gap without network, and not both")
            raise RuleError(what, "offline_s", remedy="make it two kinds")


class FetchCase(msgspec.Struct, frozen=True, kw_only=True):
    """A minimum fetch interval; ``late`` is the erratum by which it is expected to be late."""

    fetch_interval_s: Seconds
    real: bool = False
    late: ErratumId = ""


class RealPlan(msgspec.Struct, frozen=True, kw_only=True):
    """On real parts every time is divided by ``scale``; ``offline`` of the ``clients`` lose their network."""

    scale: Annotated[float, msgspec.Meta(ge=1, le=100)]
    clients: Annotated[int, msgspec.Meta(ge=2, le=100)]
    offline: Annotated[int, msgspec.Meta(ge=0)]

    def __post_init__(self) -> None:
        """Raises ``RuleError`` where nobody would be online."""
        if self.offline >= self.clients:
            given = {"offline": str(self.offline), "clients": str(self.clients)}
            what = message("{offline} of {clients} clients are offline, and some have to be online", **given)
            raise RuleError(what, "offline")


class FlagPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``scenarios/plans/flag_proof.yaml``, in seconds. ``virtual_only`` leaves out everything that needs a stack."""

    name: str = "flag_proof"
    virtual_only: bool = False
    title: str
    claim: ClaimId
    limit_s: Seconds
    pace_s: Span
    clients: Annotated[int, msgspec.Meta(ge=1, le=2000)]
    cases: Annotated[tuple[FetchCase, ...], msgspec.Meta(min_length=1)]
    kinds: Annotated[tuple[ClientKind, ...], msgspec.Meta(min_length=1)]
    real: RealPlan


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """How long the clients of one case took to change sides after a publish, seconds. ``mode`` is ``virtual`` (the
    client's rule computed) or ``real`` (real parts, times scaled).

    ``last_s`` is of the last of those that ``switched``, ``None`` without one; ``bound_s`` is what the rule cannot
    exceed, ``limit_s`` the document's, ``None`` where times are scaled; ``late`` the erratum by which it is not kept.
    """

    id: str
    mode: str
    clients: int
    switched: int
    last_s: float | None
    bound_s: float
    limit_s: float | None
    late: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A user's walks across a change of sides: what was recorded and held, or ``wrong``, what the target did instead of
    answering as the contract has it."""

    name: str
    found: WalkContinuity | None = None
    wrong: Told = ()


class WalksHeld(msgspec.Struct, frozen=True, kw_only=True):
    """The walks of a real case, as both sides hold them together; ``both`` of them were on the API for a while."""

    id: str
    clients: int
    found: WalkContinuity | None = None
    wrong: Told = ()
    both: int = 0


class FlagProofDetails(msgspec.Struct, kw_only=True):
    """The facts of a run."""

    switches: list[Switch] = []
    stories: list[Story] = []
    walks: list[WalksHeld] = []
