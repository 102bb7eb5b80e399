"""The toy: a rehearsal as a reader of the recipe writes it. Probes ask a service, and the facts say what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.data import ROOT
from harness.load.users import Users, UsersPlan
from harness.model.evidence import Window
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds
from tests.rehearsal.toy.facts import PHRASES, facts
from tests.rehearsal.toy.plan import ToyDetails, ToyPlan


class Toy(Rehearsal[ToyPlan, ToyDetails]):
    """The rehearsal, of another document than the bundled one."""

    name = "toy"
    plan, details, phrases = ToyPlan, ToyDetails, PHRASES
    document = ROOT / "tests" / "other_document" / "claims"

    def stack_spec(self, plan: ToyPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """The stack as the manifests have it."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    async def run(self, plan: ToyPlan, on: RunContext[ToyDetails]) -> None:
        """Lets the probes ask."""
        await on.up()
        users = Users(on, UsersPlan(population=plan.population, probes=plan.probes, seed=on.options.seed))
        start_ns = await users.begin()
        on.phase("asking", message("the service is asked"), lasts_s=plan.seconds)
        await on.clock.sleep(plan.seconds)
        window = Window(start_ns=start_ns, end_ns=await users.end())
        on.details.window, on.details.due = window, len(users.probes_due(window))

    def measured(self, plan: ToyPlan, seen: RunRecord[ToyDetails]) -> Iterable[Fact]:
        """From the probes in evidence."""
        _ = plan
        return facts(seen.details, seen.evidence.probes)


REHEARSAL = Toy()
