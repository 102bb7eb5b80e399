"""The facts of the flag's proof: how long clients took to change sides, and what of their walks survived it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import takewhile

from harness.base.message import gettext_noop
from harness.checks.walk_continuity import WalkContinuity
from harness.model.message import Told, joined, message
from harness.rehearsals.flag_proof.types import REAL, FlagProofDetails, Switch
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "clients.left": gettext_noop("{seen} of {of} clients did not switch"),
    "switched.last_s": gettext_noop("the last of {of} clients switched after {seen}"),
    "rule.bound_s": gettext_noop("the rule's bound is {seen}"),
    "document.limit_s": gettext_noop("the document allows {seen}"),
    "erratum.after_s": gettext_noop("by the erratum {erratum} the last client switches later than {seen}"),
    "erratum.expected": gettext_noop("{seen} errata were to be seen"),
    "answers.wrong": gettext_noop("{seen} answers or documents were not as the contract has them"),
    "walks.recorded": gettext_noop("{seen} walks were recorded"),
    "walks.missing": gettext_noop("{counts}"),
    "walks.on_the_api": gettext_noop("{seen} of the walks were on the API for a while"),
    "recorded.lost": gettext_noop("{counts}"),
    "begin.lost": gettext_noop("{counts}"),
    "begin.and_more_lost": gettext_noop("of what is missing or changed {seen} are not the begin of the walk"),
}


def facts(details: FlagProofDetails) -> Iterator[Fact]:
    """Of every switch, story, and real case: each is a case of its part."""
    for switch in details.switches:
        yield from _switched(switch)
    for story in details.stories:
        yield from _held(FactsOf(PHRASES, REAL, f"continuity.{story.name}"), story.found, story.wrong)
    for walks in details.walks:
        fact = FactsOf(PHRASES, REAL, walks.id.removeprefix("real.").removesuffix(".walks"))
        yield from _held(fact, walks.found, walks.wrong, of=walks.clients)
        if walks.found is not None:
            yield fact("walks.on_the_api", walks.both)


def _switched(switch: Switch) -> Iterator[Fact]:
    """An erratum of which a case is late is expected to show: the last client then switches after the limit."""
    fact = FactsOf(PHRASES, switch.mode, switch.id.removeprefix(f"{switch.mode}."))
    yield fact("clients.left", switch.clients - switch.switched, of=switch.clients)
    rule = message("the rule's bound is {bound} s", bound=f"{switch.bound_s:.1f}")
    yield fact("switched.last_s", switch.last_s, of=switch.clients, besides=(rule,))
    yield fact("rule.bound_s", switch.bound_s)
    if switch.limit_s is not None:
        yield fact("document.limit_s", switch.limit_s)
        yield fact("erratum.after_s", switch.limit_s if switch.late else -math.inf, erratum=switch.late)
        yield fact("erratum.expected", int(bool(switch.late)), text=(switch.late,))


def _held(fact: FactsOf, found: WalkContinuity | None, wrong: Told, *, of: int | None = None) -> Iterator[Fact]:
    """What the sides hold of the walks that were recorded, or what the target did instead of answering."""
    if found is None and not wrong:
        return
    yield fact("answers.wrong", len(wrong), besides=wrong)
    if found is None:
        return
    of, counts = found.walks if of is None else of, joined(found.told)
    lost = len(found.walks_missing) + len(found.locations_missing) + len(found.locations_changed)
    begin = _begin(found)
    yield fact("walks.recorded", found.walks)
    yield fact("walks.missing", len(found.walks_missing), of=of, counts=counts)
    yield fact("recorded.lost", lost, of=of, counts=counts)
    yield fact("begin.lost", begin, of=of, counts=counts)
    yield fact("begin.and_more_lost", lost - begin)


def _begin(found: WalkContinuity) -> int:
    """How many of the first locations are missing; none where all are: that is no begin."""
    numbers = sorted(int(name.rpartition("#")[2]) for name in found.locations_missing)
    first = sum(1 for _ in takewhile(lambda each: each[0] == each[1], enumerate(numbers)))
    return first if first < found.locations else 0
