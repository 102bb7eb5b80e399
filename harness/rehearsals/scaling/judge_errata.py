"""The errata that the document's commands show, each told once where it was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.resizes import Resize, resizes
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message, verbatim
from harness.rehearsals.scaling.facts_commands import NO_BASE64
from harness.rehearsals.scaling.types import Commanded, Effect, Part


def errata(part: Part, did: Commanded, rows: Sequence[EventRow]) -> Iterator[Judgement]:
    """Those of a part, which ended with the last of ``rows``."""
    yield from errata_of_effects(part, did.effects, resizes(rows, did.begun_ns))
    yield from errata_of_first_deploy(part, did.ran.get("apply folder"))


def errata_of_effects(part: Part, effects: Sequence[Effect], steps: Sequence[Resize]) -> Iterator[Judgement]:
    """What the document's two ways to another number of pods showed while an HPA was there, each erratum once.

    The first decision of the autoscaler after a command, and before the next, is held against what was asked for:
    fewer after a rise, or more after a fall, undoes the command. Which of the two it was is told by the command before
    it; where that one's number was not reached it is neither.
    """
    ends_ns = [*(each.at_ns for each in effects[1:]), 2**63][: len(effects)]
    found: dict[str, tuple[Message, ...]] = {}
    for before, effect, end_ns in zip([None, *effects], effects, ends_ns, strict=False):
        if effect.autoscaler and effect.after_s is not None:
            after = [s for s in steps if effect.at_ns <= s.at_ns < end_ns]
            for erratum, told in _of_effect(before, effect, after):
                found.setdefault(erratum, told)
    for erratum, told in found.items():
        yield observation(f"erratum:{erratum}", told, erratum=erratum, part=part.name)


def _went(before: Effect | None, effect: Effect) -> tuple[bool, bool]:
    """Whether it can have been a rise, and a fall."""
    if before is None:
        return True, True
    reached = before.after_s is not None
    return reached and effect.pods > before.pods, reached and effect.pods < before.pods


def _of_effect(
    before: Effect | None, effect: Effect, steps: Sequence[Resize]
) -> Iterator[tuple[str, tuple[Message, ...]]]:
    rose, fell = _went(before, effect)
    came = message(
        "`{command}`: {count} pods after {seconds} s, with the HPA",
        command=effect.command,
        count=str(effect.pods),
        seconds=f"{effect.after_s:.0f}",
    )
    if " apply " in effect.command and fell:
        yield "manifest.deployment.replicas_beside_hpa", (came,)
    step = steps[0] if steps else None
    if step is not None and ((fell and step.size > effect.pods) or (rose and step.size < effect.pods)):
        after = message(
            "{seconds} s after the command the autoscaler set {size} ({reason})",
            seconds=f"{(step.at_ns - effect.at_ns) / NS:.0f}",
            size=str(step.size),
            reason=step.reason,
        )
        yield ("scaling.hpa_puts_back" if step.size > effect.pods else "scaling.hpa_takes_back"), (came, after)


def errata_of_first_deploy(part: Part, ran: Ran | None) -> Iterator[Judgement]:
    """What ``kubectl apply -f`` of the printed folder said of its Secret."""
    lines = [line.strip() for line in ran.output.splitlines() if NO_BASE64 in line] if ran is not None else []
    if lines:
        erratum = "manifest.secret.placeholders_not_base64"
        yield observation(f"erratum:{erratum}", (verbatim(lines[0][-300:]),), erratum=erratum, part=part.name)
