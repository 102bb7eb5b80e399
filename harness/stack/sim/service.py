"""The service in memory: pods of the API's own code, asked in turn over ASGI, with faults in front of them.

A request takes ``network_s`` each way, drawn from the seed. A phone keeps its pod; a probe takes the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from enum import StrEnum
from fractions import Fraction
from typing import Any

import msgspec

from api.app import build_app
from api.logs import Log
from api.memory import MemoryTokens, SeededIds
from api.ports import Database, MirrorSink, Ports, Storage
from api.settings import Settings
from harness.base.clock import NS
from harness.base.http1 import Answer
from harness.base.virtual import VirtualClock
from harness.model.evidence import Outcome, Wire
from harness.model.stack import Fault, FaultKind
from harness.stack.faults import fault_proxy_process

ERROR = Answer(status=500, headers={}, body=b'{"error":{"code":"INTERNAL_ERROR","message":"planted"}}')
PROJECT = "demo-tekutoko"
_NETWORK_LEAST_S, _NETWORK_MEAN_S, _NETWORK_MOST_S = 0.002, 0.015, 0.1


class SimCaller(StrEnum):
    """Who asks."""

    PHONE = "phone"
    PROBE = "probe"


class PlantedAnswer(msgspec.Struct, kw_only=True):
    """What becomes of every request of ``caller`` whose number (from 1) makes ``number * share`` pass a whole number:
    the exact share at every moment, and never more. With ``delay_ms`` it waits, else it is answered 500.
    """

    caller: SimCaller
    share: Fraction
    delay_ms: float = 0.0
    seen: int = 0

    def hits(self) -> bool:
        """Whether the next request is hit."""
        self.seen += 1
        return int(self.seen * self.share) > int((self.seen - 1) * self.share)


class NoAnswerFrom(Exception):  # noqa: N818 - an outcome, not an error
    """The exchange ended without an answer; ``seen`` of it came."""

    def __init__(self, outcome: Outcome, wire: Wire = Wire.CLEAN, seen: bytes = b"") -> None:
        super().__init__(str(outcome))
        self.outcome = outcome
        self.wire = wire
        self.seen = seen


#: What becomes of an answer to a method and a path, asked with a token, which is its user's name; or ``NoAnswerFrom``.
Lie = Callable[[str, str, str, Answer], Answer]


class SimService:
    """``ask`` is one request. ``plants`` may be changed at any time. With ``one_by_one_ms`` phones' requests are served
    one after another, each so long.
    """

    def __init__(
        self,
        clock: VirtualClock,
        chance: random.Random,
        plants: tuple[PlantedAnswer, ...] = (),
        one_by_one_ms: float = 0.0,
    ) -> None:
        self.plants = plants
        self.lie: Lie | None = None
        self._one_by_one_ns = round(one_by_one_ms * 1e6)
        self._free_ns = 0
        self.faults = fault_proxy_process.FaultsInForce()
        self.lines: list[bytes] = []
        self._clock = clock
        self._chance = chance
        self._pods: list[Any] = []
        self._next = 0
        self._under_way: set[asyncio.Task[Any]] = set()
        self._injected = 0

    @contextlib.asynccontextmanager
    async def running(self, pods: int, database: Database, mirror: MirrorSink, storage: Storage) -> AsyncIterator[None]:
        """``pods`` processes of the API on these ports, until the block is left."""
        async with AsyncExitStack() as stack:
            for number in range(pods):
                ids = SeededIds(random.Random(self._chance.getrandbits(64)))  # noqa: S311 - of the run's seed
                ports = Ports(
                    database=database, tokens=MemoryTokens(), clock=self._clock, ids=ids, mirror=mirror, storage=storage
                )
                settings = Settings(project_id=PROJECT, pod_name=f"sim-{number}")
                log = Log(self._clock, pod_name=settings.pod_name, level="warning", write=self.lines.append)
                app = build_app(settings, ports, log)
                await stack.enter_async_context(app.router.lifespan_context(app))
                self._pods.append(app)
            yield
            await asyncio.gather(*self._under_way)

    def connect(self) -> Any:
        """The pod of a new connection."""
        self._next += 1
        return self._pods[self._next % len(self._pods)]

    def inject(self, fault: Fault) -> int:
        """As the fault proxy does it; the number to end it by."""
        self._injected += 1
        self.faults.active[self._injected] = fault_proxy_process.ProxyFault(
            kind=str(fault.kind),
            numerator=fault.ratio.numerator,
            denominator=fault.ratio.denominator,
            delay_s=fault.delay_ms / 1000 if fault.kind is FaultKind.LATENCY else 0.0,
        )
        return self._injected

    async def ask(  # noqa: PLR0917 - a request
        self, caller: SimCaller, app: Any, method: str, path: str, token: str, body: bytes
    ) -> Answer:
        """The answer. Raises ``NoAnswerFrom``. A caller that gives up leaves the request to go on."""
        await self._clock.sleep(self._network_s())
        if self.faults.closed:
            raise NoAnswerFrom(Outcome.REFUSED)
        became = self.faults.judge()
        delay_s, error = became.delay_s, became.error
        for plant in self.plants:
            if plant.caller is caller and plant.hits():
                delay_s += plant.delay_ms / 1000
                error |= not plant.delay_ms
        if caller is SimCaller.PHONE and self._one_by_one_ns:
            delay_s += self._queued_s()
        if became.cut:
            raise NoAnswerFrom(Outcome.BROKEN, Wire.CLOSED)
        if delay_s:
            await self._clock.sleep(delay_s)
        if error:
            return ERROR
        task = asyncio.ensure_future(over_asgi(app, method, path, token, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        answer = await asyncio.shield(task)
        await self._clock.sleep(self._network_s())
        return answer if self.lie is None else self.lie(method, path, token, answer)

    def _queued_s(self) -> float:
        """How long a request that comes now waits for those before it, and is served."""
        now_ns = self._clock.now_ns()
        self._free_ns = max(self._free_ns, now_ns) + self._one_by_one_ns
        return (self._free_ns - now_ns) / NS

    def _network_s(self) -> float:
        drawn_s = _NETWORK_LEAST_S + self._chance.expovariate(1 / _NETWORK_MEAN_S)
        return round(min(drawn_s, _NETWORK_MOST_S), 6)


async def over_asgi(app: Any, method: str, path: str, token: str, body: bytes) -> Answer:
    """What the application answers."""
    where, _, query = path.partition("?")
    headers = [(b"host", b"api"), (b"authorization", b"Bearer " + token.encode())]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        await asyncio.Future()  # it stays connected
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    head, *rest = sent
    return Answer(
        status=head["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in head["headers"]},
        body=b"".join(each.get("body", b"") for each in rest),
        head=b"\n".join(b": ".join(each) for each in head["headers"]),
    )
