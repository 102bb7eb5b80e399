"""A database password from Secret Manager, rotated under load: the plan as data, and the facts for the judge."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.planfile import once
from harness.base.units import PerSecond, ReadBy, Seconds
from harness.model.parts import PartsDetails
from harness.model.scenario import ACCOUNTS, Arrivals, Step
from harness.model.secrets import SecretSeen, Synced, VolumeTrial
from harness.model.stack import Capability
from harness.rules.register import ClaimOrErratumId

MOST_RATE_PER_S = 50.0  # this is no load test
MOST_LOAD_S = 600.0

#: The name of each trial: the document's volume alone, with a mount and no class, with the template applied first.
ALONE, CLASSLESS, EXISTING = "alone", "classless", "existing"


class RotationPartKind(StrEnum):
    """What a part does."""

    AS_WRITTEN = "as_written"  # the document's volume alone, and with a mount but no class
    START = "start"  # the pods as the component has them
    NAIVE = "naive"  # the role's password changed, the version published, the old sessions ended; restart when synced
    TWO_ROLES = "two_roles"  # the idle role prepared, published, synced, restarted, and the old role revoked


_ROTATES = ReadBy((RotationPartKind.NAIVE, RotationPartKind.TWO_ROLES))


class RotationPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan. Times in seconds.

    ``pods`` is how many fit the machine: CPU requests and limits are scaled by one factor so that they do.
    ``rate_per_s`` requests arrive evenly for ``load_s``, over whatever is done; ``wait_s`` bounds every wait;
    ``watch_s`` is how long a pod that cannot start is watched. ``least_requests`` have to be in evidence.
    """

    name: str
    kind: RotationPartKind
    title: str
    claims: tuple[ClaimOrErratumId, ...]
    needs: tuple[Capability, ...] = (Capability.REAL_KUBERNETES, Capability.NODES)  # the driver is on every node
    pods: Annotated[int, msgspec.Meta(ge=1)] = 6  # two, the surge, and the three that are tried
    rate_per_s: Annotated[PerSecond, _ROTATES] = 10.0
    load_s: Annotated[Seconds, _ROTATES] = 0.0
    wait_s: Annotated[Seconds, _ROTATES] = 120.0
    watch_s: Annotated[Seconds, ReadBy((RotationPartKind.AS_WRITTEN,))] = 30.0
    least_requests: Annotated[int, _ROTATES] = 0

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a rotation without load, or with one that this is not for."""
        loaded = self.kind in _ROTATES.kinds
        if loaded and not (0 < self.rate_per_s <= MOST_RATE_PER_S and 0 < self.load_s <= MOST_LOAD_S):
            raise ValueError(f"a rotation needs a load of at most {MOST_RATE_PER_S:g}/s for {MOST_LOAD_S:g} s")


def step_of(part: RotationPart) -> Step:
    """The part's load."""
    return Step(name=part.name, arrivals=Arrivals.EVEN, seconds=part.load_s, users=ACCOUNTS, rate_per_s=part.rate_per_s)


class RotationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The parts in their order. ``poll_s`` is the driver's rotation poll interval (its own default: 2 min)."""

    name: str
    title: str
    poll_s: Seconds
    parts: Annotated[tuple[RotationPart, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for parts that could not be told apart."""
        once(part.name for part in self.parts)


class RotationCourse(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation's steps in monotonic ns; ``None`` for what was not reached.

    ``begun_ns`` is the first step (the role's password changed, or the idle role prepared). ``files_ns`` and
    ``synced_ns`` are when every pod's file and the Secret had the new version. ``revoked_ns`` is when the old
    credentials had lost every session and every right to a new one. ``loaded_ns`` is the end of the load.
    """

    begun_ns: int
    published_ns: int
    files_ns: int | None = None
    synced_ns: int | None = None
    restarted_ns: int | None = None
    settled_ns: int | None = None
    revoked_ns: int | None = None
    loaded_ns: int | None = None
    sessions_ended: int = 0
    old_refused: bool | None = None
    variables_before_restart: tuple[SecretSeen, ...] = ()
    old_digest: str = ""
    new_digest: str = ""


class AsWritten(msgspec.Struct, frozen=True, kw_only=True, tag="as_written"):
    """What became of the pods that were tried."""

    trials: tuple[VolumeTrial, ...]


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """What ``wanted`` pods had: by pod the version of its files, what each was seen to have, and the Secret, beside the
    version that was published and its password's digest ("" for none)."""

    wanted: int
    versions: dict[str, str]
    seen: tuple[SecretSeen, ...]
    synced: Synced | None
    published: str
    digest: str


class Rotated(msgspec.Struct, frozen=True, kw_only=True, tag="rotated"):
    """A rotation under a load that began at ``origin_ns``."""

    origin_ns: int
    course: RotationCourse


Did = AsWritten | Started | Rotated


class RotationDetails(PartsDetails, kw_only=True):
    """The facts of a run beside its evidence; ``did`` says by part what was done and seen."""

    did: dict[str, Did] = msgspec.field(default_factory=dict)


class RotationPhase(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that were due between two steps. ``name`` is a key of ``sections.PHASE``."""

    name: str
    seconds: float
    requests: int
    failed: int


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation's figures: times in seconds from the publishing; ``None``: not reached."""

    files_after_s: float | None
    synced_after_s: float | None
    settled_after_s: float | None
    revoked_after_s: float | None
    outage_s: float | None
    phases: tuple[RotationPhase, ...]
