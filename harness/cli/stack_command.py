"""``python -m harness stack up|keep|status|down``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.base.clock import MachineClock, polling
from harness.base.errors import BadInput, Exit, StackNotStarted, tool_status
from harness.base.private import open_private
from harness.base.terminal import ending_signals
from harness.base.typed import PROGRAM
from harness.model.message import Message, message
from harness.model.stack import Endpoints, EnvironmentKind
from harness.report.language import Language, language
from harness.run.arguments import AsJson, OwnManifests, Spoken, StackOptions, speaking
from harness.run.command import option, words
from harness.run.options import Options
from harness.run.own_cluster import OnCluster, take_down

if TYPE_CHECKING:
    from harness.stack.environments.standing import StackFacts
    from harness.stack.state.keeping import LeftRunning

UP_LIMIT_S = {
    EnvironmentKind.LOCAL: 180.0
}  # of a detached stack, the first run's installation included; else of images, too


@dataclass(frozen=True, kw_only=True)
class StackUp(Spoken, StackOptions, OwnManifests, AsJson):
    """A whole stack, until Ctrl-C or `stack down`.

    It says where everything answers.
    """

    name = "stack up"
    example = "--on local --detach"

    detach: bool = option("return when it is up", default=False)

    def run(self) -> int:
        """Keeps it; detached, returns when it is up. Raises ``StackNotStarted``."""
        from harness.cli.standing import StandingStack  # what a stack is made of loads here: no help needs it
        from harness.stack.state.processes import process_mark

        clock = MachineClock()
        progress = speaking(clock, self.lang)
        tell = _tell_json if self.json else partial(_tell, language(self.lang))
        options = self.placed(0, self.lang, self.manifests)
        if self.detach:
            log = options.reports / f"stack-up-{process_mark()}.log"
            child = _start_detached(self._words(options), log)
            pid = str(child.pid)
            progress(
                message("bringing a stack up in process {pid}; it says what it does in {log}", pid=pid, log=str(log))
            )
            facts = asyncio.run(_up_detached(child, log, clock, UP_LIMIT_S.get(options.rung, 1800.0)))
            with contextlib.suppress(OSError):  # on another disk: it stays where it is
                log = log.rename(Path(facts.logs) / "stack-up.log")
            progress(message("the stack is up; its log is {log}", log=str(log)))
            tell(facts)
            return Exit.OK
        standing = StandingStack(options, clock, progress)

        async def stand() -> Exit:
            loop = asyncio.get_running_loop()
            for number in ending_signals():
                loop.add_signal_handler(number, standing.lifecycle.interrupt)
            return await standing.run(tell)

        return asyncio.run(stand())

    def _words(self, options: Options) -> list[str]:
        """What the detached process is told; its input was checked here already, and a cluster confirmed."""
        config = self.kubeconfig
        as_placed = dataclasses.replace(
            self,
            on=str(options.rung),
            reports=options.reports,
            manifests=options.manifests.absolute(),
            kubeconfig=str(Path(config).absolute()) if config and Path(config).is_file() else config,
            yes_use_this_cluster=options.own_cluster is not None,
            detach=False,
            json=False,
        )
        return words(as_placed, all_=True)


def _start_detached(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Where it was typed, so that every path among ``words``, and the target's own folder, is what it was there.

    Its log is one of its own, and for this user alone: what it tells has the database's password.
    """
    command = [sys.executable, "-m", "harness", "stack", "up", *words]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = open_private(log)
    except OSError as error:
        remedy = "make it writable, free some space, or name another one with --reports"
        what = message("the reports folder cannot be written: {error}", error=str(error))
        raise StackNotStarted(what, where=str(log), remedy=remedy) from error
    with output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


async def _up_detached(child: subprocess.Popen[bytes], log: Path, clock: MachineClock, limit_s: float) -> StackFacts:
    from harness.cli.standing import stack_of
    from harness.stack.process.processes import tail

    again = polling(clock, limit_s=limit_s, every_s=0.1)
    try:
        while (facts := stack_of(child.pid)) is None:
            if child.poll() is not None or not await again():
                raise StackNotStarted(message("the stack did not come up:\n{log}", log=tail(log)), where=str(log))
    except BaseException:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # its tear down goes on, and is in its log
            child.wait(30)
        raise
    child.returncode = 0  # it is left on purpose: Popen shall not warn of it
    return facts


def _tell(say: Language, facts: StackFacts) -> None:
    what = {"run": facts.run_id, "environment": str(facts.rung), "target": facts.target}
    lines = [say("stack {run} is up (environment {environment}, target {target})", **what)]
    lines += [f"  {name:<14} {value}" for name, value in _addresses(facts.endpoints).items()]
    lines += [f"  {'logs':<14} {facts.logs}"]
    lines += [say("end it with Ctrl-C, or from anywhere: {command}", command=f"{PROGRAM} stack down")]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _tell_json(facts: StackFacts) -> None:
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()


def _addresses(endpoints: Endpoints) -> dict[str, str]:
    named = {name: getattr(endpoints, name) for name in ("service", "auth", "firestore", "remote_config", "storage")}
    user, password, name = endpoints.database_user, endpoints.database_password, endpoints.database_name
    shown = {name: str(address) for name, address in named.items() if address is not None}
    return {**shown, "database": f"postgresql://{user}:{password}@{endpoints.database}/{name}"}


