"""The fault proxy as the stack drives it; the proxy itself is ``fault_proxy_process.py``."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.message import message
from harness.model.stack import Address, Fault
from harness.stack import fault_proxy_process
from harness.stack.processes import Process, Spec, spawn
from harness.stack.protocol import Undo
from harness.stack.state import RunState
from harness.stack.waiting import undone_if_broken

ORDER_LIMIT_S = 5.0


class FaultProxy:
    """One run's fault proxy. ``start`` first; ``listen`` for each pod; ``inject`` a fault."""

    def __init__(self, state: RunState, logs: Path, clock: Clock) -> None:
        self._state = state
        self._log = logs / "fault_proxy.log"
        self._clock = clock
        self._turn = asyncio.Lock()
        self._faults = self._orders = 0
        self._ports: dict[int, int] = {}
        self.process: Process | None = None

    async def start(self) -> Process:
        """Starts the process; it answers orders from then on."""
        spec = Spec(
            part="fault_proxy",
            command=[sys.executable, "-I", str(Path(fault_proxy_process.__file__))],
            environment={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
            log=self._log,
            folder=self._state.folder,
            piped=True,
        )
        self.process = spawn(spec, self._state)
        loop = asyncio.get_running_loop()
        self._answers = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._answers), self.process.popen.stdout)
        return self.process

    async def listen(self, pod_port: int, port: int | None = None) -> Address:
        """The fault proxy's address in front of what listens at ``pod_port``, at ``port`` when that is given; asked
        again the same.
        """
        if pod_port not in self._ports:
            port = self._state.take_port() if port is None else self._state.note_port(port)
            await self._order(do="listen", port=port, pod_port=pod_port)
            self._ports[pod_port] = port
        return Address(host="127.0.0.1", port=self._ports[pod_port])

    async def unlisten(self, pod_port: int) -> None:
        """The pod is gone: connections to it are refused."""
        if (port := self._ports.pop(pod_port, None)) is not None:
            await self._order(do="unlisten", port=port)
            self._state.give_back_port(port)

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``, counting from its first request, until it is undone."""
        self._faults += 1
        undo = partial(self._undo, self._faults)
        async with undone_if_broken(undo):  # one whose answer is late has begun, or is about to
            await self._order(
                do="fault",
                id=self._faults,
                kind=fault.kind.value,
                numerator=fault.ratio.numerator,
                denominator=fault.ratio.denominator,
                delay_s=fault.delay_ms / 1000,
            )
        return undo

    async def _undo(self, fault_id: int) -> None:
        """Ends a fault; one that ended already, or a fault proxy that did, is no error."""
        if self.process is not None and self.process.returncode is None:
            await self._order(do="undo", id=fault_id)

    async def stop(self) -> None:
        """Ends it at once; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)
            if self.process.popen.stdin is not None:
                self.process.popen.stdin.close()

    async def _order(self, **order: Any) -> None:
        """Sends one order and awaits its answer. Raises ``PartDied`` or ``StackNotStarted``."""
        assert self.process is not None
        # A cancelled caller must not leave an answer for the next to take for its own.
        await asyncio.shield(asyncio.ensure_future(self._exchange(self.process, order)))

    async def _exchange(self, process: Process, order: dict[str, Any]) -> None:
        async with self._turn:
            assert process.popen.stdin is not None
            self._orders += 1
            text = msgspec.json.encode({**order, "number": self._orders})
            try:
                process.popen.stdin.write(text + b"\n")  # far below what a pipe takes at once
                async with asyncio.timeout(ORDER_LIMIT_S):
                    answer = await self._answer(process)
                    while answer["number"] != self._orders:  # a late one, of an order that was given up
                        answer = await self._answer(process)
            except TimeoutError as error:  # before OSError, whose subclass it is
                raise process.not_started(f"no answer to {order['do']} in {ORDER_LIMIT_S:g} s") from error
            except OSError as error:
                raise process.part_died() from error
        if not answer["ok"]:
            raise StackNotStarted(
                message("fault proxy: {order} failed: {error}", order=order["do"], error=answer["error"]),
                where=str(self._log),
            )

    async def _answer(self, process: Process) -> dict[str, Any]:
        """The next one. Raises ``PartDied`` where there is none any more."""
        line = await self._answers.readline()
        if not line:
            raise process.part_died()
        return dict(msgspec.json.decode(line))
