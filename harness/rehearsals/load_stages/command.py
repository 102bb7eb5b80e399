"""``python -m harness load_stages``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.model.message import Message, message
from harness.model.scenario import Arrivals
from harness.rehearsals.load_stages.types import MOST_PODS, CapacityStage, InFlightStages, LoadStagesPlan, UsersStage
from harness.run.arguments import OwnPlan, Spread
from harness.run.command import option, within
from harness.run.only import belong, chosen, left_out, only

S = TypeVar("S", UsersStage, CapacityStage, InFlightStages)

_KNEE = "knee"
#: What ``--only`` names beside the knee, by how its requests arrive.
_PARTS = {"users": Arrivals.EVEN, "capacity": Arrivals.POISSON, "in_flight": Arrivals.CLOSED}
#: The parts that alone read an option.
_OF_PART = {"pods": (_KNEE,), "quick": tuple(_PARTS)}


def _counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(within(1, MOST_PODS)(word) for word in text.split(",")))


def _searched(plan: LoadStagesPlan, pods: tuple[int, ...]) -> LoadStagesPlan:
    return msgspec.structs.replace(plan, knee=msgspec.structs.replace(plan.knee, pods=pods))


def _quick(plan: LoadStagesPlan) -> LoadStagesPlan:
    def short(stage: S) -> S:
        return msgspec.structs.replace(stage, window_s=max(4.0, stage.window_s / 10))

    users = msgspec.structs.replace(plan.users, stages=tuple(short(each) for each in plan.users.stages))
    return msgspec.structs.replace(plan, users=users, capacity=short(plan.capacity), in_flight=short(plan.in_flight))


def _lacks_pods(typed: str) -> bool:
    """Whether the knee is not searched for all of the document's numbers of pods."""
    return not {"2", "4", "6", "8", "10"} <= {each.strip() for each in typed.split(",")}


@dataclass(frozen=True, kw_only=True)
class LoadStagesCommand(OwnPlan, Spread):
    """The document's loads, and the knee for each number of pods.

    10 to 500 at once in both readings of the document.
    """

    name = "load_stages"
    example = "--only knee --pods 2,4"

    pods: str | None = option(
        "the knee is searched for these numbers of pods, e.g. 2,10", metavar="N,N", less=_lacks_pods
    )
    only: tuple[str, ...] = only(f"parts of {', '.join((*_PARTS, _KNEE))}")
    quick: bool = option("windows a tenth as long (at least 4 s): a look, not a judgement", default=False, own=bool)

    def unread(self) -> tuple[str, ...]:
        """Those of parts that are left out."""
        return (*super().unread(), *left_out(_OF_PART, chosen(self.only, (*_PARTS, _KNEE))))

    def planned(self) -> LoadStagesPlan:
        plan = msgspec.structs.replace(self.read(LoadStagesPlan), workers=self.workers)
        if plan.accounts % plan.workers:
            told = message("the plan's {accounts} accounts cannot be shared evenly", accounts=str(plan.accounts))
            raise BadInput(told, where=f"--workers {plan.workers}", remedy="name a number that divides them")
        if self.pods is not None:
            try:
                plan = _searched(plan, _counts(self.pods))
            except ValueError as error:
                raise BadInput(said_by(error), where=f"--pods {self.pods}", remedy="for example --pods 2,4") from error
        if self.quick:
            plan = _quick(plan)
        if self.only:
            names = chosen(self.only, (*_PARTS, _KNEE))
            belong(self, _OF_PART)
            arrivals = tuple(each for name, each in _PARTS.items() if name in names)
            plan = msgspec.structs.replace(plan, arrivals=arrivals)
            plan = plan if _KNEE in names else _searched(plan, ())
        return plan

    def said(self, plan: LoadStagesPlan) -> Iterable[Message]:
        total_s = sum(stage.seconds for stage in plan.stages)
        yield message("{count} stages, {seconds} s in all", count=str(len(plan.stages)), seconds=f"{total_s:g}")
        if plan.knee.pods:
            yield message("then the knee of {pods} pods", pods=", ".join(map(str, plan.knee.pods)))
        yield message("{cores} cores for the stack and the load together", cores=str(os.cpu_count()))
