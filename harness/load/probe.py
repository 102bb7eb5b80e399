"""One availability probe: an authenticated GET or PUT of a canary's walk on a new connection through the service."""

from __future__ import annotations

import asyncio

import msgspec

from harness.load.answers import classify, unanswered
from harness.load.auth import Token
from harness.load.http1 import NoAnswer
from harness.load.population.schedule import NOBODY, Account, Canary, Population
from harness.load.population.walk import Status, WalkUpdate, encode, moment
from harness.load.rest import exchange
from harness.model.evidence import Operation, Outcome, Wire
from harness.model.stack import Address


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe saw; ``status`` 0 when there was no whole answer."""

    status: int = 0
    outcome: Outcome
    pod: str = ""
    shown: str = ""
    wire: Wire = Wire.CLEAN


class Prober(msgspec.Struct, kw_only=True):
    """A canary with its token. Until a PUT of it was confirmed, a 404 to its GET is right."""

    canary: Canary
    token: Token
    body: bytes
    population: Population = NOBODY
    put: bool = False

    @property
    def account(self) -> Account:
        """The canary's."""
        return self.canary.account

    async def probe(self, service: Address, operation: Operation, timeout_s: float) -> Probed:
        """Never raises for what the target does; ``timeout_s`` spans connecting, sending and the whole answer."""
        writes = operation is Operation.PUT_WALK
        path = f"/v1/walks/{self.canary.walk_id}"
        put_before = self.put
        try:
            async with asyncio.timeout(timeout_s):
                answer = await exchange(
                    service, "PUT" if writes else "GET", path, self.token.id_token, self.body if writes else b""
                )
        except (TimeoutError, NoAnswer) as error:
            ended = error if isinstance(error, NoAnswer) else _late(error)
            found = unanswered(ended, self.population, self.account.user)
            return Probed(outcome=found.outcome, shown=found.shown, wire=found.wire)
        answered = classify(
            operation,
            answer.status,
            answer.body,
            head=answer.head,
            behind=answer.behind,
            user=self.account.user,
            population=self.population,
            walk_id=self.canary.walk_id,
            missing_expected=not put_before,
        )
        if writes and answered.outcome is Outcome.OK:
            self.put = True
        return Probed(
            status=answer.status, outcome=answered.outcome, pod=answer.pod, shown=answered.shown, wire=answered.wire
        )


def _late(error: TimeoutError) -> NoAnswer:
    """A time-out with what came until then, which ``over_socket`` leaves in what cancelled it."""
    cause = error.__cause__
    seen = cause.args[0] if cause is not None and cause.args and isinstance(cause.args[0], bytes) else b""
    return NoAnswer(Outcome.TIMEOUT, "", seen=seen)


def content(canary: Canary, anchor_unix_ns: int) -> bytes:
    """What a canary always puts: the same walk, so that probing leaves one row behind."""
    walk = WalkUpdate(
        title=canary.title,
        status=Status.IN_PROGRESS,
        start_time=moment(anchor_unix_ns),
        total_distance=0,
        total_steps=0,
        polyline_data="",
        locations=(),
    )
    return encode(walk)
