"""A check: one sentence of the contract and the coroutine that tries it. How it ends is how it raises."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from harness.conformance.http import Exchange

if TYPE_CHECKING:
    from harness.conformance.bench import Bench

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Run = Callable[["Bench"], Awaitable[None]]


class Deviates(Exception):  # noqa: N818 - an outcome, not an error
    """The target does not do what the sentence says. ``exchange`` is the request that shows it."""

    def __init__(self, expected: str, got: str, exchange: Exchange | None = None) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.exchange = exchange


class NotExercised(Exception):  # noqa: N818
    """What the check builds on is missing or deviates; another check says so."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is dotted and stable; ``sentence`` is what the contract says."""

    id: str
    sentence: str
    run: Run


class Checks:
    """The checks of one module, in the order written: ``@CHECKS("id", "sentence")`` adds one."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def __call__(self, id_: str, sentence: str) -> Callable[[Run], Run]:
        def add(run: Run) -> Run:
            self.add(id_, sentence, run)
            return run

        return add

    def add(self, id_: str, sentence: str, run: Run) -> None:
        """Adds one that a table made."""
        self._checks.append(Check(id=id_, sentence=sentence, run=run))

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)


def must(exchange: Exchange, *statuses: int) -> Exchange:
    """``exchange`` when its status is one of ``statuses``; else it deviates."""
    if exchange.status not in statuses:
        raise Deviates(f"status {' or '.join(map(str, statuses))}", exchange.shown, exchange)
    return exchange


def must_not_fail(exchange: Exchange) -> Exchange:
    """``exchange`` when it was answered, and by no 5xx."""
    if not 200 <= exchange.status < 500:
        raise Deviates("an answer below 500", exchange.shown, exchange)
    return exchange


def must_be(what: str, expected: object, got: object, exchange: Exchange | None = None) -> None:
    """Deviates unless the two are equal, types of numbers aside."""
    if expected != got:
        raise Deviates(f"{what} {expected!r}", f"{got!r}", exchange)


def needs(exchange: Exchange, *statuses: int) -> Exchange:
    """``exchange`` when it is a usable preparation: any 2xx, or one of ``statuses``."""
    if not (200 <= exchange.status < 300 or exchange.status in statuses):
        where = _ID.sub("{uuid}", exchange.path.partition("?")[0])
        raise NotExercised(f"it needs {exchange.method} {where} to work: {exchange.shown}")
    return exchange
