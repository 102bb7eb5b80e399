"""``--fault KIND=AMOUNT``: what a week's command line plants."""

from __future__ import annotations

from collections.abc import Iterable

from harness.base import units
from harness.base.errors import BadInput
from harness.model.scenario import Scenario
from harness.model.stack import GATE_FAULTS, Fault, FaultKind

#: The faults that a week's run takes; the others belong to the experiments of ``chaos/``.
PLAIN_FAULTS = GATE_FAULTS | {FaultKind.POD_CRASH}
FAULT_FORMS = "errors=12%, latency=600ms, latency=600ms:10%, unavailable=100%, each with @30s to begin later"


def faults(texts: Iterable[str], scenario: Scenario) -> tuple[Fault, ...]:
    """Every ``--fault``; ``BadInput`` also for one that would begin after the scenario's window: it would never be."""
    planned = {text: fault(text) for text in texts}
    for text, plan in planned.items():
        if plan.after_s >= scenario.window_s:
            raise BadInput(
                f"--fault {text!r}: it begins {plan.after_s:g} s into a window of {scenario.window_s:g} s",
                where=f"scenario {scenario.name}",
                remedy="let it begin earlier, or make the window longer with --window",
            )
    return tuple(fault(text) for text in texts)


def fault(text: str) -> Fault:
    """A ``--fault`` of the command line; ``BadInput`` names the text and the forms."""
    try:
        head, _, after = text.partition("@")
        name, sign, amount = head.partition("=")
        kind = FaultKind(name)
        if kind not in PLAIN_FAULTS:
            raise BadInput(f"--fault {text!r}: {name} is an experiment", remedy="run it with `python -m harness chaos`")
        after_s = units.seconds(after) if after else 0.0
        if kind is FaultKind.LATENCY:
            delay, _, share = amount.partition(":")
            delay_ms = units.quantity(delay, units.Unit.MILLISECONDS)
            return Fault(kind=kind, delay_ms=delay_ms, share=units.ratio(share) if share else 1.0, after_s=after_s)
        if not sign:
            return Fault(kind=kind, after_s=after_s)
        return Fault(kind=kind, share=units.ratio(amount), after_s=after_s)
    except ValueError as error:
        raise BadInput(f"--fault {text!r}: {error}", remedy=f"the forms are: {FAULT_FORMS}") from error
