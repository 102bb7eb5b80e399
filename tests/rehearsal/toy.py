"""A rehearsal of some forty lines beside its imports: what a newcomer writes. It asks an empty stack how many rows it
tells."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.judge.difference import Exact
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.section import Row, Section, Table
from harness.model.verdict import Verdict
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.stack.protocol import StackNeeds


class ToyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``at_least`` rows are promised within ``within_s`` seconds."""

    name: str = "toy"
    title: str = "A stack that tells rows"
    at_least: int = 1
    within_s: float = 5.0


class ToyDetails(msgspec.Struct, kw_only=True):
    """How many rows came."""

    rows: int | None = None


class Toy(Rehearsal[ToyPlan, ToyDetails]):
    """The rehearsal."""

    name, plan, details = "toy", ToyPlan, ToyDetails

    def claims(self, plan: ToyPlan) -> Iterable[tuple[str, str]]:
        return [("", "toy.rows")] if plan.at_least else []

    def arrange(self, plan: ToyPlan, options: Options, manifests: Manifests) -> StackNeeds:
        return StackNeeds(manifests=manifests)

    async def run(self, plan: ToyPlan, on: Running[ToyDetails]) -> None:
        await on.up()
        end_ns = on.clock.now_ns() + round(plan.within_s * 1e9)
        while (on.details.rows or 0) < plan.at_least and on.clock.now_ns() < end_ns:
            await on.clock.sleep(0.01)
            on.details.rows = sum(each.kind == "component" for each in on.evidence.events)

    def judge(self, plan: ToyPlan, seen: Seen[ToyDetails]) -> Iterable[Judgement]:
        if (rows := seen.details.rows) is not None:
            told = message("{count} rows came", count=str(rows))
            verdict = Verdict.PASS if rows >= plan.at_least else Verdict.FAIL
            yield Judgement(
                id="toy.rows", claim="toy.rows", verdict=verdict, told=(told,),
                value=rows, limit=plan.at_least, samples=rows,
            )  # fmt: skip

    def sections(self, plan: ToyPlan, seen: Seen[ToyDetails]) -> Iterable[Section]:
        rows = tuple(Row(cells=(each.subject, each.message)) for each in seen.evidence.events)
        yield Table(title=message("Rows"), heads=(message("Subject"), message("What happened")), rows=rows)

    def figures(self, plan: ToyPlan, seen: Seen[ToyDetails]) -> Iterable[Figure]:
        yield Figure("rows", "", "better", Exact(seen.details.rows), gates=True)


REHEARSAL = Toy()
