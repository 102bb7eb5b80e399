"""The least rehearsal, for tests of what conducts, judges and compares: it asks an empty stack how many rows it tells."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import msgspec

from harness.model.judgement import Judgement, Verdict
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.section import Row, Section, Table
from harness.rules.rule import Fact, FactsOf, Rule, RuleLine
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds


class StandInPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``at_least`` rows are promised within ``within_s`` seconds."""

    name: str = "stand_in"
    title: str = "A stack that tells rows"
    at_least: int = 1
    within_s: float = 5.0


class StandInDetails(msgspec.Struct, kw_only=True):
    """How many rows came."""

    rows: int | None = None


class StandIn(Rehearsal[StandInPlan, StandInDetails]):
    """The rehearsal."""

    name, plan, details = "stand_in", StandInPlan, StandInDetails
    rules = MappingProxyType({"stand_in.rows": Rule(decided_by=(RuleLine(fact="rows", at_least="plan.at_least"),))})

    def claims(self, plan: StandInPlan) -> Iterable[tuple[str, str]]:
        return [("", "stand_in.rows")] if plan.at_least else []

    def stack_spec(self, plan: StandInPlan, options: Options, manifests: Manifests) -> StackNeeds:
        return StackNeeds(manifests=manifests)

    async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
        await on.up()
        end_ns = on.clock.now_ns() + round(plan.within_s * 1e9)
        while (on.details.rows or 0) < plan.at_least and on.clock.now_ns() < end_ns:
            await on.clock.sleep(0.01)
            on.details.rows = sum(each.kind == "component" for each in on.evidence.events)

    def by_rules(
        self, plan: StandInPlan, seen: RunRecord[StandInDetails], part: str | None = None
    ) -> Iterable[Judgement]:
        _ = part
        return self.judge(plan, seen)

    def judge(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Judgement]:
        if (rows := seen.details.rows) is not None:
            told = message("{count} rows came", count=str(rows))
            verdict = Verdict.PASS if rows >= plan.at_least else Verdict.FAIL
            yield Judgement(
                id="stand_in.rows", claim="stand_in.rows", verdict=verdict, told=(told,),
                value=rows, limit=plan.at_least, samples=rows,
            )  # fmt: skip

    def sections(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Section]:
        rows = tuple(Row(cells=(each.subject, each.message)) for each in seen.evidence.events)
        yield Table(title=message("Rows"), heads=(message("Subject"), message("What happened")), rows=rows)

    def measured(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Fact]:
        if (rows := seen.details.rows) is not None:
            yield FactsOf({"rows": "{seen} rows came"})("rows", rows, low=rows, high=rows)


REHEARSAL = StandIn()
