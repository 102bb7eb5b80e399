"""The soak under way: segment by segment on one stack, each with users whose evidence is kept apart."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil

from harness.base.clock import NS
from harness.load.users import Users, users_of
from harness.model.evidence import DueList, EventRow, SampleRow, Side, Window
from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Part, RunInfo
from harness.model.section import Pairs, Section
from harness.rehearsals.soak.facts import OF_PODS, PHRASES, WHAT, charts, facts
from harness.rehearsals.soak.plan import SegmentSeen, SoakDetails, SoakPlan, SoakSample
from harness.rules.difference import SeriesQuantile
from harness.rules.figures import latencies_ms
from harness.rules.ledger import Ledger, of_plan
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds
from harness.stack.state.lease import run_folder

_MIB = 2**20
_FRESH_S = 60.0  # a sample of a pod that is older is of one that has gone


class Soak(Rehearsal[SoakPlan, SoakDetails]):
    """The rehearsal, about no claim of the document."""

    name = "soak"
    plan, details, phrases = SoakPlan, SoakDetails, PHRASES

    def expected(self, plan: SoakPlan, facts: RunInfo) -> Iterable[Expected]:
        """Of each segment the users and the target's memory, and of the whole all that may grow."""
        _ = facts
        for part in plan.parts:
            yield from (Expected(part.name, id_) for id_ in ("users.errors", "users.p95", "leak.memory.target"))
        yield from (Expected("", what) for what in WHAT)

    def parts(self, plan: SoakPlan, seen: RunRecord[SoakDetails]) -> Sequence[Part]:
        """The segments."""
        took = {each.number: each.seconds for each in seen.details.segments}
        titled = ((number, each.name) for number, each in enumerate(plan.parts, 1))
        return [
            Part(name=name, title=message("Segment {number}", number=str(number)), seconds=took.get(number, 0.0))
            for number, name in titled
        ]

    def stack_spec(self, plan: SoakPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """The stack as the manifests have it."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    async def run(self, plan: SoakPlan, on: RunContext[SoakDetails]) -> None:
        """The segments that are left, on one stack."""
        on.details.soak, on.details.stacks = on.run_id, on.details.stacks + 1
        on.publish()
        looking = Looking(on)
        on.on_event(looking.heed)
        await on.up()
        up_ns = on.clock.now_ns()
        for number, part in [*enumerate(plan.parts, 1)][len(on.details.segments) :]:
            seen = await _segment(plan, number, on, looking, up_ns)
            on.details.segments = (*on.details.segments, seen)
            on.mark(part.name)
            on.part_over(part.name)
            on.publish()

    def measured(self, plan: SoakPlan, seen: RunRecord[SoakDetails]) -> Iterable[Fact]:
        """From what each segment left."""
        return facts(plan, seen.details)

    def sections(self, plan: SoakPlan, seen: RunRecord[SoakDetails]) -> Iterator[Section]:
        """Where it stands, and a chart of each that may grow."""
        done, all_ = len(seen.details.segments), len(plan.parts)
        stands = message("{done} of {all} segments are measured.", done=str(done), all=str(all_))
        if done < all_:
            resume = message("Continue with --resume {rollout}.", rollout=seen.details.soak)
            stands = message("{what} {next}", what=stands, next=resume)
        yield Pairs(pairs=((message("Where it stands"), stands),))
        yield from charts(seen.details)


async def _segment(
    plan: SoakPlan, number: int, on: RunContext[SoakDetails], looking: Looking, up_ns: int
) -> SegmentSeen:
    """One segment: users by a seed of its own, whose walks have other ids than those of the others."""
    part, stack = plan.parts[number - 1], on.details.stacks
    users = Users(on, users_of(plan.scenario, on.options.seed + number), apart=f"{part.name}-stack{stack}")
    start_ns = await users.begin()
    window = Window(start_ns=start_ns, end_ns=start_ns + round(part.seconds * NS))
    said = message("segment {number} of {all}", number=str(number), all=str(len(plan.parts)))
    on.phase("segment", said, lasts_s=part.seconds, name=part.name)
    looks, next_ns = [], start_ns
    while next_ns <= window.end_ns:
        await on.clock.sleep(max(0.0, (next_ns - on.clock.now_ns()) / NS))
        users.evidence.gather()
        looks.append(SoakSample(at_s=round((on.clock.now_ns() - start_ns) / NS, 3), values=await looking.look()))
        next_ns += round(plan.look_s * NS)
    due = await users.answered(window)
    await users.stop()
    for failure in users.evidence.failures():
        raise failure
    up_s = (start_ns - up_ns) / NS
    seen = _seen(users.evidence.ledger, window, due, looks, number=number, stack=stack, up_s=up_s)
    users.forget()
    return seen


def _seen(
    ledger: Ledger, window: Window, due: DueList, looks: Sequence[SoakSample], *, number: int, stack: int, up_s: float
) -> SegmentSeen:
    """What the users met, and what was looked at with the users' p95 between two looks."""
    calls, missing = of_plan(ledger.requests_due(window, Side.API), (each.due_ns for each in due.requests))
    calls = calls[np.argsort(calls["due_ns"], kind="stable")]
    latency, at_s = latencies_ms(calls), (calls["due_ns"] - window.start_ns) / NS
    p95, with_users = SeriesQuantile(latency, 0.95).measured(), [*looks[:1]]
    for before, look in pairwise(looks):
        between = latency[(at_s >= before.at_s) & (at_s < look.at_s)]
        shown = SeriesQuantile(between, 0.95).measured().value
        values = look.values if shown is None else {**look.values, "p95.users": shown}
        with_users.append(SoakSample(at_s=look.at_s, values=values))
    return SegmentSeen(
        number=number, stack=stack, up_s=round(up_s, 3), seconds=window.seconds, due=len(due.requests),
        failed=int(np.count_nonzero(~calls["ok"])), missing=missing, p95_ms=p95.value, p95_low_ms=p95.lower,
        p95_high_ms=p95.upper, looks=tuple(with_users),
    )  # fmt: skip


class Looking:
    """Looks at what may grow: of the harness by its process, of the target by the samples of its pods."""

    def __init__(self, on: RunContext[SoakDetails]) -> None:
        self._on = on
        self._process = psutil.Process()
        self._pods: dict[tuple[str, str], SampleRow] = {}

    def heed(self, row: EventRow | SampleRow) -> None:
        """Keeps the newest sample of each pod."""
        if isinstance(row, SampleRow) and row.metric in OF_PODS:
            self._pods[row.metric, row.subject] = row

    async def look(self) -> dict[str, float]:
        """Now, in MiB and counts; of the pods the one with most. What nobody can tell here is left out."""
        since_ns, found = self._on.clock.now_ns() - round(_FRESH_S * NS), dict[str, float]()
        for row in self._pods.values():
            if row.at_ns >= since_ns and row.value > 0:
                what, unit = OF_PODS[row.metric]
                found[what] = max(found.get(what, 0.0), round(row.value / unit, 3))
        found["memory.harness"] = round(self._process.memory_info().rss / _MIB, 3)
        found["descriptors.harness"] = self._process.num_fds()
        found["connections.harness"] = len(self._process.net_connections("inet"))
        folders = (run_folder(self._on.run_id), self._on.folder)
        found["disk.run"] = round(await asyncio.to_thread(_bytes_in, folders) / _MIB, 3)
        found["disk.free"] = round(shutil.disk_usage(self._on.folder).free / _MIB)
        return found


def _bytes_in(folders: Iterable[Path]) -> int:
    """What the files in ``folders`` take; one that goes meanwhile takes nothing."""
    total = 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


REHEARSAL = Soak()
