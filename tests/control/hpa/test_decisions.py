"""Decisions of the real HPA controller, recorded by ``nox -s oracle`` (``ORACLE_KEEPS=FILE``), made again by the rule."""

from __future__ import annotations

import lzma
from pathlib import Path

import msgspec

from harness.control.hpa.sync import sync
from tests.oracle.hpa_replay import Decision

KEPT = msgspec.json.decode(
    lzma.decompress(Path(__file__).with_name("decisions.json.xz").read_bytes()), type=list[Decision]
)


def test_the_rule_decides_and_says_what_the_real_controller_did() -> None:
    differing = []
    for each in KEPT:
        found = sync(each.look, each.before)
        conditions = {one.type.value: (one.ok, one.reason) for one in found.history.conditions}
        if (found.replicas, conditions) != (each.replicas, each.conditions):
            differing.append((each, found.replicas, conditions))
    assert differing == []
    assert len(KEPT) > 1_000
    assert len({reason for each in KEPT for reason in each.conditions.values()}) >= 12
