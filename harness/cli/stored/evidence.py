"""``signoff --run``: the commands of a plan of evidence, one after the other, but for what stored runs already hold.

Each is a process of its own: what one leaves or breaks is none of the next one's affair. Ctrl-C ends the one under way
in its own order, and no other begins; whatever has ended is kept, and the next call goes on behind it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.base.clock import NS, Clock
from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit, tool_status
from harness.base.planfile import bundled
from harness.base.progress import LOOK_S, Heartbeat, Progress
from harness.model.claim import Claim
from harness.model.message import Message, gettext_noop, message, of_error
from harness.model.stack import EnvironmentKind
from harness.report.language import Language
from harness.report.signoff.counting import broken
from harness.report.signoff.document import CommandDue, EvidencePlan, held, lacking, minutes, newest_of, told
from harness.report.signoff.types import EvidenceWanted, StoredResult
from harness.run.command import Command, replay, words
from harness.stack.environments.choice import choice
from harness.stack.kind import at_hand
from harness.stack.manifests import of_the_rehearsal
from harness.stack.target.targets import resolve

#: Runs ``python -m harness`` with these words to its end; its exit status.
Runs = Callable[[Sequence[str]], int]
_STANDARD_ERROR = 2
#: How a step of the plan names a checkout of the team's own.
THEIRS = Path("THEIRS")


def due_of(
    plan: EvidencePlan,
    stored: Sequence[StoredResult],
    asked: EvidenceWanted,
    *,
    target: str | None,
    reports: Path,
    lang: str,
    no_defaults: bool = False,
    theirs: Mapping[str, Any] = MappingProxyType({}),
    register: Mapping[str, Claim] = MappingProxyType({}),
) -> list[CommandDue]:
    """Every command of the plan with ``target`` and ``reports``; ``no_defaults``: without defaults from outside.
    ``theirs`` are the options that name the team's own cluster and repository. One takes as long as its newest run that
    ended did, else as the plan says. Raises ``BadInput`` for a line that is no command."""
    from harness.cli.main import parse

    on_kind = any(str(EnvironmentKind.KIND) in step.words for step in plan.steps)
    no_kind = at_hand.lacking() if on_kind and not at_hand.docker_answers() else ""
    found, over = list[CommandDue](), ["--no-defaults"] if no_defaults else []
    for step in plan.steps:
        command = parse([*step.words, *over])
        own = {name: value for name, value in theirs.items() if name in _theirs(command)}
        command = dataclasses.replace(command, **own)
        cannot = _not_theirs(command) or _cannot(command, target, no_kind)
        given: dict[str, Any] = {"reports": reports.absolute(), "lang": lang}
        if target is not None and cannot is None:
            given["target"] = target
        made = dataclasses.replace(command, **given)
        before = [each.replay for each in found if each.cannot is None] if step.reviews else ()
        line = replay(made)
        last = newest_of(stored, line)
        took = newest_of((each for each in stored if each.result.facts.took_s and not broken(each.result)), line)
        found.append(
            CommandDue(
                replay=line,
                words=(*command.name.split(), *words(made, all_=True)),
                environment=str(getattr(command, "on", EnvironmentKind.LOCAL)),
                takes_s=step.takes_s if took is None else took.result.facts.took_s,
                held=held(stored, asked, line, before, register),
                because=() if last is None else lacking(last, asked, register),
                cannot=cannot,
            )
        )
    return found


def lines_of(
    stored: Sequence[StoredResult], asked: EvidenceWanted, *, target: str | None, theirs: Mapping[str, Any]
) -> list[str]:
    """The lines of the whole evidence behind ``python3 -m harness`` as they can be typed of ``target``, where its
    environment carries it: with ``theirs`` but for the consent, with manifests and OpenAPI file of its newest runs."""
    from harness.cli.main import parse

    api, found = resolve(target), list[str]()
    named = {"context": "NAME", **theirs, **_given(stored, asked), **({"target": target} if target else {})}
    named.pop("yes_use_this_cluster", None)
    for step in bundled("signoff", EvidencePlan).steps:
        command = parse(step.words)
        its = {*_theirs(command), "target", "reports", "openapi"}
        takes = {each.name for each in dataclasses.fields(command) if each.metadata["in_place"] or each.name in its}
        made = dataclasses.replace(command, **{name: value for name, value in named.items() if name in takes})
        if _not_theirs(made) or (target and "target" not in takes):
            continue
        with contextlib.suppress(BadInput):  # an image is no process, a command no pod of a cluster of their own
            if hasattr(made, "on"):
                choice(made.on, api)
            else:
                made.resolved()  # type: ignore[attr-defined]  # every rehearsal has it
            found.append(shlex.join([*made.name.split(), *words(made, all_=True)]))
    return found


def _given(stored: Sequence[StoredResult], asked: EvidenceWanted) -> dict[str, Path]:
    """What the runs of a team's own target were given that its name does not tell, the newest last."""
    found: dict[str, Path] = {}
    for facts in sorted((each.result.facts for each in stored), key=lambda facts: facts.started_utc):
        if facts.target == asked.target and not facts.target_bundled:
            with contextlib.suppress(ValueError):  # a result may be anybody's
                typed = pairwise(shlex.split(facts.replay))
                found |= {name[2:]: Path(value) for name, value in typed if name in ("--manifests", "--openapi")}
    return {name: value for name, value in found.items() if not of_the_rehearsal(value)}


