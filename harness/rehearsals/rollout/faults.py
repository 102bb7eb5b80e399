"""``--fault KIND=AMOUNT``: what a week's command line injects, beside what its scenario does."""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.errors import BadInput
from harness.base.message import message
from harness.base.planfile import typed
from harness.model.scenario import Scenario
from harness.model.stack import Fault
from scenarios.faults import FaultFile, fault_of, within


def faults(texts: Iterable[str], scenario: Scenario) -> tuple[Fault, ...]:
    """The scenario's own and every ``--fault``; ``BadInput`` also for one that the scenario's window (``--window``)
    does not hold: it would never be, or not for as long.
    """
    given = tuple(texts)
    found = (*scenario.faults, *map(fault, given))
    missed = within(found, scenario.window_s)
    if missed is not None:
        index, why = missed
        own = len(scenario.faults)
        what = f"--fault {given[index - own]!r}" if index >= own else f"faults[{index}] ({found[index]})"
        raise BadInput(
            message("{what}: {why}", what=what, why=why),
            where=message("scenario {name}", name=scenario.name),
            remedy="let it begin earlier, or make the window longer with --window",
        )
    return found


def fault(text: str) -> Fault:
    """A ``--fault`` of the command line; ``BadInput`` names the text and the forms."""
    with typed(f"--fault {text!r}", where="--fault"):
        return fault_of(FaultFile.of_text(text))
