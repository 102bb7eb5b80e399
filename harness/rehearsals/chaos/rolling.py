"""``python -m harness rolling_update``: pods replaced under load, with the manifests as they are and with ``graceful``.

A plan of ``chaos``: the first part measures what the document's manifests do; the second has to lose nothing.
"""

from __future__ import annotations

import argparse

import msgspec

from harness.base.clock import MachineClock
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.model.scenario import Scenario
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.types import ChaosPlan, PlannedExperiment

EXPERIMENT = "rolling_update"
#: What the failures of the first part show.
ERRATUM = "deploy.downtime_without_prestop"
#: So many requests and probes without a failure are wanted of the component.
LEAST_CALLS = 3000
_PACE = "10s"
_TIMES = 2


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run; 500 users at one request in 10 s unless ``--pace`` says otherwise."""
    command.add_argument("--least", type=int, default=LEAST_CALLS, help="requests and probes wanted (default: 3000)")
    command.add_argument("--times", type=int, default=_TIMES, help="how often the pods are replaced twice (default: 2)")


def plan_of(scenario: Scenario, *, times: int, least: int) -> ChaosPlan:
    """Both parts, each ``times`` the experiment, with what is expected of it."""
    from chaos import catalogue
    from harness.rehearsals.chaos.rehearsal import AS_WRITTEN, GRACEFUL

    experiment = catalogue.load(EXPERIMENT)
    why = "measured as it is"
    measured = msgspec.structs.replace(experiment.expects, most_failed=1.0, why=why, erratum=ERRATUM)
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
        only_pods=True,
    )


def run(arguments: argparse.Namespace) -> int:
    """Both parts, one after the other, on one stack. Raises ``BadInput`` for what was typed."""
    from harness.rehearsal.arguments import first_line, options_of, scenario_of
    from harness.stack.rungs import overlay

    arguments.pace = arguments.pace or _PACE
    if arguments.manifests is not None:
        remedy = "add the component graceful to your folder, and run `chaos --only rolling_update --manifests DIR`"
        raise BadInput("rolling_update compares the bundled overlays, with the component and without", remedy=remedy)
    for name, value in (("--least", arguments.least), ("--times", arguments.times)):
        if value < 1:
            raise BadInput(f"{name} {value} is below 1")
    options = options_of(
        arguments, own=[*_word("--least", arguments.least, LEAST_CALLS), *_word("--times", arguments.times, _TIMES)]
    )
    options = msgspec.structs.replace(options, manifests=overlay(options.rung))
    plan = plan_of(scenario_of(arguments), times=arguments.times, least=arguments.least)
    clock = MachineClock()
    progress = Progress(clock)
    progress.plain(first_line(options))
    return carry_out("chaos", plan, options, clock, progress, as_json=arguments.json)


def _word(name: str, value: int, default: int) -> list[str]:
    return [] if value == default else [name, str(value)]
