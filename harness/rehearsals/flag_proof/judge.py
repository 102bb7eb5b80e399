"""The flag's proof, judged: how long clients took to change sides, and whether every walk survived it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.units import Unit
from harness.checks.walk_continuity import Continuity
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.flag_proof.types import FlagPlan, FlagProofDetails, Story, Switch, WalksHeld

VIRTUAL, REAL = "virtual", "real"
MOVED, COPIED, ROLLED_BACK = "moved_without_a_copy", "moved_after_a_copy", "rolled_back"
NEW_ONLY, AGAIN = "flipped_on_in_mid_walk.new_locations_only", "flipped_on_in_mid_walk.unconfirmed_locations_again"
CLAIM_WALKS = "flag.factory"
#: Each story's claim, and the erratum by which it loses walks.
STORIES = {
    MOVED: ("dual_write.method", "dual_write.one_way"),
    COPIED: ("dual_write.method", ""),
    ROLLED_BACK: ("dual_write.diagram", ""),
    NEW_ONLY: (CLAIM_WALKS, "flag.side_flips_in_mid_walk"),
    AGAIN: (CLAIM_WALKS, ""),
}
#: A walk read over HTTP and one read in Firestore, each after the adapter's mapping.
ADAPTED = dict.fromkeys((COPIED, ROLLED_BACK), ("api.adapter", "api.identical"))


def judged(plan: FlagPlan, details: FlagProofDetails) -> Iterator[Judgement]:
    """All cases."""
    for switch in details.switches:
        yield switched(plan.claim, switch)
    yield from (told(story) for story in details.stories if story.found or story.wrong)
    yield from (held(walks) for walks in details.walks if walks.found or walks.wrong)


def switched(claim: str, switch: Switch) -> Judgement:
    """Beyond the rule's bound fails whatever was expected: the rule is then wrong. An erratum by which the document's
    limit is not kept, and that does not show itself, is a failure too.
    """
    verdict, reasons = _within(switch)
    shown = verdict is Verdict.ERRATUM_SHOWN
    return Judgement(
        id=switch.id,
        part=switch.mode,
        claim=claim,
        verdict=verdict,
        told=(*_counted(switch), *reasons),
        value=switch.last_s,
        limit=switch.bound_s if switch.limit_s is None else switch.limit_s,
        unit=Unit.SECONDS,
        samples=switch.clients,
        erratum=switch.late if shown else "",
    )


def _counted(switch: Switch) -> Iterator[Message]:
    counts = {"switched": str(switch.switched), "clients": str(switch.clients)}
    yield message("{switched} of {clients} clients switched", **counts)
    if switch.last_s is not None:
        yield message("the last after {seconds} s", seconds=f"{switch.last_s:.1f}")


def _within(switch: Switch) -> tuple[Verdict, Told]:
    last, limit = switch.last_s, switch.limit_s
    rule = message("the rule's bound is {bound} s", bound=f"{switch.bound_s:.1f}")
    if last is None or switch.switched != switch.clients or last > switch.bound_s:
        return Verdict.FAIL, (rule,)
    if limit is None:
        within = message("within the rule's bound of {bound} s (times are scaled)", bound=f"{switch.bound_s:.1f}")
        return Verdict.PASS, (within,)
    allowed = message("the document allows {limit} s", limit=f"{limit:g}")
    if not switch.late:
        return Verdict.PASS if last <= limit else Verdict.FAIL, (allowed, rule)
    if last > limit:
        return Verdict.ERRATUM_SHOWN, (allowed,)
    return Verdict.FAIL, (allowed, _missed(switch.late))


def _missed(erratum: str) -> Message:
    return message("the erratum {erratum} was to be seen, and was not", erratum=erratum)


def told(story: Story) -> Judgement:
    """A story on real parts: as the register says it ends, or not."""
    claim, erratum = STORIES[story.name]
    verdict, reasons = Verdict.FAIL, story.wrong
    if story.found is not None:
        reasons = story.found.told
        if _as_told(story.name, story.found):
            verdict = Verdict.ERRATUM_SHOWN if erratum else Verdict.PASS
        elif erratum:
            reasons = (*reasons, _missed(erratum))
    return Judgement(
        id=f"continuity.{story.name}",
        part=REAL,
        claim=claim,
        also=ADAPTED.get(story.name, ()),
        verdict=verdict,
        told=reasons,
        samples=0 if story.found is None else story.found.walks,
        erratum=erratum if verdict is Verdict.ERRATUM_SHOWN else "",
    )


def _as_told(name: str, found: Continuity) -> bool:
    """Without a copy every walk is missing; an app that sends what is new loses what was before it, and nothing else;
    all others lose nothing."""
    if name == MOVED:
        return len(found.walks_missing) == found.walks
    return _lost_its_begin(found) if name == NEW_ONLY else found.whole


def _lost_its_begin(found: Continuity) -> bool:
    """Whether of one walk the first locations are missing, and just they: what the API acknowledged is there."""
    numbers = sorted(int(name.rpartition("#")[2]) for name in found.locations_missing)
    others = found.walks_missing or found.locations_changed
    return not others and 0 < len(numbers) < found.locations and numbers == [*range(len(numbers))]


def held(walks: WalksHeld) -> Judgement:
    """Every walk of a real case, some of which were on the API."""
    verdict, reasons = Verdict.FAIL, walks.wrong
    if walks.found is not None:
        verdict = Verdict.PASS if walks.found.whole and walks.both else Verdict.FAIL
        count = message("{count} of the walks were on the API for a while", count=str(walks.both))
        reasons = (*walks.found.told, count)
    return Judgement(
        id=walks.id,
        part=REAL,
        claim=CLAIM_WALKS,
        verdict=verdict,
        told=reasons,
        samples=walks.clients,
    )
