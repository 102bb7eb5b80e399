"""A week of the document's staged rollout: its users on the API for a window, judged, advanced, held or rolled back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.result import Facts
from harness.model.scenario import Scenario
from harness.model.section import Section
from harness.model.stack import PROXY_FAULTS, Capability
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.figures import window_figures
from harness.rehearsals.rollout.judge import beside, deciding, judged_week
from harness.rehearsals.rollout.sections import week_sections
from harness.rehearsals.rollout.under_way import Week
from harness.stack.protocol import StackNeeds


class RolloutWeek(Rehearsal[Scenario, WeekDetails]):
    """The rehearsal; its plan is a scenario."""

    name, decides = "rollout_week", True
    plan, details = Scenario, WeekDetails

    def expected(self, plan: Scenario, facts: Facts) -> Iterable[Expected]:
        """What it is decided by, and what is told beside."""
        return (*deciding(plan), *beside(plan, facts.capabilities))

    def needs(self, plan: Scenario) -> Mapping[str, Iterable[Capability]]:
        """What its faults are done with."""
        return {"": (Capability.POD_SIGNALS,) if {each.kind for each in plan.faults} - PROXY_FAULTS else ()}

    def arrange(self, plan: Scenario, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack as the manifests have it, with a place for faults where the plan has any."""
        _ = options
        return StackNeeds(manifests=manifests, fault_proxy=any(each.kind in PROXY_FAULTS for each in plan.faults))

    async def run(self, plan: Scenario, on: Running[WeekDetails]) -> None:
        """Holds the window, decides, and carries out the roll back."""
        await Week(plan, on).run()

    def judge(self, plan: Scenario, seen: Seen[WeekDetails]) -> Iterable[Judgement]:
        """The criteria as of the moment at which the run decided, and the checks."""
        return judged_week(plan, seen)

    def sections(self, plan: Scenario, seen: Seen[WeekDetails]) -> Iterable[Section]:
        """The window's figures, the switch back, the course, the events."""
        return week_sections(plan, seen)

    def figures(self, plan: Scenario, seen: Seen[WeekDetails]) -> Iterable[Figure]:
        """Every figure of the window."""
        return window_figures(plan, seen)


REHEARSAL = RolloutWeek()
