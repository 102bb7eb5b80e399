"""The pods' logs, followed into the report's folder as long as their containers live."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.stack.feed import Feed
from harness.stack.kubernetes.api_server import ApiServer, Refused
from harness.stack.kubernetes.pods import Pod
from harness.stack.kubernetes.watching import Place


class PodLogs:
    """Writes ``<pod>.log`` for the first container and ``<pod>.<container>.log`` for each other."""

    def __init__(self, api: ApiServer, place: Place, folder: Path, feed: Feed) -> None:
        self._api = api
        self._namespace = place.namespace
        self._target = place.container
        self._folder = folder
        self._feed = feed
        self._followed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, pod: Pod) -> None:
        """Begins to follow what is not followed yet: a restarted container has a new id."""
        for container, container_id in pod.containers.items():
            if container_id not in self._followed:
                self._followed.add(container_id)
                task = asyncio.ensure_future(self._copy(pod.name, container))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def path(self, pod: str, container: str) -> Path:
        """Where a container's log is written."""
        return self._folder / (f"{pod}.log" if container == self._target else f"{pod}.{container}.log")

    def first(self, pod: str) -> Path:
        """The target's log of a pod."""
        return self.path(pod, self._target)

    async def close(self) -> None:
        """Ends all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _copy(self, pod: str, container: str) -> None:
        path = self.path(pod, container)
        if not path.exists():
            self._feed.event("log", path.stem, f"logs/{path.name}")
        place = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        with path.open("ab", buffering=0) as file:
            async for line in self._api.lines(place, container=container, follow="true"):
                file.write(line + b"\n")

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, Refused):  # a pod that is gone takes its log with it
            self._feed.fail_with(error)
