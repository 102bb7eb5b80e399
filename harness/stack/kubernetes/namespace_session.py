"""What a run has inside the cluster: its namespace, the workload in it, and everything that follows both."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import ProgressCallback, message
from harness.model.stack import Address
from harness.stack.kubernetes.api_server import ApiServer
from harness.stack.kubernetes.evictions import Evictions
from harness.stack.kubernetes.logs import PodLogs
from harness.stack.kubernetes.watching import TargetPlace, Watching
from harness.stack.kubernetes.workload import Workload
from harness.stack.process.feed import Feed
from harness.stack.process.waiting import http_status
from harness.stack.state import Lease

SERVICE_LIMIT_S = 20.0
METRICS_LIMIT_S = 90.0
_POLL_S = 0.25


class NamespaceSession:
    """``start`` once; ``close`` whatever became of it."""

    def __init__(
        self, api: ApiServer, place: TargetPlace, *, logs: Path, feed: Feed, clock: Clock, progress: ProgressCallback
    ) -> None:
        self.namespace = place.namespace
        self.api = api
        self.watching = Watching(api, place, feed, clock)
        self.pod_logs = PodLogs(api, place, logs, feed, clock)
        self.workload = Workload(api, place, self.watching, self.pod_logs, clock)
        self.evictions = Evictions(api, place.namespace, self.watching, feed, clock)
        self._place = place
        self._feed = feed
        self._clock = clock
        self._progress = progress
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, lease: Lease) -> None:
        """Makes the namespace and follows it. Raises ``StackNotStarted``."""
        await self.workload.make_namespace(lease)
        for work in self.watching.works(self.pod_logs.follow):
            self.keep(work)

    async def service_answers(self, service: Address, path: str) -> None:
        """Asks as users will. Raises ``StackNotStarted`` after 20 s."""
        for _ in range(round(SERVICE_LIMIT_S / _POLL_S)):
            if await http_status(service, path):
                self._progress(message("the service answers on {address}", address=str(service)))
                return
            await self._clock.sleep(_POLL_S)
        raise StackNotStarted(
            message("the pods are ready, but the service does not answer on {service}", service=str(service)),
            where=self._place.namespace,
        )

    async def metrics_flow(self) -> None:
        """Waits until metrics-server has figures of the pods. Raises ``StackNotStarted`` after 90 s."""
        again = polling(self._clock, limit_s=METRICS_LIMIT_S, every_s=_POLL_S)
        while not self.watching.metrics_flow:
            if not await again():
                raise StackNotStarted(
                    message(
                        "metrics-server has no figures of the pods after {metrics_limit_s} s",
                        metrics_limit_s=f"{METRICS_LIMIT_S:g}",
                    ),
                    where="kubectl top pod",
                    remedy="read: kubectl -n kube-system logs deployment/metrics-server",
                )
        self._progress(message("metrics of every pod flow"))

    async def close(self) -> None:
        """Follows nothing any more; the namespace stays, see ``Workload.remove``."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pod_logs.close()
        await self.api.close()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until ``close``; what it raises is the stack's failure."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._kept_ended)
        self._tasks.append(task)

    def _kept_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._feed.fail_with(error)