def _theirs(command: Command) -> tuple[str, ...]:
    """The options by which a step of the plan asks for what is the team's own."""
    if getattr(command, "on", "") == EnvironmentKind.KUBE:
        return "context", "kubeconfig", "image_registry", "yes_use_this_cluster"
    return ("repository",) if getattr(command, "repository", None) == THEIRS else ()


def _not_theirs(command: Command) -> Message | None:
    """That a step wants the team's own cluster or repository, and none is named."""
    if getattr(command, "on", "") == EnvironmentKind.KUBE and not getattr(command, "context", None):
        return message("it wants a cluster of your own: name its context by {option}", option="--context")
    if getattr(command, "repository", None) == THEIRS:
        return message("it wants a checkout of your own: name it by {option}", option="--repository")
    return None


def _cannot(command: Command, target: str | None, lacking: str) -> Message | None:
    """Why it cannot be run here of ``target``; ``None`` where it can. ``lacking`` is what keeps kind from being run."""
    if getattr(command, "on", "") == EnvironmentKind.KIND and lacking:
        return Message(text=lacking)
    if target is None:
        return None
    if not any(field.name == "target" for field in dataclasses.fields(command)):
        return None if resolve(target).bundled else message("it rehearses the bundled API alone")
    try:
        given: dict[str, Any] = {"target": target}
        dataclasses.replace(command, **given).resolved()  # type: ignore[attr-defined]  # every rehearsal has it
    except BadInput as error:
        return of_error(error)
    return None


class Making:
    """The making of what is left of a plan, told as it goes; ``runs`` runs a command."""

    def __init__(self, progress: Progress, clock: Clock, say: Language, runs: Runs) -> None:
        self._progress, self._clock, self.say, self._runs = progress, clock, say, runs

    def make(self, plan: EvidencePlan, due: Sequence[CommandDue]) -> Exit:
        """Runs what is left; ``INTERRUPTED`` where it was interrupted, else ``OK``, however the commands ended."""
        for line in told(plan, due):
            self._progress.plain(self.say.message(line))
        left, status = [each for each in due if each.left], int(Exit.OK)
        for number, each in enumerate(left, 1):
            to_go_s = sum(other.takes_s for other in left[number - 1 :])
            which = {"number": number, "all": len(left)}
            began = gettext_noop("command {number} of {all}: {command} (about {minutes} min; {left} to go)")
            spans = {"minutes": minutes(each.takes_s), "left": minutes(to_go_s)}
            self._progress(self.say(began, command=each.replay, **which, **spans))
            began_ns = self._clock.now_ns()
            status = self._runs(each.words)
            took = f"{(self._clock.now_ns() - began_ns) / NS / 60:.1f}"
            ended = gettext_noop("command {number} of {all} ended in {status} after {minutes} min")
            self._progress(self.say(ended, status=str(int(status)), minutes=took, **which))
            if status == Exit.INTERRUPTED:
                self._progress(self.say("interrupted: what has ended is kept, and the same command goes on from here"))
                break
        return tool_status({Exit.INTERRUPTED: status == Exit.INTERRUPTED})


def run_process(typed: Sequence[str]) -> int:
    """Runs the words as a process of its own to its end. Interrupted, it passes that on and waits: the run tears down
    and reports first. What it prints goes where progress goes: standard output is the page's."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    env = {**os.environ, "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, "-m", "harness", *typed], env=env, stdout=_STANDARD_ERROR)
    interrupted = False
    while True:
        try:
            status = process.wait(LOOK_S)
            break
        except subprocess.TimeoutExpired:
            if Heartbeat.current:
                Heartbeat.current.heard()  # the process tells of itself, by a heartbeat of its own
        except KeyboardInterrupt:
            interrupted = True
            process.terminate()  # as Ctrl-C, which a job in the background ignores; a second one does no harm
    return Exit.INTERRUPTED if interrupted else status