@dataclass(frozen=True, kw_only=True)
class StackKeep(Spoken, AsJson):
    """A cluster left running, for later runs to use."""

    name = "stack keep"
    example = "--on kind"

    on: str = option("the environment", choices=(EnvironmentKind.KIND.value,), default=EnvironmentKind.KIND.value)

    @classmethod
    def takes_default(cls, name: str, typed: Sequence[str]) -> bool:
        """Ignore a default of ``--on``: it says where runs go, and only a cluster can be kept."""
        return name != "on" and super().takes_default(name, typed)

    def run(self) -> int:
        """Starts it."""
        from harness.stack import state
        from harness.stack.environments import choice as rungs

        rungs.provide(EnvironmentKind(self.on))
        from harness.stack.kind import keeper

        clock = MachineClock()
        progress = speaking(clock, self.lang)
        state.sweep(lambda line: progress(message("left by a killed run: {what}", what=line)))
        asyncio.run(keeper.keep_for_runs(clock, progress))
        if self.json:
            sys.stdout.write(msgspec.json.encode(keeper.status()).decode() + "\n")
        return Exit.OK


@dataclass(frozen=True, kw_only=True)
class StackStatus(Spoken, AsJson):
    """What was left running; 10 when some of it is broken."""

    name = "stack status"
    example = "--json"

    def run(self) -> int:
        """Says it."""
        from harness.cli.standing import standing_stacks
        from harness.stack.kind import keeper

        kept = keeper.status()
        found = [*([] if kept is None else [kept]), *standing_stacks()]
        say = language(self.lang)
        lines = [_shown(each, say) for each in found] or [say("nothing is left running")]
        plain = [{**msgspec.structs.asdict(each), "trouble": str(each.trouble or "")} for each in found]
        sys.stdout.write((msgspec.json.encode(plain).decode() if self.json else "\n".join(lines)) + "\n")
        return tool_status({Exit.HOLD: any(each.trouble for each in found)})


def _shown(each: LeftRunning, say: Language) -> str:
    what = {"run": each.run_id, "environment": str(each.rung), "since": each.since_utc or say("an unknown time")}
    facts = [say("{run} (environment {environment}) since {since}", **what)]
    facts += [say("process {pid}", pid=str(each.owner_pid))] if each.owner_pid else []
    if each.used_by or each.kind == "kept":
        facts.append(say("in use by {run}", run=each.used_by) if each.used_by else say("free"))
    lines = [say.listed([*facts, _mib(sum(part.memory_bytes for part in each.parts))])]
    for part in each.parts:
        alive = _mib(part.memory_bytes) if part.alive else say("DEAD")
        lines.append(f"  {part.part:<16} {say('process {pid}', pid=str(part.pid))} {alive}")
    if each.trouble:
        down = f"{PROGRAM} stack down"
        lines.append(say("  not usable: {trouble}; `{command}` takes it away", trouble=each.trouble, command=down))
    return "\n".join(lines)


def _mib(amount_bytes: int) -> str:
    return f"{amount_bytes / 2**20:.0f} MiB"


@dataclass(frozen=True, kw_only=True)
class StackDown(Spoken, OnCluster, AsJson):
    """All that was left running, ended.

    And what killed runs left; 40 when something could not be ended.
    """

    name = "stack down"
    example = "--on kind"

    on: str | None = option(
        "what is left of one environment, or on a cluster of your own (default: all here)",
        choices=(EnvironmentKind.LOCAL.value, EnvironmentKind.KIND.value, EnvironmentKind.KUBE.value),
    )
    force: bool = option("also a kept cluster that a run uses: the run will break", default=False, consent=True)

    def run(self) -> int:
        """Ends it, a line each."""
        from harness.cli.standing import end_standing_stacks
        from harness.stack import state
        from harness.stack.environments import choice as rungs
        from harness.stack.kind import keeper

        if self.on == EnvironmentKind.KUBE and self.force:
            raise BadInput("--force is for the kept cluster, not for a cluster of your own", remedy="leave it out")
        if self.on == EnvironmentKind.KUBE and (cluster := self.confirmed(EnvironmentKind.KUBE)) is not None:
            return self._tell(take_down(cluster), message("nothing was left there"))
        self.confirmed(EnvironmentKind.LOCAL)  # which refuses a cluster's options
        progress, others = speaking(MachineClock(), self.lang), list[Message]()
        lines = end_standing_stacks(progress) if self.on is None else []
        if self.on == EnvironmentKind.LOCAL:
            state.sweep(lines.append)
        else:
            lines += keeper.down(force=self.force)
            asyncio.run(rungs.sweep(lines.append, others.append))
        for each in others:
            progress(each)
        nothing = message("nothing else was left running") if others else message("nothing was left running")
        return self._tell(lines, nothing)

    def _tell(self, lines: Sequence[Message], nothing: Message) -> int:
        said = "\n".join(map(language(self.lang).message, lines or [nothing]))
        told = msgspec.json.encode([*map(str, lines)]).decode() if self.json else said
        sys.stdout.write(f"{told}\n")
        return tool_status({Exit.LEAK: any("could not" in str(line) for line in lines)})
