"""What is followed in a cluster: events are told once, and a log is taken up where its stream broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from harness.base.virtual import VirtualClock
from harness.model.evidence import EventRow
from harness.stack.kind.stack import NodeWatcher
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError
from harness.stack.kubernetes.watching import PodLogs, RunningPod, TargetPlace, Watching, read
from harness.stack.process.processes import Feed

PLACE = TargetPlace("walks", "api", "api")


def told(feed: Feed) -> list[str]:
    return [row.message for row in feed._rows if isinstance(row, EventRow)]


def event(uid: str, version: int, said: str, kind: str = "Pod") -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "resourceVersion": str(version)},
        "involvedObject": {"kind": kind, "name": "it"},
        "reason": "Said", "message": said, "lastTimestamp": "2026-11-29T12:00:00Z",
    }  # fmt: skip


class Lists:
    """An API server whose watch lists all that there is again, after each of its ends."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def watch(self, _path: str, **_: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        first, second = event("1", 7, "one", self._kind), event("2", 8, "two", self._kind)
        again = event("1", 9, "one more", self._kind)
        for change in (("ADDED", first), ("ADDED", second), ("MODIFIED", again), ("DELETED", second)):
            yield change
        for item in (again, event("3", 10, "three", self._kind)):
            yield "ADDED", item


@pytest.mark.parametrize("kind", ["Pod", "Node"])
def test_an_event_is_told_once_however_often_a_watch_lists_it(kind: str) -> None:
    clock = VirtualClock()
    feed, api = Feed(clock), cast(ApiServer, Lists(kind))
    clock.run(
        Watching(api, PLACE, feed, clock)._watch_events("events")
        if kind == "Pod"
        else NodeWatcher(api, feed, clock)._watch_events()
    )
    assert told(feed) == ["Said: one", "Said: two", "Said: one more", "Said: three"]


def pod(container_id: str) -> RunningPod:
    status = {"containerStatuses": [{"name": "api", "containerID": container_id, "state": {"running": {}}}]}
    return read(
        {"metadata": {"name": "api-1", "creationTimestamp": "2026-11-29T12:00:00Z"}, "spec": {}, "status": status}
    )


class Streams:
    """An API server whose streams of a log are ``streams``, one after the other: lines, and how each ends."""

    def __init__(self, *streams: tuple[list[str], ApiServerError | None]) -> None:
        self._streams = list(streams)
        self.asked: list[str] = []

    async def lines(self, _path: str, **query: str) -> AsyncIterator[bytes]:
        self.asked.append(query.get("sinceTime", ""))
        lines, error = self._streams.pop(0)
        for line in lines:
            yield line.encode()
        if error is not None:
            raise error


BROKE, DOWN, GONE = (
    ApiServerError(0, "the stream broke", ""),
    ApiServerError(502, "no node", ""),
    ApiServerError(404, "no such pod", ""),
)
A, B, C = "2026-11-29T12:00:00.1Z a", "2026-11-29T12:00:00.100000001Z b", "2026-11-29T12:00:09Z c"


def copied(folder: Path, api: Streams, *, restarted: bool = False) -> tuple[str, list[str]]:
    """What lies in the pod's log, and what was told."""
    clock = VirtualClock()
    feed = Feed(clock)
    logs = PodLogs(cast(ApiServer, api), PLACE, folder, feed, clock)

    async def follow() -> None:
        logs.follow(pod("containerd://1"))
        if restarted:
            logs._now["api-1"] = {"api": "2"}
        await asyncio.gather(*logs._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    clock.run(follow())
    assert feed.error is None
    return (folder / "api-1.log").read_text(), told(feed)


def test_a_log_whose_stream_breaks_is_taken_up_behind_its_last_line(tmp_path: Path) -> None:
    api = Streams(([A, "no stamp"], BROKE), ([], DOWN), ([A, B], BROKE), ([B, C], None))
    text, said = copied(tmp_path, api)
    assert text == "a\nno stamp\nb\nc\n"
    assert api.asked == ["", "2026-11-29T12:00:00Z", "2026-11-29T12:00:00Z", "2026-11-29T12:00:00Z"]
    assert said == ["logs/api-1.log"]


def test_the_zone_of_a_node_s_stamps_is_kept(tmp_path: Path) -> None:
    stamped = "2026-11-29T21:00:00.5+09:00 "
    api = Streams(([f"{stamped}a"], BROKE), ([f"{stamped}a", "2026-11-29T21:00:00.7+09:00 b"], None))
    assert copied(tmp_path, api)[0] == "a\nb\n"
    assert api.asked == ["", "2026-11-29T21:00:00+09:00"]


@pytest.mark.parametrize(("error", "restarted"), [(GONE, False), (BROKE, True), (None, False)])
def test_a_log_whose_container_is_gone_ends(error: ApiServerError | None, restarted: bool, tmp_path: Path) -> None:
    api = Streams(([A], error))
    assert copied(tmp_path, api, restarted=restarted)[0] == "a\n"
    assert api.asked == [""]
