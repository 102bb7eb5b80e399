"""From the register and the stored results to one state for each claim. Pure.

No state is good by default. A claim is ready by a verdict under its id alone, of a run that counts (``counting``); what
fails or is inconclusive in any of them counts against it, and so does a check that held its run unmade. Of a rehearsal,
plan, environment, part and, where a team may have one of its own, migrator or prices only the newest whole run that
says anything of the claim counts, and what narrower ones saw since: one takes the place of what it looked at whole
itself, of what it saw of less only that of a run narrowed alike. None takes the place of anything by what it did not
exercise, nor of what a team's own manifests showed by the bundled ones. That a smaller one's sample carries nothing is
not against what a whole one's did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.model.claim import Claim, StateFrom
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.result import Result
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.signoff import counting
from harness.signoff.smaller import MANIFESTS
from harness.signoff.types import Asked, Evidence, Run, Standing, State, Stored

#: What decides where judgements differ: what counts against the claim first.
_FIRST = (State.NOT_READY, State.ERRATUM_SHOWN, State.READY, State.NOT_EXERCISED)
#: What a verdict that is not good gives.
_AGAINST = {
    Verdict.FAIL: State.NOT_READY,
    Verdict.INCONCLUSIVE: State.NOT_READY,
    Verdict.NOT_EXERCISED: State.NOT_EXERCISED,
}
#: So many reasons why results were left out are named.
_MOST_REASONS = 2
_PERSON = message("an opinion or a decision: a person's to sign")
_BUNDLED = message("the claim is about the Go backend, and the target is the bundled Python API")
_UNENFORCED = message("the claim is about speed and size, and CPU and memory limits were not enforced, or were scaled")
_SEEN = message("it was seen, and nothing was judged")
_LESS = message("inconclusive of less than a whole run, which judged it")


def standings(register: Mapping[str, Claim], stored: Sequence[Stored], asked: Asked) -> tuple[Standing, ...]:
    """Where each claim of the register stands, in its order."""
    whole = {each.folder: counting.left_out(each.result, asked) for each in stored}
    found = _by_claim(register, sorted(stored, key=_started, reverse=True))

    def standing(claim: Claim) -> Standing:
        seen = [(each, whole[each[0].folder] or counting.aside(each[0].result, claim.id)) for each in found[claim.id]]
        reasons = [why[0] for _, why in seen if why]
        return _standing(claim, _newest((each for each, why in seen if not why), claim.state_from), reasons)

    return tuple(map(standing, register.values()))


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
            age_s=counting.age_s(each.result, asked),
            replay=each.result.facts.replay,
            exit_status=each.result.exit_status,
            left_out=counting.left_out(each.result, asked),
            limits=(*counting.limits(each.result), *counting.gone(each)),
            judged_by=counting.judged_by(each.result, asked),
            broke=bool(counting.broken(each.result)),
        )
        for each in stored
    )
    return tuple(sorted(found, key=lambda run: (run.started_utc, run.folder), reverse=True))


def blocked(found: Iterable[Standing]) -> bool:
    """Whether anything blocks: a claim that is not ready or was not exercised, or that there are no claims at all."""
    states = [each.state for each in found]
    return not states or any(state.blocks for state in states)


# -- one claim -------------------------------------------------------------------------------------------------------

_Seen = tuple[Stored, Judgement]
_Place = tuple[Any, ...]  # whose it was comes first
_Places = tuple[_Place, _Place, _Place]


def _by_claim(register: Mapping[str, Claim], stored: Iterable[Stored]) -> defaultdict[str, list[_Seen]]:
    """The judgements that bear on each claim, in the order of the runs."""
    owners = {erratum.id: claim.id for claim in register.values() for erratum in claim.errata}
    found: defaultdict[str, list[_Seen]] = defaultdict(list)
    for each in stored:
        for judgement in each.result.judgements:
            named = (*judgement.claims, *([judgement.erratum] if judgement.erratum else []))
            for claim in dict.fromkeys(owners.get(name, name) for name in named):
                found[claim].append((each, judgement))
    return found


def _newest(seen: Iterable[_Seen], way: StateFrom) -> Iterator[_Seen]:
    """Of each rehearsal, plan, environment and part what the newest run said, with faults and without, and of a check
    that it did not exercise what the one before did; ``seen`` comes newest first, and is of a claim of that ``way``. A
    run that was narrowed says so by the id of each judgement, and leaves the others as they were."""
    first: dict[_Place, str] = {}
    unseen: set[_Place] = set()  # the checks that a whole run did not exercise, though it judged others of their part
    for each, judgement in seen:
        whole, alone, _ = places = _places(each.result, judgement)
        taken = {place for place in places if first.get(place, each.folder) != each.folder}
        exercised = judgement.verdict is not Verdict.NOT_EXERCISED
        if taken and not (exercised and alone in unseen and taken == {whole}):
            continue
        for place in _taken(each.result, judgement, way, places):
            first.setdefault(place, each.folder)
        if not exercised and not counting.narrowed(each.result):
            unseen.update(_with_bundled((alone,)))
        yield each, judgement


def _places(result: Result, judgement: Judgement) -> _Places:
    """Where a judgement stands: its part; in it, its id; of that, what was seen by runs narrowed to the same names. A
    part that is only a number is the experiment's place in that run's plan: the id says which experiment it is. What a
    team has in the place of what is bundled has places of its own."""
    facts, numbered = result.facts, judgement.part.isdecimal()
    part = ("", judgement.id) if numbered else (judgement.part,)
    whole = (counting.whose(result), result.rehearsal, result.plan, facts.rung, bool(facts.injected), part)
    alone = (*whole, judgement.id)
    return whole, alone, (*alone, counting.narrowed(result))


def _taken(result: Result, judgement: Judgement, way: StateFrom, places: _Places) -> tuple[_Place, ...]:
    """The places that a judgement takes from older ones. What a run did not exercise says nothing of what another
    did: a failure stands until something was judged anew."""
    whole, alone, alike = places
    if judgement.verdict is Verdict.NOT_EXERCISED:
        return ()
    if not counting.narrowed(result):
        return _with_bundled((whole, alone))
    return _with_bundled((alone if counting.made_whole(result, judgement, way) else alike,))


def _with_bundled(places: tuple[_Place, ...]) -> tuple[_Place, ...]:
    """The places, and of a run by a team's own manifests those of one by the bundled ones."""
    return (*places, *((whose - {MANIFESTS}, *rest) for whose, *rest in places if MANIFESTS in whose))


