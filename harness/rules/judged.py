"""A check's word on what it looked at, as a judgement: exact, without a bound. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.base.errors import BadInput, Exit, more_severe
from harness.base.units import Unit
from harness.model.evidence import EventRow, happened
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.message import Message, Told, gettext_noop, message, raw_text

# What all judgements of a run come to, and the exit status of it: THE rule, of every rehearsal. Pure.
# docs/judging.md, exit status: a rollback limit that fired rolls back; a judgement that gates and is neither a
# pass nor an erratum shown holds; and where nothing was exercised, that is no success.

_EXIT = {Decision.ADVANCE: Exit.OK, Decision.HOLD: Exit.HOLD, Decision.ROLL_BACK: Exit.ROLLED_BACK}


def combine(judgements: Sequence[Judgement]) -> Decision:
    """The decision: roll back, hold, or advance (of a command that is no week: all passed)."""
    if any(each.fired for each in judgements):
        return Decision.ROLL_BACK
    exercised = any(each.exercised for each in judgements)
    if not exercised or any(each.holds for each in judgements):
        return Decision.HOLD
    return Decision.ADVANCE


def exit_status(decision: Decision | None, broke: Iterable[Exit] = (), *, leaks: bool = False) -> Exit:
    """The command's exit status. ``broke`` is what befell the run: then its judgements say nothing of how it ended,
    unless it rolled back first. ``decision`` ``None``: it was never judged."""
    outcomes = list(broke)
    if decision is Decision.ROLL_BACK or not outcomes:
        outcomes.append(Exit.HOLD if decision is None else _EXIT[decision])
    if leaks:
        outcomes.append(Exit.LEAK)
    return more_severe(*outcomes)


#: What each check counts, by its id.
COUNTED = {
    "flag.share": gettext_noop("users with the flag on, as planned"),
    "flag.steady": gettext_noop("users who changed sides without a change of the template"),
    "dual_write.documents": gettext_noop(
        "walks whose Firestore document is missing, left, old, or not as the app reads it"
    ),
    "writes.acknowledged": gettext_noop("acknowledged writes that are not in PostgreSQL"),
    "writes.applied_once": gettext_noop("rows stored more than once"),
    "reads.acknowledged": gettext_noop("answers that lack a write acknowledged before the request"),
    "walks.isolation": gettext_noop("walks of another user that were handed out or changed"),
    "walks.statuses": gettext_noop(
        "answers with another status than the contract's, other users' walks asked for included"
    ),
    "walks.bodies": gettext_noop("answers with another body than the contract's"),
    "pdb.budget": gettext_noop("evictions beyond the disruption budget"),
    "service.new_connections": gettext_noop("new connections to a pod 2 s after it left the endpoints"),
    "flag.off_in_time": gettext_noop("clients still on the API 5 minutes after the flag went off"),
    "storage.photos": gettext_noop("walks whose photos are lost, not their own, or left behind"),
}


#: These gate also where they were not exercised: what was not looked at was not shown to be well.
HELD = frozenset(
    {
        "dual_write.documents", "writes.acknowledged", "writes.applied_once",
        "walks.isolation", "walks.statuses", "walks.bodies",
    }
)  # fmt: skip
#: What a week is judged to besides, where evidence or its plan's faults are lacking.
MEASUREMENT, FAULTS, JUDGED_THEN = "measurement", "faults", "judged_then"
#: Every id that a judgement of a week has by itself: no criterion and no claim of a team's own may have one.
TAKEN = frozenset({*COUNTED, "reads.content", "reads.server_fields", MEASUREMENT, FAULTS, JUDGED_THEN})


def counted(check: str) -> Told:
    """What the check of that id counts, in words."""
    return (Message(text=COUNTED[check]),)


def result(  # noqa: PLR0917 - the fields of the judgement
    check: str, claim: str, verdict: Verdict, flaws: int | None, samples: int, told: Told, unit: Unit = Unit.FLAWS
) -> Judgement:
    """``flaws`` found of ``samples`` looked at, none allowed. What was not exercised holds nothing, but of ``HELD``."""
    return Judgement(
        id=check,
        kind=Kind.CHECK,
        claim=claim,
        verdict=verdict,
        asked=counted(check),
        told=told,
        value=None if flaws is None else float(flaws),
        limit=0.0,
        unit=unit,
        samples=samples,
        gates=verdict is not Verdict.NOT_EXERCISED or check in HELD,
    )


def informational(check: Judgement) -> Judgement:
    """The same, gating nothing."""
    return msgspec.structs.replace(check, gates=False)


def with_examples(told: Told, examples: Iterable[str | Message]) -> Told:
    """What was told, and examples: in words, or as the evidence names them."""
    return (*told, *(each if isinstance(each, Message) else raw_text(each) for each in examples))


CHECK_EVENT = "check"


def event(at_ns: int, check: Judgement) -> EventRow:
    """The check's word as an event of the evidence: what it read in the stores is gone with the stack."""
    return happened(at_ns, CHECK_EVENT, check.id, check.told, {"judgement": msgspec.to_builtins(check)})


def of_event(row: EventRow) -> Judgement:
    """What ``event`` keeps. Raises ``BadInput`` for another harness' event."""
    try:
        check = msgspec.convert(row.data.get("judgement"), Judgement)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(
            message("a check of the evidence cannot be read: {why}", why=str(error)),
            where=f'events, kind "{CHECK_EVENT}", subject "{row.subject}"',
            remedy="it was written by another harness; judge it with that one",
        ) from error
    return msgspec.structs.replace(check, gates=check.gates or check.id in HELD)
