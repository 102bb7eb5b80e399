"""The plan of the toy, what a run of it leaves, and its command."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from harness.model.evidence import Window
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.run.arguments import Simulable


class ToyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Probes ask the service for ``seconds``; ``least`` of them have to be in evidence. ``pods`` stand behind it."""

    name: str = "toy"
    title: str = "A service that is asked"
    claims: tuple[str, ...] = ("service.answers", "service.every_pod", "service.at_once")
    seconds: float = 5.0
    least: int = 40
    pods: int = 2
    probes: ProbePlan = ProbePlan()
    population: PopulationPlan = PopulationPlan(audiences=(AudiencePlan(name="all", users=1, flag_on=1),))


class ToyDetails(msgspec.Struct, kw_only=True):
    """When the probes were sent, and how many were due then; ``None`` of a run that did not come to the end."""

    window: Window | None = None
    due: int = 0


@dataclass(frozen=True, kw_only=True)
class Toy(Simulable):
    """A service that is asked for a while.

    Probes ask every pod; each answer is to be good.
    """

    name = "toy"
    example = "--on sim"

    def planned(self) -> ToyPlan:
        return ToyPlan()
