"""When a killed container was dead: by the engine's record, where that fits what the run's own clock saw."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS, Anchor, Clock
from harness.stack.kind import docker
from harness.stack.kind.ground import Outside

BOOT = 1_795_656_100  # UTC of the run's clock at 0


class Slow:
    """A clock on which each command of Docker takes a second."""

    anchor = Anchor(monotonic_ns=0, unix_ns=BOOT * NS)

    def __init__(self) -> None:
        self.now_s = 2.0

    def now_ns(self) -> int:
        return round(self.now_s * NS)


@pytest.mark.parametrize(
    ("recorded", "dead_s"),
    [
        ("2026-11-26T01:21:42.250000999Z", 2.250001),  # a quarter of a second after the kill was asked for
        ("2026-11-26T01:21:41.9Z", 3.0),  # before: the clocks do not agree, or it had ended by itself
        ("2026-11-26T01:21:43.1Z", 3.0),  # after the engine's answer
        ("0001-01-01T00:00:00Z", 3.0),  # never ended
    ],
)
async def test_the_engine_s_record_counts_where_it_can_be_true(
    monkeypatch: pytest.MonkeyPatch, recorded: str, dead_s: float
) -> None:
    clock, asked = Slow(), list[tuple[object, ...]]()

    class Api:
        def kill(self, *words: object) -> None:
            asked.append(words)

        def inspect_container(self, _name: object) -> object:
            return {"State": {"FinishedAt": recorded}}

    async def ask(question: Callable[[Any], object], **_named: object) -> object:
        clock.now_s += 1
        return question(SimpleNamespace(api=Api()))

    monkeypatch.setattr(docker, "ask", ask)
    killed = cast(Any, Outside.__new__(Outside))
    killed._clock, killed._name, killed.part = cast(Clock, clock), "x-postgres", "postgres"
    assert await killed.kill() == pytest.approx(dead_s * NS, abs=2_000)
    assert asked == [("x-postgres", "SIGKILL")]
