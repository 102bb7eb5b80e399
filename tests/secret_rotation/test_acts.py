"""What the acts tell of a rotation's steps: a new version has reached the files once every pod that is wanted has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.model.secrets import Credentials, SecretSeen, Synced
from harness.rehearsals.secret_rotation.rehearsal import RotationActs
from harness.rehearsals.secret_rotation.types import RotationCourse
from tests.secret_rotation.test_facts import PART

NEW = Credentials(user="b", password="another")


def followed(told: list[dict[str, str]]) -> float | None:
    """After how many seconds the files were of version 2; ``told`` are the driver's words by second, the last ones for
    good."""
    clock = VirtualClock()
    begun_ns = clock.now_ns()

    class Store:
        async def versions(self) -> dict[str, str]:
            return told[min(len(told) - 1, (clock.now_ns() - begun_ns) // NS)]

        async def synced(self) -> Synced:
            return Synced(user=NEW.user, digest=NEW.digest, managed=True)

        async def seen(self, pods: list[str]) -> tuple[SecretSeen, ...]:
            return ()

    acts = RotationActs.__new__(RotationActs)
    acts._store, acts._clock, acts._replicas, acts._version = cast(Any, Store()), cast(Any, clock), 2, "2"
    acts._on = cast(Any, SimpleNamespace(evidence=SimpleNamespace(event=lambda *_: None), say=lambda _: None))
    course = clock.run(acts._followed(PART, NEW, RotationCourse(begun_ns=begun_ns, published_ns=begun_ns)))
    return None if course.files_ns is None else (course.files_ns - begun_ns) / NS


@pytest.mark.parametrize(
    ("told", "files_s"),
    [
        ([{"a": "2", "b": "2"}], 0.0),
        ([{"a": "1", "b": "2"}, {"a": "2", "b": "2"}], 1.0),
        ([{"a": "2"}, {"a": "2"}, {"a": "2", "b": "2"}], 2.0),  # of b the driver has not told yet
        ([{"a": "2"}], None),
        ([{}], None),
    ],
)
def test_the_files_have_a_version_once_as_many_pods_as_are_wanted_have_it(
    told: list[dict[str, str]], files_s: float | None
) -> None:
    assert followed(told) == files_s


def test_in_place_the_files_are_looked_at_from_the_publishing_on_not_behind_the_sessions_end() -> None:
    """They follow after 3 s; the old sessions are ended 10 s after the publishing, and the restart comes behind both."""
    clock = VirtualClock()
    did: list[tuple[str, float]] = []
    begun_ns = clock.now_ns()

    def at() -> float:
        return (clock.now_ns() - begun_ns) / NS

    class Store:
        async def publish(self, new: Credentials) -> str:
            return "2"

        async def versions(self) -> dict[str, str]:
            return dict.fromkeys("ab", "2" if at() >= 3 else "1")

        async def synced(self) -> Synced:
            return Synced(user=NEW.user, digest=NEW.digest if at() >= 4 else "", managed=True)

        async def seen(self, pods: list[str]) -> tuple[SecretSeen, ...]:
            return ()

    async def ends(user: str) -> int:
        did.append((f"sessions of {user} end", at()))
        return 7

    async def restart() -> None:
        did.append(("restart", at()))

    async def done(*_: object) -> bool:
        return True

    acts = RotationActs.__new__(RotationActs)
    acts._store, acts._clock, acts._replicas = cast(Any, Store()), cast(Any, clock), 2
    acts._on = cast(Any, SimpleNamespace(evidence=SimpleNamespace(event=lambda *_: None), say=lambda _: None))
    acts._roles = cast(Any, SimpleNamespace(prepare=done, end_sessions=ends, logs_in=done))
    acts._stack, acts._credentials = cast(Any, SimpleNamespace(restart=restart)), Credentials(user="a", password="old")
    course = clock.run(acts._in_place(PART, NEW))
    assert course.files_ns is not None and course.synced_ns is not None
    assert [(at_ns - begun_ns) / NS for at_ns in (course.files_ns, course.synced_ns)] == [3.0, 4.0]
    assert did == [("sessions of b end", 10.0), ("restart", 10.0)] and course.sessions_ended == 7
