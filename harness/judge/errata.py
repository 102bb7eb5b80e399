"""The errata of the document that a run showed, each with what was seen of it. Pure.

Only what was observed is listed: that a run names a claim says nothing of the claim's errata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from harness.judge.scaling import NO_BASE64, Resize
from harness.judge.window import NS
from harness.model.message import Told, message
from harness.model.scaling import Effect, Ran
from harness.model.scenario import Scenario
from harness.model.verdict import CriterionResult, ErratumSeen

_RATE_CLAIM = "rollout.week2.success.request_rate"


class Shows(Protocol):
    """A judged claim; ``erratum`` is the one that its reason shows, "" when none."""

    @property
    def erratum(self) -> str: ...
    @property
    def reason(self) -> str: ...


def errata_seen(judged: Iterable[Shows], observed: Iterable[ErratumSeen] = ()) -> tuple[ErratumSeen, ...]:
    """Each erratum once, by its id, with the first that was seen of it: of what was ``judged``, then ``observed``."""
    found: dict[str, ErratumSeen] = {}
    for each in judged:
        if each.erratum:
            told: Told = getattr(each, "told", ())  # where a finding keeps its reason as messages too
            found.setdefault(each.erratum, ErratumSeen(id=each.erratum, seen=each.reason, told=told))
    for erratum in observed:
        found.setdefault(erratum.id, erratum)
    return tuple(found[name] for name in sorted(found))


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


def of_week(scenario: Scenario, results: Iterable[CriterionResult]) -> tuple[ErratumSeen, ...]:
    """What a week's window showed: of a rate without a margin, where just as many requests are offered as it asks for
    (``--pace 50s``), so that one late request fails it.
    """
    offered = round(scenario.population.flag_on / scenario.population.pace_s, 9)
    return tuple(
        _without_margin(scenario, each, offered)
        for each in results
        if each.claim == _RATE_CLAIM and each.value is not None and offered == each.threshold
    )


def _without_margin(scenario: Scenario, result: CriterionResult, offered: float) -> ErratumSeen:
    told = message(
        "{users} users at one request in {pace} s offer {offered}/s, which is just what is asked for: {came}/s came",
        users=str(scenario.population.flag_on),
        pace=f"{scenario.population.pace_s:g}",
        offered=f"{offered:g}",
        came=f"{result.value or 0.0:.4g}",
    )
    return ErratumSeen(id="rollout.week2.rate_without_margin", seen=str(told), told=(told,))
