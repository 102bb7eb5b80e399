"""``python -m harness stack up|keep|status|down``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.base.clock import MachineClock, polling
from harness.base.errors import BadInput, Exit, StackNotStarted, tool_status
from harness.base.interpreter import PROGRAM
from harness.base.private import open_private
from harness.base.progress import Progress
from harness.base.terminal import ending_signals
from harness.model.message import Message, message
from harness.model.stack import AUTO, Endpoints, Rung
from harness.rehearsal.arguments import AsJson, OnStack, OwnManifests
from harness.rehearsal.command import option, words
from harness.rehearsal.options import Options
from harness.rehearsal.own_cluster import OnCluster, take_down
from harness.stack.targets import bundled

if TYPE_CHECKING:
    from harness.stack.keeping import Keeper, Standing
    from harness.stack.standing import StackFacts

_KEEPING = ("local", "kind")  # the environments that can keep their slow parts
UP_LIMIT_S = 180.0  # of a detached stack, the first run's installation included


@dataclass(frozen=True, kw_only=True)
class StackUp(OnStack, OwnManifests, AsJson):
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
        progress = Progress(clock)
        tell = _tell_json if self.json else _tell
        options = self.placed(0, "en", self.manifests)
        if options.rung is Rung.SIM:
            remedy = "use --on local or --on kind"
            raise BadInput("a stack of --on sim is in memory: nobody could ask it", remedy=remedy)
        if self.detach:
            log = options.reports / f"stack-up-{process_mark()}.log"
            child = _start_detached(self._words(options), log)
            pid = str(child.pid)
            progress(
                message("bringing a stack up in process {pid}; it says what it does in {log}", pid=pid, log=str(log))
            )
            facts = asyncio.run(_up_detached(child, log, clock))
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
        raise StackNotStarted(
            f"the reports folder cannot be written: {error}", where=str(log), remedy=remedy
        ) from error
    with output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


async def _up_detached(child: subprocess.Popen[bytes], log: Path, clock: MachineClock) -> StackFacts:
    from harness.cli.standing import stack_of
    from harness.stack.processes import tail

    again = polling(clock, limit_s=UP_LIMIT_S, every_s=0.1)
    try:
        while (facts := stack_of(child.pid)) is None:
            if child.poll() is not None or not await again():
                raise StackNotStarted(f"the stack did not come up:\n{tail(log)}", where=str(log))
    except BaseException:
        child.terminate()
        child.wait(30)
        raise
    child.returncode = 0  # it is left on purpose: Popen shall not warn of it
    return facts


def _tell(facts: StackFacts) -> None:
    lines = [f"stack {facts.run_id} is up (environment {facts.rung}, target {facts.target})"]
    lines += [f"  {name:<14} {value}" for name, value in _addresses(facts.endpoints).items()]
    lines += [f"  {'logs':<14} {facts.logs}", f"end it with Ctrl-C, or from anywhere: {PROGRAM} stack down"]
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
class StackKeep(AsJson):
    """The slow parts left running, for later runs to take over."""

    name = "stack keep"
    example = "--on kind"

    on: str = option(
        "the environment; auto is kind where it is at hand, else local", choices=(AUTO, *_KEEPING), default="local"
    )

    def run(self) -> int:
        """Starts them."""
        from harness.stack import rungs, state

        rung = rungs.choose(self.on, bundled()).rung
        clock = MachineClock()
        progress = Progress(clock)
        state.sweep(lambda line: progress(message("left by a killed run: {what}", what=line)))
        keeper = _keeper(rung)
        asyncio.run(keeper.keep(clock, progress))
        if self.json:
            sys.stdout.write(msgspec.json.encode(keeper.status()).decode() + "\n")
        return Exit.OK


def _keeper(name: str) -> Keeper:
    from harness.stack import rungs

    keeper = rungs.keepers().get(Rung(name))
    if keeper is None:
        raise BadInput(f"the environment {name} has nothing to keep", where="--on", remedy="use --on local")
    return keeper


def _asked(name: str | None) -> list[Keeper]:
    from harness.stack import rungs

    return list(rungs.keepers().values()) if name is None else [_keeper(name)]


@dataclass(frozen=True, kw_only=True)
class StackStatus(AsJson):
    """What was left running; 10 when some of it is broken."""

    name = "stack status"
    example = "--on local"

    on: str | None = option("what is kept of one environment (default: everything)", choices=_KEEPING)

    def run(self) -> int:
        """Says it."""
        from harness.cli.standing import standing_stacks

        found = [each for keeper in _asked(self.on) if (each := keeper.status()) is not None]
        found += standing_stacks() if self.on is None else []
        if self.json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        else:
            sys.stdout.write("\n".join(_shown(each) for each in found) + "\n" if found else "nothing is left running\n")
        return tool_status({Exit.HOLD: any(each.trouble for each in found)})


def _shown(each: Standing) -> str:
    owner = f", process {each.owner_pid}" if each.owner_pid else ""
    use = f", in use by {each.used_by}" if each.used_by else ", free" if each.kind == "kept" else ""
    memory_mib = sum(part.memory_bytes for part in each.parts) / 2**20
    since = each.since_utc or "an unknown time"
    lines = [f"{each.run_id} (environment {each.rung}) since {since}{owner}{use}, {memory_mib:.0f} MiB"]
    for part in each.parts:
        port = f" port {part.port}" if part.port else ""
        alive = f"{part.memory_bytes / 2**20:.0f} MiB" if part.alive else "DEAD"
        lines.append(f"  {part.part:<16} process {part.pid}{port} {alive}")
    if each.trouble:
        lines.append(f"  not usable: {each.trouble}; `{PROGRAM} stack down` takes it away")
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class StackDown(OnCluster, AsJson):
    """All that was left running, ended.

    And what killed runs left; 40 when something could not be ended.
    """

    name = "stack down"
    example = "--on local"

    on: str | None = option(
        "what is kept of one environment, or left on a cluster (default: all here)", choices=(*_KEEPING, "kube")
    )
    force: bool = option("also kept parts that a run uses: the run will break", default=False, consent=True)

    def run(self) -> int:
        """Ends it, a line each."""
        from harness.cli.standing import end_standing_stacks
        from harness.stack import rungs, state

        if self.on == Rung.KUBE and self.force:
            raise BadInput("--force is of kept parts, which a cluster of your own has not", remedy="leave it out")
        if self.on == Rung.KUBE and (cluster := self.confirmed(Rung.KUBE)) is not None:
            return self._tell(take_down(cluster), "nothing was left there")
        self.confirmed(Rung.LOCAL)  # which refuses a cluster's options
        progress = Progress(MachineClock())
        lines = end_standing_stacks(progress) if self.on is None else []
        for keeper in _asked(self.on):
            lines += keeper.down(force=self.force)

        def tell(line: Message) -> None:
            lines.append(str(line))

        if self.on == Rung.LOCAL:
            state.sweep(tell)
        else:
            asyncio.run(rungs.sweep(tell))
        return self._tell(lines, "nothing was left running")

    def _tell(self, lines: Sequence[str], nothing: str) -> int:
        told = msgspec.json.encode(lines).decode() if self.json else "\n".join(lines) or nothing
        sys.stdout.write(f"{told}\n")
        return tool_status({Exit.LEAK: any("could not" in line for line in lines)})
