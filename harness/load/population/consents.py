"""Consents as the app writes them to Firestore: ``users/{uid}/consents/{id}`` (docs/contract/firestore.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.base.seed import stream
from harness.load.population.ids import uuid4_text
from harness.load.population.walk import moment

_DAY_NS = 86_400 * 1_000_000_000
_MINUTE_NS = 60 * 1_000_000_000
#: The kinds that there are, and of what version each is in turn.
_KINDS = (("initial", "1.0"), ("update", "1.1"))


def consents(users: Sequence[str], seed: int, unix_ns: int, chance: str) -> dict[str, dict[str, Any]]:
    """One a user, by path: of either kind in turn, and no two given at one moment. ``chance`` names the seed's use."""
    drawn = stream(seed, chance)
    made = {}
    for number, user in enumerate(users):
        kind, version = _KINDS[number % len(_KINDS)]
        made[f"users/{user}/consents/{uuid4_text(drawn).upper()}"] = {
            "policy_version": version,
            "consent_type": kind,
            "consented_at": moment(unix_ns - _DAY_NS - number * _MINUTE_NS),
            "platform": "iOS",
            "os_version": f"18.{number % 3}",
            "app_version": f"2.{number % 4}.0",
        }
    return made
