"""From the register and the stored results to one state for each claim. Pure.

No state is good by default. A claim is ready by a verdict under its id alone, of a run that ended as it should, on the
target that is asked for; what fails or is inconclusive anywhere counts against it. Of a rehearsal, plan, environment
and part only the newest run that says anything of the claim counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from harness.base.errors import Exit
from harness.model.claim import Claim
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.result import Result
from harness.model.stack import Capability, Rung
from harness.model.verdict import Verdict
from harness.signoff.types import DAY_S, Asked, Evidence, Run, Standing, State, Stored

#: What decides where judgements differ: what counts against the claim first.
_FIRST = (State.NOT_READY, State.ERRATUM_SHOWN, State.READY, State.NOT_EXERCISED)
#: What a verdict that is not good gives.
_AGAINST = {
    Verdict.FAIL: State.NOT_READY,
    Verdict.INCONCLUSIVE: State.NOT_READY,
    Verdict.NOT_EXERCISED: State.NOT_EXERCISED,
}
#: How a run ends that carried out what it was to; any other ending is a broken run's.
_ENDED = (Exit.OK, Exit.HOLD, Exit.ROLLED_BACK)
_NOT_BUILT = message("not built yet: nothing judges it")
#: So many reasons why results were left out are named.
_MOST_REASONS = 2
_PERSON = message("an opinion or a decision: a person's to sign")
_BUNDLED = message("the claim is about the Go backend, and the target is the bundled Python API")
_UNENFORCED = message("the claim is about speed and size, and CPU and memory limits were not enforced, or were scaled")
_SEEN = message("it was seen, and nothing was judged")


def standings(register: Mapping[str, Claim], stored: Sequence[Stored], asked: Asked) -> tuple[Standing, ...]:
    """Where each claim of the register stands, in its order."""
    reasons = {each.folder: left_out(each.result, asked) for each in stored}
    counted = sorted((each for each in stored if not reasons[each.folder]), key=_started, reverse=True)
    found = _by_claim(register, counted)
    foreign = _by_claim(register, (each for each in stored if reasons[each.folder]))
    why = {name: [reason for each, _ in seen for reason in reasons[each.folder]] for name, seen in foreign.items()}
    return tuple(_standing(claim, _newest(found.get(name, ())), why.get(name, ())) for name, claim in register.items())


def runs(stored: Iterable[Stored], asked: Asked) -> tuple[Run, ...]:
    """The runs as the page lists them, the newest first."""
    found = (
        Run(
            folder=each.folder,
            run_id=each.result.run_id,
            rehearsal=each.result.rehearsal,
            plan=each.result.plan,
            rung=str(each.result.facts.rung),
            target=each.result.facts.target,
            target_digest=each.result.facts.target_digest,
            started_utc=each.result.facts.started_utc,
            age_s=_age_s(each.result, asked),
            replay=each.result.facts.replay,
            exit_status=each.result.exit_status,
            left_out=left_out(each.result, asked),
            broke=broke(each.result),
        )
        for each in stored
    )
    return tuple(sorted(found, key=lambda run: (run.started_utc, run.folder), reverse=True))


def left_out(result: Result, asked: Asked) -> Told:
    """Why nothing of a run counts; () of one that does."""
    return next(((reason,) for reason in _reasons(result, asked)), ())


def _reasons(result: Result, asked: Asked) -> Iterator[Message]:
    facts, age_s = result.facts, _age_s(result, asked)
    if facts.rung is Rung.SIM:
        yield message("simulated: no evidence for a sign-off")
    if facts.target != asked.target:
        yield message("another target: {target}", target=facts.target)
    if asked.digests and not facts.target_digest:
        yield message("it does not say of which program or image it is")
    if asked.digests and facts.target_digest not in asked.digests:
        yield message("another program or image: {digest}", digest=facts.target_digest)
    if result.exit_status is None:
        yield message("it is under way, or was killed before it could report")
    if age_s is None or age_s < 0:
        yield message("its time cannot be: {started}", started=facts.started_utc)
    elif age_s > asked.max_age_s:
        days, most = f"{age_s / DAY_S:.1f}", f"{asked.max_age_s / DAY_S:g}"
        yield message("too old: {days} days, at most {most} count", days=days, most=most)


def broke(result: Result) -> bool:
    """Whether a run did not end as it should: nothing is ready by it, though what it saw fail counts."""
    return bool(result.facts.errors or result.facts.leaks) or result.exit_status not in _ENDED


def blocked(found: Iterable[Standing]) -> bool:
    """Whether anything blocks: a claim that is not ready or was not exercised, or that there are no claims at all."""
    states = [each.state for each in found]
    return not states or any(state.blocks for state in states)


# -- one claim -------------------------------------------------------------------------------------------------------

_Seen = tuple[Stored, Judgement]


def _by_claim(register: Mapping[str, Claim], stored: Iterable[Stored]) -> dict[str, list[_Seen]]:
    """The judgements that bear on each claim, in the order of the runs."""
    owners = {erratum.id: claim.id for claim in register.values() for erratum in claim.errata}
    found: dict[str, list[_Seen]] = {}
    for each in stored:
        for judgement in each.result.judgements:
            named = (*judgement.claims, *([judgement.erratum] if judgement.erratum else []))
            for claim in dict.fromkeys(owners.get(name, name) for name in named):
                found.setdefault(claim, []).append((each, judgement))
    return found


def _newest(seen: Iterable[_Seen]) -> Iterator[_Seen]:
    """Of each rehearsal, plan, environment and part what the newest run said; ``seen`` comes newest first."""
    first: dict[tuple[str, str, str, str], str] = {}
    for each, judgement in seen:
        result = each.result
        key = (result.rehearsal, result.plan, str(result.facts.rung), judgement.part)
        if first.setdefault(key, each.folder) == each.folder:
            yield each, judgement


def _standing(claim: Claim, seen: Iterable[_Seen], reasons: Sequence[Message]) -> Standing:
    """``reasons`` are why what else was seen of it does not count."""
    weighed = sorted((_weighed(claim, *each) for each in seen), key=lambda each: _FIRST.index(each.state))
    came_from = claim.state_from
    if came_from.person:
        return Standing(claim=claim.id, state=State.PERSON, told=(_PERSON,), evidence=tuple(weighed))
    if not weighed:
        told = _missing(came_from.commands, reasons)
        built = bool(came_from.commands)
        return Standing(claim=claim.id, state=State.NOT_EXERCISED, told=told, built=built)
    first = weighed[0]
    told = first.refused or first.judgement.told
    if first.state is State.ERRATUM_SHOWN and first.judgement.seen:
        told = first.judgement.seen
    return Standing(claim=claim.id, state=first.state, told=told, evidence=tuple(weighed))


def _weighed(claim: Claim, each: Stored, judgement: Judgement) -> Evidence:
    """The state that a judgement alone gives the claim."""
    state, refused = _state(claim, each.result, judgement)
    return Evidence(folder=each.folder, state=state, judgement=judgement, refused=refused)


def _state(claim: Claim, result: Result, judgement: Judgement) -> tuple[State, Told]:
    if claim.about_go_backend and (lacking := tuple(_lacking(result))):
        return State.NOT_EXERCISED, lacking
    if not judgement.verdict.good:
        return _AGAINST[judgement.verdict], ()
    if broke(result):
        return State.NOT_READY, _ending(result)
    if judgement.verdict is Verdict.ERRATUM_SHOWN or judgement.erratum in {each.id for each in claim.errata}:
        return State.ERRATUM_SHOWN, ()
    seen_alone = judgement.kind is Kind.OBSERVATION
    return (State.NOT_EXERCISED, (_SEEN, *judgement.told)) if seen_alone else (State.READY, ())


def _ending(result: Result) -> Told:
    """How a run broke: what it said first of it, or what it left."""
    if said := (*result.facts.errors, *result.facts.leaks):
        return (message("the run did not end as it should: {what}", what=said[0].partition("\n")[0]),)
    return (message("the run did not end as it should (exit status {status})", status=str(result.exit_status)),)


def _lacking(result: Result) -> Iterator[Message]:
    """What keeps a run from saying anything of the Go backend's speed and size."""
    if result.facts.target_bundled:
        yield _BUNDLED
    if Capability.CPU_LIMITS not in result.facts.capabilities:
        yield _UNENFORCED


def _missing(commands: Sequence[str], reasons: Sequence[Message]) -> Told:
    """Why there is no evidence: nothing is built, nothing was run, or nothing of what was run counts."""
    if not commands:
        return (_NOT_BUILT,)
    by = ", ".join(commands)
    if not reasons:
        return (message("no result of {commands} says anything of it", commands=by),)
    told = {str(reason): reason for reason in reasons}
    return (message("no result of {commands} that counts", commands=by), *[*told.values()][:_MOST_REASONS])


# -- time ------------------------------------------------------------------------------------------------------------


def _moment(utc: str) -> datetime | None:
    """A UTC time of ISO 8601, ``None`` where it is none."""
    try:
        return datetime.fromisoformat(utc).replace(tzinfo=UTC)
    except ValueError:
        return None


def _age_s(result: Result, asked: Asked) -> float | None:
    started, now = _moment(result.facts.started_utc), _moment(asked.now_utc)
    return None if started is None or now is None else (now - started).total_seconds()


def _started(each: Stored) -> datetime:
    return _moment(each.result.facts.started_utc) or datetime.min.replace(tzinfo=UTC)
