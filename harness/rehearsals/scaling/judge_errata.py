"""The errata that no claim of a part is about, each with what was seen of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.errata import errata_seen
from harness.judge.resizes import Resize
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.verdict import ErratumSeen
from harness.rehearsals.scaling.judge_parts import NO_BASE64
from harness.rehearsals.scaling.types import Effect


def of_effects(effects: Sequence[Effect], resizes: Sequence[Resize]) -> tuple[ErratumSeen, ...]:
    """What the document's two ways to another number of pods showed while an HPA was there.

    The first decision of the autoscaler after a command, and before the next, is held against what was asked for:
    fewer after a rise, or more after a fall, undoes the command.
    """
    ends_ns = [each.at_ns for each in effects[1:]] + [2**63]
    found = [
        each
        for effect, end_ns in zip(effects, ends_ns, strict=True)
        if effect.autoscaler and effect.after_s is not None
        for each in _of_effect(effect, [step for step in resizes if effect.at_ns <= step.at_ns < end_ns])
    ]
    return errata_seen((), found)


def _of_effect(effect: Effect, steps: Sequence[Resize]) -> Iterator[ErratumSeen]:
    came = f"`{effect.command}`: {effect.pods} pods after {effect.after_s:.0f} s, with the HPA"
    if " apply " in effect.command:
        yield ErratumSeen(id="manifest.deployment.replicas_beside_hpa", seen=came)
    if steps and steps[0].size != effect.pods:
        step = steps[0]
        erratum = "scaling.hpa_puts_back" if step.size > effect.pods else "scaling.hpa_takes_back"
        after = f"{(step.at_ns - effect.at_ns) / NS:.0f} s after the command the autoscaler set {step.size}"
        yield ErratumSeen(id=erratum, seen=f"{came}; {after} ({step.reason})")


def of_first_deploy(ran: Ran | None) -> tuple[ErratumSeen, ...]:
    """What ``kubectl apply -f`` of the printed folder said of its Secret."""
    if ran is None:
        return ()
    lines = [line.strip() for line in ran.output.splitlines() if NO_BASE64 in line]
    return (ErratumSeen(id="manifest.secret.placeholders_not_base64", seen=lines[0][-300:]),) if lines else ()
