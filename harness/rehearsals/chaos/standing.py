"""A stack that is up, for Chaos Toolkit's own ``chaos run``: the bridge, and a steady state without users."""

from __future__ import annotations

from pathlib import Path

from harness.base.clock import NS, Clock, polling
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import FLAG, Parameter, Template
from harness.model.manifests import Manifests
from harness.rehearsals.chaos.bridge import Bridge, PodPlaces
from harness.rules.steady import STEADY_S
from harness.stack.process.waiting import http_status
from harness.stack.protocol import Stack

LIMIT_S = 120.0  # for the steady state; the longest that a bundled experiment allows its recovery is 60 s
_EVERY_S = 0.25
_OK = 200


class StandingChaos:
    """What ``chaos run`` reaches of ``stack``, between ``bridge.start`` and ``bridge.stop``."""

    def __init__(self, stack: Stack, manifests: Manifests, clock: Clock, folder: Path) -> None:
        self._stack, self._clock = stack, clock
        self._wanted = manifests.deployment.replicas
        probe = manifests.deployment.template.containers[0].readiness
        self._path = probe.path if probe is not None else "/"
        self._ready = float(self._wanted)
        self._events: list[EventRow] = []
        places = PodPlaces(lambda: self._events, clock)
        self.bridge = Bridge(
            stack, manifests, clock, folder, steady=self._steady, set_flag=self._set_flag, places=places
        )

    def saw(self, row: EventRow | SampleRow) -> None:
        """Take note of what the stack tells: where its pods are, and how many are ready."""
        if isinstance(row, EventRow):
            self._events.append(row)
        elif row.metric == "ready_replicas":
            self._ready = row.value

    async def _steady(self) -> bool:
        """Return whether ``STEADY_S`` pass, within ``LIMIT_S``, with all pods ready and the service answering."""
        since_ns, again = self._clock.now_ns(), polling(self._clock, limit_s=LIMIT_S, every_s=_EVERY_S)
        while self._clock.now_ns() - since_ns < STEADY_S * NS:
            answered = await http_status(self._stack.endpoints().service, self._path) == _OK
            if not answered or self._ready < self._wanted:
                since_ns = self._clock.now_ns()
            if not await again():
                return False
        return True

    async def _set_flag(self, on: bool) -> int:
        return await self._stack.set_flag(Template(parameters={FLAG: Parameter(default=str(on).lower())}))
