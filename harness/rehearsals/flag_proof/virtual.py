"""The switch of clients in virtual time: the client's own fetch rule against the same template logic. Pure.

What ``harness.load.phone`` does on a machine is computed here: a request each pace, a fetch ``LEAD_S`` before the
request once the minimum fetch interval has passed (or at the app's start only), nothing at all while offline.
"""

from __future__ import annotations

import math
import random

import msgspec

from harness.base.seed import stream
from harness.base.ticks import NS
from harness.model.flag import FLAG, FlagClient, Template, evaluate
from harness.model.rollout import off_template, rollout_template
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.rehearsals.flag_proof.types import ClientKind, FetchCase, FlagPlan, FlipDirection, Switch
from harness.stack.firebase.rest import FlagCache

LEAD_S = 1.0
RETRY_S = 10.0
_CLIENT = FlagClient(instance_id="virtual", audience="all")
_EVERYBODY = PopulationPlan(audiences=(AudiencePlan(name="all", users=1, flag_on=1),))


class VirtualClient(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. It requests at ``phase_s + k * pace_s``, fetched first at 0; sessions begin at ``k * session_s``."""

    interval_s: float
    pace_s: float
    phase_s: float
    session_s: float = 0.0
    offline_from_s: float = 0.0
    offline_s: float = 0.0

    def offline(self, at_s: float) -> bool:
        """Whether it has no network then."""
        return self.offline_from_s <= at_s < self.offline_from_s + self.offline_s


def bound_s(*, interval_s: float, pace_s: float, session_s: float = 0.0, offline_s: float = 0.0) -> float:
    """What the rule cannot exceed, from the publish to the first request on the new side."""
    if session_s:
        # Fetched at a start just before the publish: the first start at which the interval has passed, then a request.
        return max(1, math.ceil(interval_s / session_s - 1e-9)) * session_s + pace_s
    if offline_s:
        # The request at which it would have fetched falls into the gap; after it a retry may have to wait.
        return max(interval_s, LEAD_S) + 2 * pace_s + offline_s + min(RETRY_S, interval_s)
    return max(interval_s, LEAD_S) + pace_s


def switch_s(client: VirtualClient, published_s: float, direction: FlipDirection) -> float:
    """Seconds from ``published_s`` to the client's first request on the new side."""
    rule = _Rule(client, published_s, direction)
    number = 0
    while True:
        at_s = client.phase_s + number * client.pace_s
        if rule.request(at_s) and at_s >= published_s:
            return at_s - published_s
        number += 1


class _Rule:
    def __init__(self, client: VirtualClient, published_s: float, direction: FlipDirection) -> None:
        self._client = client
        self._published_s = published_s
        on, off = rollout_template(_EVERYBODY), off_template()
        self._new = direction is FlipDirection.OFF_TO_ON
        self._templates = (off, on) if self._new else (on, off)
        self._cache = FlagCache(client.interval_s, retry_s=RETRY_S)
        self._starts = 0
        self._fetch(0.0)

    def request(self, at_s: float) -> bool:
        """Whether the request due then is sent, and to the new side."""
        client = self._client
        if not client.session_s:
            if self._cache.due(round(at_s * NS)):
                self._fetch(max(0.0, at_s - LEAD_S))
        else:
            while (self._starts + 1) * client.session_s <= at_s:
                self._starts += 1
                start_s = self._starts * client.session_s
                if self._cache.due(round(start_s * NS)):
                    self._fetch(start_s)
        return not client.offline(at_s) and self._cache.value(FLAG) is self._new

    def _fetch(self, at_s: float) -> None:
        at_ns = round(at_s * NS)
        if self._client.offline(at_s):
            self._cache.failed(at_ns)
            return
        version = int(at_s >= self._published_s)
        template: Template = self._templates[version]
        self._cache.store(evaluate(template, _CLIENT), version + 1, at_ns)


def drawn(plan: FlagPlan, case: FetchCase, kind: ClientKind, seed: int) -> list[tuple[VirtualClient, float]]:
    """The clients of a case, spread over the pace, each with its own moment of the publish: any phase is met."""
    chance = stream(seed, f"flag_proof:{case.fetch_interval_s:g}:{kind.name}")
    return [_drawn(plan, case, kind, place, chance) for place in range(plan.clients)]


def _drawn(
    plan: FlagPlan, case: FetchCase, kind: ClientKind, place: int, chance: random.Random
) -> tuple[VirtualClient, float]:
    cycle_s = max(case.fetch_interval_s, plan.pace_s, kind.session_s)
    published_s = (1 - chance.random()) * cycle_s  # after the fetch at 0: every age of the cache is met
    client = VirtualClient(
        interval_s=case.fetch_interval_s,
        pace_s=plan.pace_s,
        phase_s=plan.pace_s * place / plan.clients,
        session_s=kind.session_s,
        offline_from_s=published_s - chance.random() * kind.offline_s if kind.offline_s else 0.0,
        offline_s=kind.offline_s,
    )
    return client, published_s


def virtual_cases(plan: FlagPlan, seed: int) -> list[Switch]:
    """Every interval, kind of client and direction, at the document's own times."""
    return [
        virtual_case(plan, case, kind, direction, seed)
        for case in plan.cases
        for kind in plan.kinds
        for direction in FlipDirection
    ]


def virtual_case(plan: FlagPlan, case: FetchCase, kind: ClientKind, direction: FlipDirection, seed: int) -> Switch:
    """One of them."""
    took_s = [switch_s(client, published_s, direction) for client, published_s in drawn(plan, case, kind, seed)]
    return Switch(
        id=_id(case, kind, direction),
        mode="virtual",
        clients=plan.clients,
        switched=len(took_s),
        last_s=max(took_s, default=None),
        bound_s=bound_s(
            interval_s=case.fetch_interval_s, pace_s=plan.pace_s, session_s=kind.session_s, offline_s=kind.offline_s
        ),
        limit_s=plan.limit_s,
        late=case.late or kind.late,
    )


def interval_word(seconds: float) -> str:
    """``60s``, ``12h``."""
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"


def virtual_ids(plan: FlagPlan) -> list[str]:
    """The ids of ``virtual_cases``."""
    return [_id(case, kind, direction) for case in plan.cases for kind in plan.kinds for direction in FlipDirection]


def _id(case: FetchCase, kind: ClientKind, direction: FlipDirection) -> str:
    return f"virtual.{interval_word(case.fetch_interval_s)}.{kind.name}.{direction}"
