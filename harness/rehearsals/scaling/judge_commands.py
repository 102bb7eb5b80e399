"""The document's kubectl commands, and the errata that they show. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.checks.as_printed import PHASE_2
from harness.judge.claimed import held, seconds, shown_as, unknown
from harness.judge.resizes import Resize, resizes
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message, verbatim
from harness.rehearsals.scaling.judge_sizes import shown_s
from harness.rehearsals.scaling.types import Commanded, Effect, Part

#: What the API server says of the printed Secret's placeholders.
NO_BASE64 = "illegal base64"
#: Where kubectl begins to tell of an error; of what the API server calls invalid it says it otherwise.
_ERROR = re.compile(r"^(?=error\b|the (?:request|\S+ \S+) is invalid\b)", re.MULTILINE | re.IGNORECASE)
#: What kubectl says when it follows one of several pods.
_CHOSE = re.compile(r"Found \d+ pods, using pod/\S+")
#: The kinds of which ``kubectl get all`` shows none: its name says more than it does.
_NOT_ALL = {"ConfigMap", "Secret", "ServiceAccount", "PodDisruptionBudget"}
_WATCHED = ("get pods", "logs", "top pods", "get hpa", "get events")


def commands(part: Part, did: Commanded, rows: Sequence[EventRow]) -> list[Judgement]:
    """A command that could not be run is missing, and inconclusive. The autoscaler may undo a number of pods, so only
    what was set without it is judged."""
    ran, effects = did.ran, did.effects
    return [
        _all_ran(part, "monitoring.commands", ran, _WATCHED, "operations.daily"),
        _all_ran(part, "scaling.hpa.apply", ran, ("apply hpa",)),
        _all_ran(part, "cicd.set_image", ran, ("set image",)),
        _fails_as_it_should(part, ran),
        _first_deploy(part, ran),
        confirmed(part, ran),
        followed(part, ran.get("logs"), ran.get("get pods")),
        _set_by_hand(part, "scaling.manual.command", effects, " scale ", "stack.one_command"),
        _set_by_hand(part, "scaling.manual.manifest", effects, " apply ", "stack.one_line"),
        *errata_of_effects(part, effects, resizes(rows, did.begun_ns)),
        *errata_of_first_deploy(part, ran.get("apply folder")),
    ]


def _all_ran(part: Part, claim: str, ran: Mapping[str, Ran], names: tuple[str, ...], *also: str) -> Judgement:
    lacking = [name for name in names if name not in ran]
    if lacking:
        return unknown(part.name, claim, message("not run: {names}", names=", ".join(lacking)), also=also)
    bad = [ran[name] for name in names if not ran[name].answered]
    told = [_said(one) for one in bad] or [message("each ended in 0 and said something")]
    good = message("{some} of {all}", some=str(len(names) - len(bad)), all=str(len(names)))
    return held(part.name, claim, not bad, *told, shown=(good,), samples=len(names), also=also)


def _said(one: Ran) -> Message:
    words = {"command": one.command, "status": str(one.status)}
    if not one.output.strip():
        return message("{command}: status {status}, no output", **words)
    return message("{command}: status {status}, {output}", output=one.output.strip()[-200:], **words)


def _fails_as_it_should(part: Part, ran: Mapping[str, Ran]) -> Judgement:
    """A version that never becomes ready: ``rollout status`` must not call it out, and ``undo`` brings the old back."""
    claim = "cicd.rollout_status"
    if not {"rollout status", "rollout undo", "status after undo"} <= ran.keys():
        return unknown(part.name, claim, message("not run to its end"))
    status, undo, undone = (ran[name].status for name in ("rollout status", "rollout undo", "status after undo"))
    back = ran["rollout undo"].answered and ran["status after undo"].answered
    told = message(
        "an image that cannot be pulled: rollout status ended in {status} (0 would say it is out); "
        "rollout undo in {undo}, rollout status after it in {undone}",
        status=str(status),
        undo=str(undo),
        undone=str(undone),
    )
    return held(part.name, claim, status != 0 and back, told, shown=(_status(status),))


def _status(status: int) -> Message:
    return message("status {status}", status=str(status))


def _set_by_hand(part: Part, claim: str, effects: Sequence[Effect], word: str, also: str) -> Judgement:
    alone = [each for each in effects if word in each.command and not each.autoscaler]
    if not alone:
        return unknown(part.name, claim, message("not run without the HPA"), also=(also,))
    told = [message("{command}: {seconds}", command=each.command, seconds=shown_s(each.after_s)) for each in alone]
    reached = [each.after_s for each in alone if each.after_s is not None]
    slowest = max(reached) if len(reached) == len(alone) else None
    return held(
        part.name, claim, slowest is not None, message("without the HPA"), *told, also=(also,), **seconds(slowest)
    )


def _first_deploy(part: Part, ran: Mapping[str, Ran]) -> Judgement:
    """As printed the folder cannot be applied whole: the erratum, as long as nothing but the Secret is refused."""
    claim = "operations.first_deploy"
    if "apply folder" not in ran:
        return unknown(part.name, claim, message("not run"))
    one = ran["apply folder"]
    output = one.output.strip().replace("\n", "; ")[-600:]
    told = message("{command}: {output}", command=one.command, output=output)
    errors = _ERROR.split(one.output)[1:]  # each with the lines that belong to it: of a patch there are several
    measured = {"shown": (_status(one.status),)}
    if one.status != 0 and errors and all(NO_BASE64 in error for error in errors):
        return shown_as(part.name, "operations.apply_placeholders", told, claim=claim, **measured)
    return held(part.name, claim, one.answered, told, **measured)


def confirmed(part: Part, ran: Mapping[str, Ran]) -> Judgement:
    """Whether ``kubectl get all`` and ``get svc`` show what was applied: each of the seven kinds, and the Service. What
    the erratum does not explain is not there.
    """
    claim = "operations.confirm"
    lacking = [name for name in ("apply folder", "get all", "get svc") if name not in ran]
    if lacking:
        return unknown(part.name, claim, message("not run: {names}", names=", ".join(lacking)))
    everything, service = ran["get all"], ran["get svc"]
    if everything.status != 0 or not service.answered:
        return held(part.name, claim, False, *(_said(one) for one in (everything, service)))
    shown = {line.partition("/")[0].partition(".")[0] for line in everything.output.splitlines() if "/" in line}
    unseen = [kind for kind in PHASE_2 if kind.lower() not in shown]
    if not unseen:
        return held(part.name, claim, True, message("all seven"))
    told = message("{command} shows none of: {kinds}", command=everything.command, kinds=", ".join(unseen))
    return held(part.name, claim, _NOT_ALL.issuperset(unseen), told)


def followed(part: Part, logs: Ran | None, pods: Ran | None) -> Judgement:
    """Whether ``kubectl logs deployment/...`` follows every pod that there is: of one it says which it chose."""
    claim = "monitoring.logs_command"
    if logs is None or pods is None:
        return unknown(part.name, claim, message("not run"))
    if not logs.answered:
        return held(part.name, claim, False, _said(logs))
    if (chose := _CHOSE.search(logs.output)) is not None:
        return shown_as(part.name, "monitoring.logs_of_one_pod", verbatim(chose[0]), claim=claim)
    running = len([line for line in pods.output.splitlines() if " Running " in line])
    if running != 1:
        told = message(
            "{command} did not say which pod it follows; {count} run", command=logs.command, count=str(running)
        )
        return unknown(part.name, claim, told)
    return held(part.name, claim, True, message("one pod runs, and it is followed"))


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
