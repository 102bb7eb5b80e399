"""What ``run.json`` says of a run's plan, what it did not exercise, and the closing words on the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from harness.judge.chance import false_roll_backs
from harness.judge.errata import errata_seen
from harness.manifests.honour import not_honoured_by_processes
from harness.model.errors import Interrupted, RehearsalError
from harness.model.manifests import Manifests
from harness.model.message import Message, Told, english, message, verbatim
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.model.stack import Capability, Rung
from harness.model.verdict import CheckResult, CriterionResult, ErratumSeen
from harness.options import RunOptions
from harness.report import words
from harness.report.language import ENGLISH, Language, padded


def plan_facts(
    options: RunOptions, manifests: Manifests, window_errata: tuple[ErratumSeen, ...] = ()
) -> dict[str, Any]:
    """The fields of ``Run`` that follow from the plan; the errata of its patches and of the window together."""
    seen = errata_seen((), (*patch_errata(manifests), *window_errata))
    return {
        "scenario": options.scenario.name,
        "title": options.scenario.title,
        "claims": options.scenario.claims,
        "rung": options.rung,
        "target": options.target.name,
        "target_bundled": options.target.bundled,
        "seed": options.seed,
        "replay": options.replay,
        "rung_changes": tuple(_rung_changes(options, manifests)),
        "errata": tuple(each.id for each in seen),
        "errata_seen": seen,
        "false_roll_backs": false_roll_backs(options.scenario),
        "missing_manifests": missing_manifests(manifests),
        **manifest_facts(manifests),
    }


def manifest_facts(manifests: Manifests) -> dict[str, Any]:
    """What every report says of the manifests: the environment, and what the layers below a rung's own change."""
    below = [patch for patch in manifests.patches if not patch.forced]
    return {
        "environment": _environment(manifests),
        "manifest_changes": tuple(f"{patch.name}: {patch.reason}" for patch in below),
    }


def _environment(manifests: Manifests) -> str:
    """What the target is told to be."""
    first = manifests.deployment.template.containers[0]
    return next((each.value for each in first.env if each.name == "ENVIRONMENT"), "")


#: The kinds of the seven files that Phase 2 requires (Kubernetes構成, manifest.phase2_required).
_PHASE_2 = (
    "Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip


def missing_manifests(manifests: Manifests) -> tuple[str, ...]:
    """The kinds of the seven that the folder of ``manifests`` does not have, whatever stands in for them."""
    kinds = {key.partition("/")[0] for key in manifests.written}
    return tuple(kind for kind in _PHASE_2 if kind not in kinds)


def patch_errata(manifests: Manifests) -> tuple[ErratumSeen, ...]:
    """The errata that patches mend: what is seen of each is that the manifests were applied with its patch, and why."""
    seen: dict[str, list[Message]] = {}
    for patch in manifests.patches:
        if patch.erratum:
            why = Message(text=patch.reason)
            told = message("the manifests were applied with the patch {name}: {why}", name=patch.name, why=why)
            seen.setdefault(patch.erratum, []).append(told)
    return tuple(ErratumSeen(id=each, seen=english(tuple(seen[each])), told=tuple(seen[each])) for each in sorted(seen))


def _rung_changes(options: RunOptions, manifests: Manifests) -> Iterator[str]:
    """What the rung forced upon the manifests, and what of them it does not honour."""
    yield from (f"{patch.name}: {patch.reason}" for patch in manifests.patches if patch.forced)
    if options.rung is Rung.LOCAL:
        yield from (f"not honoured: {line}" for line in not_honoured_by_processes(manifests))


def not_exercised(scenario: Scenario, capabilities: frozenset[Capability]) -> dict[str, Message]:
    """The criteria whose needs the rung lacks, each with the reason."""
    reasons = {}
    for criterion in scenario.criteria:
        lacking = sorted(set(criterion.needs) - {str(capability) for capability in capabilities})
        if lacking:
            reasons[criterion.id] = words.lacking_words(lacking)
    return reasons


def reasons_told(result: CriterionResult | CheckResult) -> Told:
    """Why a criterion or a check is what it is, beginning with its id."""
    first, *more = result.told or (verbatim(result.reason),)
    return (message("{what}: {why}", what=result.id, why=first), *more)


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what failed at once, what a person should be told: an error with a remedy before any other."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [failures]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            flat.append(error)
    for kind in (RehearsalError, Exception, asyncio.CancelledError):
        for error in flat:
            if isinstance(error, kind):
                return error
    return flat[0] if flat else Interrupted("the run was interrupted")


def conclusion(run: Run, folder: str, say: Language = ENGLISH) -> str:
    """The closing lines: the decision, each criterion, what broke, where the report lies."""
    decision = str(run.decision) if run.decision else message("none: the run did not finish")
    if run.decision and say is not ENGLISH:
        decision = say(words.DECISION[run.decision])
    lines = [say("decision: {decision}", decision=decision)]
    lines += [_criterion_line(result, say) for result in run.criteria]
    lines += [_check_line(check, say) for check in run.checks]
    if run.switch_over is not None:
        lines.append(f"  {words.switch_words(run.switch_over, say)}")
    lines += [f"  LEAK {leak}" for leak in run.leaks]
    lines += [say("error: {error}", error=error) for error in run.errors]
    timings = say.listed(f"{words.timing_words(name, say)} {value:.1f} s" for name, value in run.timings.items())
    lines.append(say("timings: {timings}", timings=timings))
    lines.append(words.report_line(folder, run.exit_status, say))
    return "\n".join(lines)


def _check_line(check: CheckResult, say: Language) -> str:
    verdict, kind = say(words.VERDICT[check.verdict]), say("check")
    what = f"{words.check_word(check, say)} ({check.id})"
    return f"  {padded(verdict, 13)} {padded(kind, 17)} {what}: {words.reason_words(check, say)}"


def _criterion_line(result: CriterionResult, say: Language) -> str:
    value = say.amount(result.value, result.unit) if result.value is not None else say("no data")
    verdict, kind = words.verdict_word(result, say), say(words.KIND[result.kind])
    rule, reason = words.rule_words(result, say), words.reason_words(result, say)
    return f"  {padded(verdict, 13)} {padded(kind, 17)} {rule}: {value}; {reason}"
