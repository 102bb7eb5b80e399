"""What the sign-off page says, as data: ``signoff.json``."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.base.units import DAY_S
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, marked
from harness.model.result import Result

SCHEMA_VERSION = 1


class State(StrEnum):
    """Where a claim stands: each has exactly one."""

    READY = "ready"
    NOT_READY = "not_ready"
    ERRATUM_SHOWN = "erratum_shown"
    PERSON = "person"  # a person's to decide
    NOT_EXERCISED = "not_exercised"

    @property
    def blocks(self) -> bool:
        """Whether it keeps the document from being signed: not kept, or not shown to be."""
        return self in (State.NOT_READY, State.NOT_EXERCISED)


#: As people read them.
WORD = {
    State.READY: marked("ready"),
    State.NOT_READY: marked("not ready"),
    State.ERRATUM_SHOWN: marked("erratum shown"),
    State.PERSON: marked("a person's to decide"),
    State.NOT_EXERCISED: marked("not exercised"),
}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A stored result; ``folder`` is the run's, relative to the reports folder. ``lost``: why its evidence, or that of
    a run of a sequence, is not what the run wrote; ``None`` where all is there.
    """

    folder: str
    result: Result
    lost: Message | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which evidence counts: of the target of this name and one of ``digests`` (none counts where none is known),
    started at most ``max_age_s`` seconds before ``now_utc`` (ISO 8601). ``harness_digest`` is of the code that would
    make and judge it today, "" where that is not asked.
    """

    target: str
    now_utc: str
    digests: tuple[str, ...] = ()
    max_age_s: float = 7 * DAY_S
    harness_digest: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A judgement that bears on a claim, of the run in ``folder``, and the state that it alone would give. ``refused``
    says why that is not the verdict's own.
    """

    folder: str
    state: State
    judgement: Judgement
    refused: Told = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim, its one state and why. ``evidence`` comes with what decided first."""

    claim: str
    state: State
    told: Told
    evidence: tuple[Evidence, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run that was found. ``age_s`` is ``None`` where its start cannot be read; ``left_out`` says why nothing of it
    counts, () where it does; ``limits`` what it is no evidence of though it counts; ``judged_by`` that it was judged
    by other code than today's. ``broke``: it did not end, or did not measure, as it should, so nothing is ready by it.
    """

    folder: str
    run_id: str
    rehearsal: str
    plan: str
    rung: str
    target: str
    target_digest: str
    started_utc: str
    age_s: float | None
    replay: str
    exit_status: int | None
    left_out: Told = ()
    limits: Told = ()
    judged_by: Told = ()
    broke: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that stands elsewhere than on the last page."""

    claim: str
    before: State
    now: State


class Signoff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole page. ``blocked``: it is not to be signed. ``previous_utc`` is when the last one was made, "" where
    there is none to compare with: one of another target is none; ``other`` is what else than the evidence was another
    then. ``unreadable`` are folders whose result could not be read.
    """

    schema_version: int = SCHEMA_VERSION
    asked: Asked
    blocked: bool
    standings: tuple[Standing, ...]
    runs: tuple[Run, ...]
    unreadable: tuple[str, ...] = ()
    previous_utc: str = ""
    other: Told = ()
    changes: tuple[Change, ...] = ()
