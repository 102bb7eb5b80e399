"""The pods of a version that was undone are awaited until they are gone, and the undo's own, which stay, are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.model.evidence import EventRow
from harness.rehearsals.deploy.rehearsal import GONE_LIMIT_S, DeployParts
from harness.rehearsals.deploy.tallies import of_version
from harness.rehearsals.deploy.types import DeployPartKind
from tests.deploys.made import followed, one, pod

PLAN = one(DeployPartKind.BREAKS_LIMIT)
#: Two old pods; of the version two, of which one is ready; from second 15 on the undo, which makes another old one.
COURSE = [
    pod(1, "a", "Ready"), pod(2, "b", "Ready"), pod(10, "bad1", "Pending"), pod(12, "bad1", "Ready"),
    pod(12, "a", "Terminating"), pod(12, "bad2", "Pending"), pod(13, "a", "Gone"), pod(15, "back", "Pending"),
    pod(16, "bad2", "Terminating"), pod(18, "back", "Ready"), pod(18, "bad1", "Terminating"), pod(19, "bad2", "Gone"),
]  # fmt: skip
LEAVES = pod(25.9, "bad1", "Gone")
#: Made by a controller that had not heard of the undo yet.
LATE = [pod(15.2, "bad3", "Pending"), pod(15.4, "bad3", "Terminating"), pod(28.9, "bad3", "Gone")]


def waited_until_s(course: list[EventRow]) -> float:
    """The second at which no pod of the version is awaited any more, from second 20 on, when the undo was done."""
    virtual = VirtualClock()
    first_ns = virtual.now_ns() - 20 * NS

    class Evidence:
        @property
        def events(self) -> list[EventRow]:
            return [row for row in course if row.at_ns <= clock.now_ns()]

    async def sleep(seconds: float) -> None:
        await virtual.sleep(seconds)

    clock = SimpleNamespace(now_ns=lambda: virtual.now_ns() - first_ns, sleep=sleep)
    details = followed(PLAN, since_ns=9 * NS, undo_ns=15 * NS)
    on = SimpleNamespace(clock=clock, evidence=Evidence(), stack=None, details=details)
    virtual.run(DeployParts(cast(Any, on), PLAN, cast(Any, None), {})._gone())
    return float(clock.now_ns() / NS)


@pytest.mark.parametrize(
    ("course", "until_s"),
    [
        ([*COURSE, LEAVES], 26),
        (COURSE, 20 + GONE_LIMIT_S),  # one that never goes
        (sorted([*COURSE, LEAVES, *LATE], key=lambda row: row.at_ns), 29),
    ],
)
def test_until_no_pod_of_the_version_is_left(course: list[EventRow], until_s: float) -> None:
    assert waited_until_s(course) == until_s


def test_the_undos_own_pods_are_none_of_the_version() -> None:
    assert of_version(COURSE, 9 * NS, 15 * NS, 20 * NS) == {"bad1", "bad2"}
