"""A check: one sentence of the contract and the coroutine that tries it. How it ends is how it raises.

What a check works with: fresh users and ids, requests, Firestore, PostgreSQL, the pods' logs, a process beside.
Which checks a plan is about. Pure.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from harness.base.clock import Clock, polling
from harness.base.seed import stream
from harness.checks.contract import http
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.logs import Logs
from harness.checks.contract.reach import Absences, NotExercised, Reach, StandaloneTarget
from harness.checks.contract.rules import Rules
from harness.checks.contract.run import DeviationKind, SentenceSource
from harness.checks.contract.shape import error_problems, is_time
from harness.checks.walk_tables import StoredWalks
from harness.load.population.ids import uuid4_text
from harness.model.message import Message, joined, message
from harness.model.stack import Address, Endpoints
from harness.stack.firebase.documents import Documents, Fields, instant

MIRROR_LIMIT_S = 10.0  # from the answer to the document; the contract says "asynchronously" and names no time
_READY_AGAIN_S = 3.0
_POLL_S = 0.1
WALKS = "/v1/walks"


class CheckFixture(msgspec.Struct, frozen=True, kw_only=True):
    """What all checks of a run stand on."""

    reach: Reach
    clock: Clock
    documents: Documents
    logs: Logs
    seed: int
    run_id: str
    absences: Absences = msgspec.field(default_factory=Absences)
    rules: Rules = msgspec.field(default_factory=Rules)
    hides_tokens: bool = False  # what is kept of a request shows who asked, and no token

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts answer."""
        return self.reach.endpoints


class ContractCaller:
    """Somebody who asks: a user with a token, or nobody in particular."""

    def __init__(self, bench: ContractClient, address: Address, uid: str, token: str | None) -> None:
        self.uid = uid
        self.token = token
        self._bench = bench
        self._address = address

    @property
    def _hidden(self) -> tuple[tuple[str, str], ...]:
        """As ``http.HttpExchange`` has it: the caller's token, where those are hidden."""
        shown = self.token if self._bench.ground.hides_tokens else None
        return ((shown, f"<ID token of {self.uid}>"),) if shown else ()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: http.Headers = (),
        *,
        timeout_s: float = http.TIMEOUT_S,
        hidden: tuple[tuple[str, str], ...] = (),
    ) -> http.HttpExchange:
        """One request; ``body`` is sent as JSON, bytes as they are. A header that is given is sent instead of the
        caller's own. ``hidden`` as in ``http.HttpExchange``.
        """
        given = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        own = [] if self.token is None else [("Authorization", f"Bearer {self.token}")]
        if raw:
            own.append(("Content-Type", "application/json"))
        names = {name for name, _ in given}
        exchange = await http.send(
            self._address,
            method,
            path,
            headers=[*(each for each in own if each[0] not in names), *given],
            body=raw,
            timeout_s=timeout_s,
            connect=self._bench.connect,
            hidden=(*hidden, *self._hidden),
        )
        self._bench.exchanges.append(exchange)
        return exchange

    async def send_raw(self, raw: bytes, method: str, path: str, *, more_s: float = 0.0) -> http.HttpExchange:
        """Bytes as they are, which need be no HTTP; ``more_s`` as in ``http.send_raw``."""
        where: Any = {"connect": self._bench.connect, "hidden": self._hidden, "more_s": more_s}
        exchange = await http.send_raw(self._address, raw, method=method, path=path, **where)
        self._bench.exchanges.append(exchange)
        return exchange

    async def get(self, path: str) -> http.HttpExchange:
        """GET."""
        return await self.send("GET", path)

    async def post(self, body: object) -> http.HttpExchange:
        """POST /v1/walks."""
        return await self.send("POST", WALKS, body)

    async def put(self, walk_id: str, body: object) -> http.HttpExchange:
        """PUT /v1/walks/{id}."""
        return await self.send("PUT", f"{WALKS}/{walk_id}", body)

    async def delete(self, walk_id: str) -> http.HttpExchange:
        """DELETE /v1/walks/{id}."""
        return await self.send("DELETE", f"{WALKS}/{walk_id}")

    async def new_walk(self, title: str = "朝の散歩") -> str:
        """The id of a walk made for a check of something else."""
        exchange = needs(await self.post({"title": title}))
        body = exchange.json()
        if not isinstance(body, dict) or not isinstance(body.get("id"), str):
            raise NotExercised(message("it needs the id of a created walk: {answer}", answer=exchange.shown))
        return str(body["id"])

    async def put_walk(self, walk_id: str, body: object) -> http.HttpExchange:
        """A PUT made for a check of something else."""
        return needs(await self.put(walk_id, body))

    async def walk(self, walk_id: str) -> dict[str, Any]:
        """The walk as answered, for a check of something else."""
        exchange = needs(await self.get(f"{WALKS}/{walk_id}"))
        body = exchange.json()
        if not isinstance(body, dict):
            raise NotExercised(message("it needs a walk to be read: {answer}", answer=exchange.shown))
        return body

    async def locations(self, walk_id: str) -> list[dict[str, Any]]:
        """The walk's locations as answered."""
        locations = (await self.walk(walk_id)).get("locations")
        if not isinstance(locations, list) or not all(isinstance(each, dict) for each in locations):
            raise NotExercised(message("it needs a walk's locations, and the answer has no list of them"))
        return locations


