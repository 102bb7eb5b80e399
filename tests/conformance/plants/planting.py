"""A plant: one way in which a target is wrong, and the checks that must find it, all of them and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import Plant, Target


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """``finds`` are the ids of the checks that it must trip."""

    name: str
    plant: Plant
    finds: frozenset[str]


class Plants:
    """Those of one module, in the order written: ``@PLANTS("id", ...)`` adds a function by its name."""

    def __init__(self) -> None:
        self._plants: list[Planted] = []

    def __call__(self, *finds: str) -> Callable[[Plant], Plant]:
        def add(plant: Plant) -> Plant:
            self.add(plant.__name__, plant, *finds)
            return plant

        return add

    def add(self, name: str, plant: Plant, *finds: str) -> None:
        """Adds one that a table made."""
        self._plants.append(Planted(name=name, plant=plant, finds=frozenset(finds)))

    def __iter__(self) -> Iterator[Planted]:
        return iter(self._plants)

    # -- requests ------------------------------------------------------------------------------------------------

    def refuses(self, name: str, when: Callable[[Call], object], *finds: str, status: int = 400) -> None:
        """The target refuses a call that it must take."""

        def plant(target: Target) -> None:
            target.front.before.append(lambda call: refusal(status) if when(call) else None)

        self.add(name, plant, *finds)

    def bends(self, name: str, change: Callable[[Call, dict[str, Any]], None], *finds: str) -> None:
        """The target makes something of a JSON object that it must refuse: ``change`` says what."""

        def bend(call: Call) -> None:
            body = call.json if call.method in ("POST", "PUT") else None
            if isinstance(body, dict):
                before = msgspec.json.encode(body)
                change(call, body)
                if (after := msgspec.json.encode(body)) != before:
                    call.body = after

        self.reads(name, bend, *finds)

    def reads(self, name: str, change: Callable[[Call], None], *finds: str) -> None:
        """The target reads something else than was sent."""

        def read(call: Call) -> Answer | None:
            change(call)
            return None

        def plant(target: Target) -> None:
            target.front.before.append(read)

        self.add(name, plant, *finds)

    # -- answers -------------------------------------------------------------------------------------------------

    def answers(self, name: str, change: Callable[[Call, Answer], None], *finds: str) -> None:
        """The target's answer is another."""

        def plant(target: Target) -> None:
            target.front.after.append(change)

        self.add(name, plant, *finds)