def _standing(claim: Claim, seen: Iterable[_Seen], reasons: Sequence[Message]) -> Standing:
    """``reasons`` are why what else was seen of it does not count."""
    found = [*seen]
    whole = {_check(*each) for each in found if _carries(*each)}
    weighed = sorted((_weighed(claim, *each, whole) for each in found), key=lambda each: _FIRST.index(each.state))
    came_from = claim.state_from
    if came_from.person:
        return Standing(claim=claim.id, state=State.PERSON, told=(_PERSON,), evidence=tuple(weighed))
    if not weighed:
        told = _missing(came_from.commands, reasons)
        return Standing(claim=claim.id, state=State.NOT_EXERCISED, told=told)
    first = next(_unlooked(weighed), weighed[0]) if weighed[0].state is State.READY else weighed[0]
    told = first.refused or first.judgement.told
    if first.state is State.ERRATUM_SHOWN and first.judgement.seen:
        told = first.judgement.seen
    return Standing(claim=claim.id, state=first.state, told=told, evidence=tuple(weighed))


def _unlooked(weighed: Sequence[Evidence]) -> Iterator[Evidence]:
    """The checks that held their run by not having been made, and that none made well: what was not looked at was not
    shown to be well by another check of the claim."""
    made = {each.judgement.id for each in weighed if not each.state.blocks}
    for each in weighed:
        if each.judgement.holds and each.judgement.verdict is Verdict.NOT_EXERCISED and each.judgement.id not in made:
            yield each


def _check(each: Stored, judgement: Judgement) -> _Place:
    """What was judged, whichever run judged it."""
    return _places(each.result, judgement)[1]


def _carries(each: Stored, judgement: Judgement) -> bool:
    """Whether it is the word of a whole run, whose sample carries it."""
    said = judgement.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN)
    return said and not counting.narrowed(each.result)


def _weighed(claim: Claim, each: Stored, judgement: Judgement, whole: Container[_Place]) -> Evidence:
    """The state that a judgement alone gives the claim, beside what ``whole`` runs judged."""
    state, refused = _state(claim, each, judgement)
    small = judgement.verdict is Verdict.INCONCLUSIVE and counting.is_smaller(each.result)
    if state is State.NOT_READY and small and _check(each, judgement) in whole:
        state, refused = State.NOT_EXERCISED, (_LESS, *judgement.told)
    seen = msgspec.structs.replace(judgement, told=(*judgement.told, *counting.seen_with(each.result)))
    return Evidence(folder=each.folder, state=state, judgement=seen, refused=refused)


def _state(claim: Claim, stored: Stored, judgement: Judgement) -> tuple[State, Told]:
    result = stored.result
    if claim.about_go_backend and (lacking := tuple(_lacking(result))):
        return State.NOT_EXERCISED, lacking
    if not judgement.verdict.good:
        return _AGAINST[judgement.verdict], ()
    if why := counting.unproven(stored):
        return State.NOT_READY, why
    if judgement.verdict is Verdict.ERRATUM_SHOWN or judgement.erratum in {each.id for each in claim.errata}:
        return State.ERRATUM_SHOWN, ()
    if judgement.kind is Kind.OBSERVATION:
        return State.NOT_EXERCISED, (_SEEN, *judgement.told)
    why = counting.in_part(result, claim.state_from)
    return (State.NOT_EXERCISED, why) if why else (State.READY, ())


def _lacking(result: Result) -> Iterator[Message]:
    """What keeps a run from saying anything of the Go backend's speed and size."""
    if result.facts.target_bundled:
        yield _BUNDLED
    if Capability.CPU_LIMITS not in result.facts.capabilities:
        yield _UNENFORCED


def _missing(commands: Sequence[str], reasons: Sequence[Message]) -> Told:
    """Why there is no evidence: nothing was run, or nothing of what was run counts."""
    by = ", ".join(commands)
    if not reasons:
        return (message("no result of {commands} says anything of it", commands=by),)
    told = {str(reason): reason for reason in reasons}
    return (message("no result of {commands} that counts", commands=by), *[*told.values()][:_MOST_REASONS])


def _started(each: Stored) -> datetime:
    return counting.started(each.result) or datetime.min.replace(tzinfo=UTC)
