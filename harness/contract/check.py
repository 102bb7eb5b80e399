"""A check: one sentence of the contract and the coroutine that tries it. How it ends is how it raises."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from harness.contract.grade import Finding, Source
from harness.contract.http import Exchange
from harness.contract.shape import error_problems
from harness.model.message import Message, joined, message

if TYPE_CHECKING:
    from harness.contract.bench import Bench

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Run = Callable[["Bench"], Awaitable[None]]


class Deviates(Exception):  # noqa: N818 - an outcome, not an error
    """The target does not do what the sentence says. ``exchange`` is the request that shows it.

    ``finding`` is what is wrong where that is not what the check looks for as a rule.
    """

    def __init__(
        self,
        expected: str | Message,
        got: str | Message,
        exchange: Exchange | None = None,
        finding: Finding | None = None,
    ) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.exchange = exchange
        self.finding = finding


class NotExercised(Exception):  # noqa: N818
    """What the check builds on is missing or deviates; another check says so.

    ``allowed`` says that the target may do without it: then it holds nothing up.
    """

    def __init__(self, reason: Message, *, allowed: bool = False) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.allowed = allowed


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is dotted and stable; ``sentence`` is what ``source`` says; ``finding`` is what is wrong as a rule.

    No document asks for what an ``advice`` looks at.
    """

    id: str
    sentence: str
    run: Run
    source: Source
    finding: Finding
    advice: bool = False


class Checks:
    """The checks of one module, in the order written: ``@CHECKS("id", "sentence")`` adds one.

    ``source`` and ``finding`` are those of all that name no other.
    """

    def __init__(self, source: Source, finding: Finding = Finding.BODY, *, advice: bool = False) -> None:
        self._source = source
        self._finding = finding
        self._advice = advice
        self._checks: list[Check] = []

    def __call__(
        self,
        id_: str,
        sentence: str,
        source: Source | None = None,
        finding: Finding | None = None,
        *,
        advice: bool = False,
    ) -> Callable[[Run], Run]:
        def add(run: Run) -> Run:
            self.add(id_, sentence, run, source, finding, advice=advice)
            return run

        return add

    def add(
        self,
        id_: str,
        sentence: str,
        run: Run,
        source: Source | None = None,
        finding: Finding | None = None,
        *,
        advice: bool = False,
    ) -> None:
        """Adds one that a table made."""
        self._checks.append(
            Check(
                id=id_,
                sentence=sentence,
                run=run,
                source=source or self._source,
                finding=finding or self._finding,
                advice=advice or self._advice,
            )
        )

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)


def must(exchange: Exchange, *statuses: int) -> Exchange:
    """``exchange`` when its status is one of ``statuses``; else it deviates."""
    if exchange.status not in statuses:
        raise Deviates(status(*statuses), exchange.shown, exchange, Finding.STATUS)
    return exchange


def status(*statuses: int) -> Message:
    """One of them, or the only one."""
    wanted: str | Message = str(statuses[0])
    for each in statuses[1:]:
        wanted = message("{first} or {second}", first=wanted, second=str(each))
    return message("status {status}", status=wanted)


def must_not_fail(exchange: Exchange) -> Exchange:
    """``exchange`` when it was answered, and by no 5xx."""
    if not 200 <= exchange.status < 500:
        raise Deviates(message("an answer below 500"), exchange.shown, exchange, Finding.STATUS)
    return exchange


def must_be(
    what: str | Message,
    expected: object,
    got: object,
    exchange: Exchange | None = None,
    finding: Finding | None = None,
) -> None:
    """Deviates unless the two are equal, types of numbers aside."""
    if expected != got:
        raise Deviates(message("{what} {value}", what=what, value=f"{expected!r}"), f"{got!r}", exchange, finding)


def needs(exchange: Exchange, *statuses: int) -> Exchange:
    """``exchange`` when it is a usable preparation: any 2xx, or one of ``statuses``."""
    if not (200 <= exchange.status < 300 or exchange.status in statuses):
        raise NotExercised(message("it needs {call} to work: {answer}", call=_call(exchange), answer=exchange.shown))
    return exchange


def decided(exchange: Exchange) -> Exchange:
    """``exchange`` when the target came to decide on it: without an answer, or by a 429 or 5xx, what it would have let
    happen is not known. What happened all the same is to be looked at before.
    """
    if exchange.status in {0, 429} or exchange.status >= 500:
        raise NotExercised(
            message(
                "it needs an answer to {call} that is no 429 and no 5xx: {answer}",
                call=_call(exchange),
                answer=exchange.shown,
            )
        )
    return exchange


def _call(exchange: Exchange) -> str:
    return f"{exchange.method} {_ID.sub('{uuid}', exchange.path.partition('?')[0])}"


def must_carry(exchange: Exchange, status: int, code: str) -> None:
    """The body of an error that has the right status; a wrong one is another check's deviation."""
    if exchange.status != status:
        raise NotExercised(message("it needs an answer {status}: {answer}", status=str(status), answer=exchange.shown))
    wrong = error_problems(exchange.json(), code)
    if wrong:
        raise Deviates(
            f'{{"error": {{"code": "{code}", "message": ...}}}}',
            message("{what} ({answer})", what=joined(wrong), answer=exchange.shown),
            exchange,
            Finding.BODY,
        )
