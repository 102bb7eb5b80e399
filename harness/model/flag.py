"""The Remote Config template and its conditions, evaluated as Firebase does: pure.

The percentage of a client is ``SHA-256(f"{seed}.{instance_id}")`` read as an integer, modulo 100 million
micro-percent: the rule of Firebase's own server-side evaluation (Admin SDK, ``PercentCondition``).
"""

from __future__ import annotations

import hashlib

import msgspec

MICRO_PERCENT = 100_000_000

FLAG = "use_go_backend"  # the document, "iOS側実装"


class FlagClient(msgspec.Struct, frozen=True, kw_only=True):
    """What a client tells Remote Config about itself."""

    instance_id: str
    audience: str


class FlagCondition(msgspec.Struct, frozen=True, kw_only=True):
    """True for a client whose audience is listed (any when empty) and whose percentile is at most ``percent``."""

    name: str
    audiences: tuple[str, ...] = ()
    percent: float = 100.0
    seed: str = "rollout"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter with its default and the value of each condition, the first that holds wins."""

    default: str
    conditional: tuple[tuple[str, str], ...] = ()


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A Remote Config template: conditions in order of precedence, and parameters by key."""

    conditions: tuple[FlagCondition, ...] = ()
    parameters: dict[str, Parameter] = {}


def micro_percentile(seed: str, instance_id: str) -> int:
    """The client's percentile in micro-percent, 0..99,999,999."""
    digest = hashlib.sha256(f"{seed}.{instance_id}".encode()).digest()
    return int.from_bytes(digest, "big") % MICRO_PERCENT


def holds(condition: FlagCondition, client: FlagClient) -> bool:
    """Whether ``condition`` is true for ``client``."""
    if condition.audiences and client.audience not in condition.audiences:
        return False
    if condition.percent >= 100:
        return True
    return micro_percentile(condition.seed, client.instance_id) <= round(condition.percent * MICRO_PERCENT / 100)


def evaluate(template: Template, client: FlagClient) -> dict[str, str]:
    """The entries that a fetch of ``client`` returns: every parameter's value."""
    true = {condition.name for condition in template.conditions if holds(condition, client)}
    entries = {}
    for key, parameter in template.parameters.items():
        values = dict(parameter.conditional)
        first = next((c.name for c in template.conditions if c.name in true and c.name in values), None)
        entries[key] = values[first] if first is not None else parameter.default
    return entries
