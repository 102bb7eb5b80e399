"""What was observed, as the one document of every run: judged, and beside what the week's rehearsal had said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from harness.base.clock import Anchor, utc
from harness.model.judgement import DECISION, Judgement
from harness.model.message import Message, joined, message
from harness.model.result import Result, RunInfo
from harness.model.scenario import Scenario
from harness.model.section import Pairs, Section, table_of
from harness.model.stack import EnvironmentKind
from harness.report.words import verdict_id
from harness.rules.judged import combine, exit_status
from harness.rules.observed import Gap, Observed, judge_observed

#: The times of telemetry are those of the wall clock.
UNIX = Anchor(monotonic_ns=0, unix_ns=0)


def result_of(
    scenario: Scenario, seen: Observed, before: Result | None, *, source: str, run_id: str, replay: str, now_ns: int
) -> Result:
    """The document of what was ``seen`` in the place of the week's load. ``before``: a rehearsal of that week."""
    judgements = tuple(_beside(each, before) for each in judge_observed(scenario, seen))
    decision = combine(judgements)
    facts = RunInfo(rung=EnvironmentKind.REAL, target=source, target_bundled=False, seed=0, replay=replay, anchor=UNIX,
                    started_utc=utc(UNIX, now_ns), only_looks=True)  # fmt: skip
    return Result(
        rehearsal="observe", plan=scenario.name, title=message("Observed: {week}", week=Message(text=scenario.title)),
        run_id=run_id, decides=True, decision=decision, exit_status=int(exit_status(decision)), facts=facts, parts=(),
        judgements=judgements, sections=tuple(_sections(seen, before)), own_claims=scenario.own_claims,
    )  # fmt: skip


def _beside(judgement: Judgement, before: Result | None) -> Judgement:
    """With what the rehearsal had said of the same criterion."""
    note = message("no rehearsal has judged it")
    for found in (each for each in (before.judgements if before else ()) if each.key == judgement.key):
        verdict = Message(text=verdict_id(found))
        note = message("rehearsed: {verdict}: {why}", verdict=verdict, why=joined(found.told))
    return msgspec.structs.replace(judgement, notes=(note,))


def _sections(seen: Observed, before: Result | None) -> Iterator[Section]:
    rehearsed: Message = message("no run of this week")
    if before is not None:
        rehearsed = message("{run}: {decision}", run=before.run_id, decision=Message(text=DECISION[before.decision]))
    stretch = [utc(UNIX, at_ns) for at_ns in (seen.window.start_ns, seen.window.end_ns)]
    yield Pairs(pairs=((message("Observed"), " – ".join(stretch)), (message("Rehearsed by"), rehearsed)))
    yield table_of(
        message("Answers by status"), zip(*np.unique(seen.requests[["status", "ok"]], return_counts=True), strict=True),
        (message("Status"), lambda of: str(of[0]["status"])), (message("Requests"), lambda of: f"{of[1]:,}"),
        (message("Counted as"), lambda of: message("good") if of[0]["ok"] else message("failed")), numbers=(1,),
    )  # fmt: skip
    yield table_of(
        message("Gaps and resets"), seen.gaps, (message("From"), lambda of: utc(UNIX, of.begin_ns)),
        (message("Until"), lambda of: utc(UNIX, of.end_ns)), (message("What happened"), _gap),
    )  # fmt: skip


def _gap(gap: Gap) -> Message:
    seconds = f"{(gap.end_ns - gap.begin_ns) / 1e9:,.0f}"
    if gap.reset:
        return message("the counters of {instance} began again", instance=gap.reset)
    if gap.lost:
        return message("a gap of {seconds} s: what came in it was not counted", seconds=seconds)
    return message("a gap of {seconds} s: the counters went on, and have what came in it", seconds=seconds)


def line_of(seen: Observed, judgements: Sequence[Judgement]) -> Message:
    """What is said once a minute of what is followed."""
    fired = [each.id for each in judgements if each.fired]
    counts = {"requests": f"{len(seen.requests):,}", "failed": f"{np.count_nonzero(~seen.requests['ok']):,}"}
    state = message("fired: {names}", names=", ".join(fired)) if fired else message("no rollback limit has fired")
    at = utc(UNIX, seen.window.end_ns)
    return message("until {at}: {requests} requests, {failed} failed; {state}", at=at, state=state, **counts)
