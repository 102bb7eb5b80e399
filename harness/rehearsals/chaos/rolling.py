"""``python -m harness rolling_update``: pods replaced under load, with the manifests as they are and with ``graceful``.

A plan of ``chaos``: the first part measures what the document's manifests do; the second has to lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.run.arguments import Paced, Rehearsing, StackOptions
from harness.run.command import Duration, below, option, other_than, within
from harness.run.options import Options

if TYPE_CHECKING:
    from harness.model.scenario import Scenario
    from harness.rehearsals.chaos.types import ChaosPlan

EXPERIMENT = "rolling_update"
#: So many requests and probes without a failure are wanted of the component.
LEAST_CALLS = 3000


def plan_of(scenario: Scenario, *, times: int, least: int) -> ChaosPlan:
    """Both parts, each ``times`` the experiment, with what is expected of it."""
    from harness.rehearsals.chaos import catalogue
    from harness.rehearsals.chaos.rehearsal import AS_WRITTEN, GRACEFUL
    from harness.rehearsals.chaos.steady import steady_criteria
    from harness.rehearsals.chaos.types import ChaosPlan, PlannedExperiment
    from harness.rules.leaving import NO_PRESTOP

    experiment = catalogue.load(EXPERIMENT)
    why = "measured as it is"
    measured = msgspec.structs.replace(experiment.expects, most_failed=1.0, why=why, erratum=NO_PRESTOP)
    strict = msgspec.structs.replace(experiment.expects, most_failed=0.0, least_calls=-(-least // times))
    parts = ((AS_WRITTEN, False, measured), (GRACEFUL, True, strict))
    return ChaosPlan(
        name=EXPERIMENT,
        experiments=tuple(
            PlannedExperiment(
                experiment=msgspec.structs.replace(experiment, expects=expects), part=part, graceful=graceful
            )
            for part, graceful, expects in parts
            for _ in range(times)
        ),
        scenario=scenario,
        criteria=steady_criteria(scenario),
    )


@dataclass(frozen=True, kw_only=True)
class RollingUpdateCommand(Rehearsing, StackOptions, Paced):
    """Pods replaced under load, as written and with `graceful`.

    It compares the bundled overlays. For a folder of your own add the component graceful there, and run
    `chaos --only rolling_update --manifests DIR`.
    """

    name, rehearsal = "rolling_update", "chaos"
    example = "--on local --times 1"

    pace: Duration = option(
        "how often each user sends a request", Duration, default=Duration("10s"), metavar="TIME", less=other_than("10s")
    )
    least_calls: int = option(
        "requests and probes wanted",
        within(1, 1_000_000),
        default=LEAST_CALLS,
        metavar="N",
        own=lambda least: least < LEAST_CALLS,
    )
    times: int = option("how often the pods are replaced twice", within(1, 100), default=2, metavar="N", less=below(2))

    def planned(self) -> ChaosPlan:
        """Both parts, one after the other, on one stack."""
        return plan_of(self.scenario_of(), times=self.times, least=self.least_calls)

    def resolved(self) -> Options:
        """With the bundled overlay, whatever the target's own file names."""
        from harness.stack.environments.choice import overlay

        options = self.placed(self.seed, self.lang, None)
        return msgspec.structs.replace(options, manifests=overlay(options.rung))
