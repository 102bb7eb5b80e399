"""The Firebase parts as processes of the stack: Auth, Firestore, Storage and Remote Config."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.model.message import ProgressCallback, message
from harness.model.stack import Address
from harness.stack.firebase import commands
from harness.stack.local import installing
from harness.stack.process.processes import Process, Spec, spawn
from harness.stack.process.waiting import until
from harness.stack.state import RunState, npm
from harness.stack.target import variables as environment

READY_LIMIT_S = 60.0  # Auth alone compiles for 8 s on a busy machine
STOP_S = 0.7  # nothing in memory is worth waiting for


class FirebasePart:
    """One Firebase part. ``start`` then ``ready``; ``stop`` ends it at once."""

    def __init__(self, part: str, state: RunState, logs: Path, clock: Clock) -> None:
        self.part = part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self.process: Process | None = None

    def start(self, command: Sequence[str]) -> Process:
        """Starts it. Raises ``StackNotStarted`` when the command cannot be run."""
        home = self._state.folder / f"{self.part}-home"  # firebase-tools keeps settings in HOME: not in the person's
        home.mkdir()
        # What Node compiles it keeps in the machine's temporary folder for ever, unless it is told another.
        variables = {**environment.machine(), "HOME": str(home), "NODE_COMPILE_CACHE": str(home / "compile-cache")}
        spec = Spec(part=self.part, command=command, environment=variables, log=self._log, folder=ROOT)
        self.process = process = spawn(spec, self._state)
        return process

    async def ready(self, check: Callable[[Address], Awaitable[bool]]) -> None:
        """Returns when ``check`` holds at its address. Raises ``StackNotStarted``."""
        assert self.process is not None
        process, clock = self.process, self._clock
        await until(lambda: check(self.address), process, clock, limit_s=READY_LIMIT_S, what="answered")

    async def stop(self) -> None:
        """Ends it; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, STOP_S)


async def installed(state: RunState, logs: Path, progress: ProgressCallback) -> Path:
    """The emulators' ``node_modules``; installed first on a machine that has none. Raises ``StackNotStarted``."""
    npm.node()
    tree = commands.folder()
    if tree.is_dir():
        return tree
    progress(message("first run: installing the Firebase emulators (about a minute)"))
    process = await installing.install("harness.stack.firebase.commands:ensure", "emulators-install", state, logs)
    if not tree.is_dir():
        raise process.not_started("the emulators were not installed")
    return tree
