"""Facts of the document's kubectl commands: how each ended, and what it said. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness.base.message import marked
from harness.checks.as_printed import PHASE_2
from harness.model.command import Ran
from harness.model.message import Message, Told, message
from harness.rehearsals.scaling.facts_sizes import reached, shown_s
from harness.rehearsals.scaling.types import Commanded, Effect
from harness.rules.fact import Fact, FactsOf

PHRASES = {
    "monitoring.failed": marked("{seen} of {of} commands failed or showed nothing"),
    "hpa_applied.failed": marked("{seen} of {of} commands failed or showed nothing"),
    "image_set.failed": marked("{seen} of {of} commands failed or showed nothing"),
    "bad_version.called_out": marked(
        "an image that cannot be pulled: rollout status ended in {status} (0 would say it is out)"
    ),
    "bad_version.undo_failed": marked("rollout undo ended in {undo}, rollout status after it in {undone}"),
    "folder.failed": marked("{command}: {output}"),
    "folder.secrets_refused": marked("{command}: {output}"),
    "folder.others_refused": marked("{seen} of its errors are not of the Secret's placeholders"),
    "confirmed.failed": marked("{seen} of {of} commands failed or showed nothing"),
    "confirmed.unseen": marked("of the seven kinds {command} does not show: {kinds}"),
    "logs.failed": marked("{seen} of {of} commands failed or showed nothing"),
    "logs.chosen": marked("{said}"),
    "logs.running": marked("{command} did not say which pod it follows; {seen} run"),
}
#: What the API server says of the printed Secret's placeholders.
NO_BASE64 = "illegal base64"
#: Where kubectl begins to tell of an error; of what the API server calls invalid it says it otherwise.
_ERROR = re.compile(r"^(?=error\b|the (?:request|\S+ \S+) is invalid\b)", re.MULTILINE | re.IGNORECASE)
#: What kubectl says when it follows one of several pods.
_CHOSE = re.compile(r"Found \d+ pods, using pod/\S+")
#: The kinds of which ``kubectl get all`` shows none: its name says more than it does.
_NOT_ALL = {"ConfigMap", "Secret", "ServiceAccount", "PodDisruptionBudget"}
_WATCHED = ("get pods", "logs", "top pods", "get hpa", "get events")
_UNDONE = ("rollout undo", "status after undo")


def commands(fact: FactsOf, did: Commanded) -> Iterator[Fact]:
    """A command that could not be run is missing, and proves nothing. The autoscaler may undo a number of pods, so only
    what was set without it counts."""
    ran = did.ran
    yield _failed(fact, "monitoring.failed", ran, _WATCHED)
    yield _failed(fact, "hpa_applied.failed", ran, ("apply hpa",))
    yield _failed(fact, "image_set.failed", ran, ("set image",))
    yield from _bad_version(fact, ran)
    yield from _folder(fact, ran)
    yield from _confirmed(fact, ran)
    yield from _logs(fact, ran)
    yield _set_by_hand(fact, "command_s", did.effects, " scale ")
    yield _set_by_hand(fact, "manifest_s", did.effects, " apply ")


def _lacking(ran: Mapping[str, Ran], *names: str) -> Told:
    """Why nothing is known of commands of which some were not run."""
    lacking = [name for name in names if name not in ran]
    return (message("not run: {names}", names=", ".join(lacking)),) if lacking else ()


def _failed(fact: FactsOf, name: str, ran: Mapping[str, Ran], names: Sequence[str], *others: str) -> Fact:
    """How many of the commands did not end in 0, or said nothing; ``others`` have to be run as well."""
    bad = [ran[each] for each in names if each in ran and not ran[each].answered]
    return fact(name, len(bad), of=len(names), void=_lacking(ran, *others, *names), besides=tuple(map(_said, bad)))


def _said(one: Ran) -> Message:
    words = {"command": one.command, "status": str(one.status)}
    if not one.output.strip():
        return message("{command}: status {status}, no output", **words)
    return message("{command}: status {status}, {output}", output=one.output.strip()[-200:], **words)


def _bad_version(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """A version that never becomes ready: ``rollout status`` must not call it out, and ``undo`` brings the old back."""
    lacking = _lacking(ran, "rollout status", *_UNDONE)
    status, undo, undone = (str(ran[name].status) if name in ran else "?" for name in ("rollout status", *_UNDONE))
    failed = sum(name not in ran or not ran[name].answered for name in _UNDONE)
    yield fact("bad_version.called_out", int(status == "0"), status=status, void=lacking)
    yield fact("bad_version.undo_failed", failed, undo=undo, undone=undone, void=lacking)


def _folder(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """As printed the folder cannot be applied whole: the erratum, as long as nothing but the Secret is refused."""
    one = ran.get("apply folder", Ran(command="apply folder", status=0, output=""))
    output = one.output.strip().replace("\n", "; ")[-600:]
    errors = (
        _ERROR.split(one.output)[1:] if one.status != 0 else []
    )  # each with its lines: of a patch there are several
    refused = sum(NO_BASE64 in error for error in errors)
    lacking = _lacking(ran, "apply folder")
    yield fact("folder.failed", int(not one.answered), void=lacking, command=one.command, output=output)
    yield fact("folder.secrets_refused", refused, command=one.command, output=output)
    yield fact("folder.others_refused", len(errors) - refused)


def _confirmed(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """Whether ``kubectl get all`` and ``get svc`` show what was applied: each of the seven kinds, and the Service. What
    the erratum does not explain is not there.
    """
    yield _failed(fact, "confirmed.failed", ran, ("get all", "get svc"), "apply folder")
    everything = ran.get("get all", Ran(command="get all", status=0, output=""))
    shown = {line.partition("/")[0].partition(".")[0] for line in everything.output.splitlines() if "/" in line}
    unseen = [kind for kind in PHASE_2 if kind.lower() not in shown]
    kinds = ", ".join(unseen) or message("none")
    lacking = _lacking(ran, "apply folder", "get all", "get svc")
    yield fact("confirmed.unseen", len({*unseen} - _NOT_ALL), command=everything.command, kinds=kinds, void=lacking)


def _logs(fact: FactsOf, ran: Mapping[str, Ran]) -> Iterator[Fact]:
    """Whether ``kubectl logs deployment/...`` follows every pod that there is: of one it says which it chose."""
    logs, pods = (ran.get(name, Ran(command=name, status=0, output="")) for name in ("logs", "get pods"))
    chose = _CHOSE.search(logs.output)
    running = sum(" Running " in line for line in pods.output.splitlines())
    yield _failed(fact, "logs.failed", ran, ("logs",), "get pods")
    yield fact("logs.chosen", int(chose is not None), said=chose[0] if chose else "")
    yield fact("logs.running", running, command=logs.command)


def _set_by_hand(fact: FactsOf, name: str, effects: Sequence[Effect], word: str) -> Fact:
    """The slowest of the commands with ``word``, without the autoscaler."""
    alone = [each for each in effects if word in each.command and not each.autoscaler]
    told = [message("{command}: {seconds}", command=each.command, seconds=shown_s(each.after_s)) for each in alone]
    slowest = max((math.inf if each.after_s is None else each.after_s for each in alone), default=math.inf)
    took = reached(fact, name, None if slowest == math.inf else slowest, message("without the HPA"), *told)
    return took if alone else msgspec.structs.replace(took, void=(message("not run without the HPA"),))
