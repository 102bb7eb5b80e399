"""The pods' logs, followed into the report's folder as long as their containers live."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from harness.base.clock import Clock
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError
from harness.stack.kubernetes.watching import RunningPod, TargetPlace
from harness.stack.process.processes import Feed

_AGAIN_S = 1.0
_SERVER_ERROR = 500
#: The runtime's stamp before each line, RFC 3339; a fraction has no zeros at its end.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(\S*)")


class PodLogs:
    """Writes ``<pod>.log`` for the first container and ``<pod>.<container>.log`` for each other."""

    def __init__(self, api: ApiServer, place: TargetPlace, folder: Path, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._namespace = place.namespace
        self._target = place.container
        self._folder = folder
        self._feed = feed
        self._clock = clock
        self._followed: set[str] = set()
        self._now: dict[str, dict[str, str]] = {}  # each pod's containers, with their ids
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, pod: RunningPod) -> None:
        """Begins to follow what is not followed yet: a restarted container has a new id."""
        self._now[pod.name] = dict(pod.containers)
        for container, container_id in pod.containers.items():
            if container_id not in self._followed:
                self._followed.add(container_id)
                task = asyncio.ensure_future(self._copy(pod.name, container, container_id))
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

    async def _copy(self, pod: str, container: str, container_id: str) -> None:
        """To its end. A stream that breaks while the container lives is taken up behind the last line that came."""
        path = self.path(pod, container)
        if not path.exists():
            self._feed.event("log", path.stem, f"logs/{path.name}")
        place = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        last = known = (b"", b"", b"")
        with path.open("ab", buffering=0) as file:
            while True:
                since = {"sinceTime": (last[0] + last[2]).decode()} if last[0] else {}
                lines = self._api.lines(place, container=container, follow="true", timestamps="true", **since)
                try:
                    async for line in lines:
                        came, said = _stamped(line)
                        if came is None or came > known:
                            file.write(said + b"\n")
                        last = max(last, came or last)
                except ApiServerError as error:
                    if 0 < error.status < _SERVER_ERROR:
                        raise
                else:
                    return
                known = last
                await self._clock.sleep(_AGAIN_S)
                if self._now[pod].get(container) != container_id:
                    return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, ApiServerError):  # a pod that is gone takes its log with it
            self._feed.fail_with(error)


def _stamped(line: bytes) -> tuple[tuple[bytes, bytes, bytes] | None, bytes]:
    """The second, the nanoseconds and the zone of its stamp, which can be compared with those of its node, and what was
    said; ``None`` and all of a line without one, as the kubelet's own are."""
    stamp, _, said = line.partition(b" ")
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return None, line
    return (found[1], (found[2] or b"").ljust(9, b"0"), found[3]), said