class ContractClient:
    """One check's. Every check has its own users and walks, so that no check meets another's."""

    def __init__(self, ground: CheckFixture, check_id: str) -> None:
        self.ground = ground
        self.clock = ground.clock
        self.endpoints = ground.endpoints
        self.connect = ground.reach.connect
        self.exchanges: list[http.HttpExchange] = []
        self.used: list[str] = []  # names of the rules that the check asked for
        self._chance: random.Random = stream(ground.seed, f"conformance:{ground.run_id}:{check_id}")
        self.nobody = ContractCaller(self, self.endpoints.service, "", None)

    def rule(self, name: str) -> Any:
        """The contract's figure of that name, or what the team's OpenAPI file says instead."""
        self.used.append(name)
        return self.ground.rules[name]

    async def user(self) -> ContractCaller:
        """A new user, signed in."""
        uid = f"conformance-{self._chance.getrandbits(64):016x}"
        user = await self.ground.reach.sign_up(uid)
        return ContractCaller(self, self.endpoints.service, uid, user.token)

    def with_token(self, token: str) -> ContractCaller:
        """Whoever that token makes of a caller."""
        return ContractCaller(self, self.endpoints.service, "", token)

    def at(self, address: Address, caller: ContractCaller) -> ContractCaller:
        """The same user, asking there."""
        return ContractCaller(self, address, caller.uid, caller.token)

    def walk_id(self) -> str:
        """A new UUID, as the phone makes one."""
        return uuid4_text(self._chance)

    async def user_rows(self, uid: str) -> int:
        """How many rows ``users`` has of that user, past the target. Raises ``NotExercised`` for what is not read."""
        return await self.ground.reach.user_rows(uid)

    async def stored(self, walk_id: str) -> StoredWalks:
        """That walk as it lies in PostgreSQL, past the target. Raises ``NotExercised`` for what is not read."""
        return await self.ground.reach.stored(walk_id)

    async def document(self, walk_id: str, updated_at: object = None) -> Fields:
        """The walk's document, under the id in upper or lower case, once it shows ``updated_at`` where that is given.

        Waits ``MIRROR_LIMIT_S``; then the document as it is, ``NotExercised`` when there is none. As long as no
        document was ever seen, others are written too: when none of them all comes, there is no dual write, and
        nothing waits for one again.
        """
        mirror = self.ground.absences.mirror
        if mirror.reason:
            raise NotExercised(mirror.reason)
        others = () if mirror.seen else await self._other_walks()
        found = await self.document_now(walk_id)
        again = polling(self.clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while not _shows(found, updated_at) and await again():
            found = await self.document_now(walk_id)
        if found is not None or [each for each in others if await self.document_now(each)]:
            mirror.came()
        else:
            mirror.never_came(
                message(
                    "the target writes nothing to Firestore: no document of {count} walks came within {limit} s",
                    count=str(1 + len(others)),
                    limit=f"{MIRROR_LIMIT_S:g}",
                )
            )
        if found is None:
            limit = f"{MIRROR_LIMIT_S:g}"
            none = message("it needs the walk's document, and none came within {limit} s", limit=limit)
            raise NotExercised(mirror.reason or none)
        return found

    async def _other_walks(self) -> tuple[str, ...]:
        """A walk by POST and two by PUT, of another user: what a mirror would show, if there is one.

        Only those that were made: that a target makes none by PUT is another check's to say.
        """
        other = await self.user()
        put = [self.walk_id(), self.walk_id()]
        made = [each for each in put if 200 <= (await other.put(each, {"title": "散歩"})).status < 300]
        return (await other.new_walk(), *made)

    async def once_ready(self, ask: Callable[[], Awaitable[HttpExchange]]) -> HttpExchange:
        """The answer of /ready; asked for again while it is 503, as under a slow database, for ``_READY_AGAIN_S``."""
        again = polling(self.clock, limit_s=_READY_AGAIN_S, every_s=_POLL_S)
        while (exchange := await ask()).status == 503 and await again():
            pass
        return exchange

    async def document_now(self, walk_id: str) -> Fields | None:
        """The document as it is now, under the id in upper or lower case."""
        documents = self.ground.documents
        return await documents.get(walk_id.upper()) or await documents.get(walk_id.lower())

    async def document_gone(self, walk_id: str) -> bool:
        """Whether there is no document within ``MIRROR_LIMIT_S``."""
        again = polling(self.clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while await self.document_now(walk_id) is not None:
            if not await again():
                return False
        return True

    def beside(self) -> AbstractAsyncContextManager[StandaloneTarget]:
        """The target's program once more, ready, with a database that may be taken away; killed afterwards."""
        return self.ground.reach.spare(f"beside-{self._chance.getrandbits(32):08x}")


def _shows(found: Fields | None, updated_at: object) -> bool:
    if found is None or not is_time(updated_at):
        return found is not None
    held = found.get("updated_at")
    if held is None or held.kind != "timestamp":
        return False
    apart_s: float = (held.value - instant(str(updated_at))).total_seconds()
    return abs(apart_s) < 0.001


def chosen(known: Sequence[Check], only: Sequence[str]) -> tuple[Check, ...]:
    """Those of ``known`` whose ids match a pattern of ``only``; all when there is none."""
    return tuple(check for check in known if not only or any(fnmatchcase(check.id, pattern) for pattern in only))


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Run = Callable[["ContractClient"], Awaitable[None]]


class Deviates(Exception):  # noqa: N818 - an outcome, not an error
    """The target does not do what the sentence says. ``exchange`` is the request that shows it.

    ``finding`` is what is wrong where that is not what the check looks for as a rule.
    """

    def __init__(
        self,
        expected: str | Message,
        got: str | Message,
        exchange: HttpExchange | None = None,
        finding: DeviationKind | None = None,
    ) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.exchange = exchange
        self.finding = finding


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` is dotted and stable; ``sentence`` is what ``source`` says; ``finding`` is what is wrong as a rule.

    No document asks for what an ``advice`` looks at.
    """

    id: str
    sentence: str
    run: Run
    source: SentenceSource
    finding: DeviationKind
    advice: bool = False


class Checks(list[Check]):
    """The checks of one module, in the order written: ``@CHECKS("id", "sentence")`` adds one.

    ``source`` and ``finding`` are those of all that name no other.
    """

    def __init__(
        self, source: SentenceSource, finding: DeviationKind = DeviationKind.BODY, *, advice: bool = False
    ) -> None:
        super().__init__()
        self._source = source
        self._finding = finding
        self._advice = advice

    def __call__(
        self,
        id_: str,
        sentence: str,
        source: SentenceSource | None = None,
        finding: DeviationKind | None = None,
        *,
        advice: bool = False,
    ) -> Callable[[Run], Run]:
        whose, wrong = source or self._source, finding or self._finding
        told_only = advice or self._advice

        def add(run: Run) -> Run:
            self.append(Check(id=id_, sentence=sentence, run=run, source=whose, finding=wrong, advice=told_only))
            return run

        return add


def must(exchange: HttpExchange, *statuses: int) -> HttpExchange:
    """``exchange`` when its status is one of ``statuses``; else it deviates."""
    if exchange.status not in statuses:
        raise Deviates(status(*statuses), exchange.shown, exchange, DeviationKind.STATUS)
    return exchange


def status(*statuses: int) -> Message:
    """One of them, or the only one."""
    wanted: str | Message = str(statuses[0])
    for each in statuses[1:]:
        wanted = message("{first} or {second}", first=wanted, second=str(each))
    return message("status {status}", status=wanted)


def must_not_fail(exchange: HttpExchange) -> HttpExchange:
    """``exchange`` when it was answered, and by no 5xx."""
    if not 200 <= exchange.status < 500:
        raise Deviates(message("an answer below 500"), exchange.shown, exchange, DeviationKind.STATUS)
    return exchange


def must_be(
    what: str | Message,
    expected: object,
    got: object,
    exchange: HttpExchange | None = None,
    finding: DeviationKind | None = None,
) -> None:
    """Deviates unless the two are equal, types of numbers aside."""
    if expected != got:
        raise Deviates(message("{what} {value}", what=what, value=f"{expected!r}"), f"{got!r}", exchange, finding)


def needs(exchange: HttpExchange, *statuses: int) -> HttpExchange:
    """``exchange`` when it is a usable preparation: any 2xx, or one of ``statuses``."""
    if not (200 <= exchange.status < 300 or exchange.status in statuses):
        raise NotExercised(message("it needs {call} to work: {answer}", call=_call(exchange), answer=exchange.shown))
    return exchange


def decided(exchange: HttpExchange) -> HttpExchange:
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


def _call(exchange: HttpExchange) -> str:
    return f"{exchange.method} {_ID.sub('{uuid}', exchange.path.partition('?')[0])}"


def must_carry(exchange: HttpExchange, status: int, code: str) -> None:
    """The body of an error that has the right status; a wrong one is another check's deviation."""
    if exchange.status != status:
        raise NotExercised(message("it needs an answer {status}: {answer}", status=str(status), answer=exchange.shown))
    wrong = error_problems(exchange.json(), code)
    if wrong:
        raise Deviates(
            f'{{"error": {{"code": "{code}", "message": ...}}}}',
            message("{what} ({answer})", what=joined(wrong), answer=exchange.shown),
            exchange,
            DeviationKind.BODY,
        )
