"""What the page says of a deploy's part: what users met of it, and what was seen besides."""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.clock import NS
from harness.model.evidence import EventRow
from harness.rehearsals.deploy.facts import PartView, observed
from harness.rehearsals.deploy.types import DeployPartKind, Followed
from tests.deploys.made import PODS, SLOW, UNDONE, details, fired, followed, gathered, one, probes, release

BREAKS = one(DeployPartKind.BREAKS_LIMIT, least_calls=300)


@pytest.mark.parametrize(
    ("changed", "calls", "failed"),
    [
        ({"looked_ns": 40 * NS, "mended_ns": 28 * NS}, 300, 80),
        ({"looked_ns": None, "mended_ns": 18 * NS}, 80, 60),
        ({"looked_ns": None, "gone_ns": 22 * NS}, 120, 80),
        ({"looked_ns": None}, 0, 0),
    ],
)
def test_what_users_met_of_a_part(changed: dict[str, Any], calls: int, failed: int) -> None:
    (of,) = followed(BREAKS, **changed).followed
    met = PartView(BREAKS, of, details(), gathered(*probes(61, (12, 20))), 1).met()
    assert (met.calls, met.failed, met.missing) == (calls, failed, 0)


def test_what_users_met_of_a_slow_version_is_what_it_answered_late() -> None:
    (of,) = followed(BREAKS, **UNDONE, fired=fired("rollback.latency_p95")).followed
    met = PartView(BREAKS, of, details(), gathered(*PODS, *probes(61, (12, 20), **SLOW)), 1).met()
    assert (met.calls, met.failed) == (120, 80)


def test_what_was_seen_besides() -> None:
    def told(of: Followed, *events: EventRow) -> list[str]:
        return [str(each) for each in observed(of, events)]

    assert told(release()) == []
    assert told(release(statements=("ALTER a", "ALTER b"), undo_ns=15 * NS)) == ["ALTER a", "ALTER b", "no limit fired"]
    assert told(release(undo_ns=15 * NS, fired=fired())) == []
    written = {"a": 3, "n": 4, "late": 50, "migration": 600}
    rows = "rows with the new column: {} inserted by old pods, {} by new ones"
    assert told(release(written=written), *PODS) == [rows.format(3, 4)]
    assert told(release(written=written, pods_ns=44 * NS), *PODS) == [rows.format(3, 4)], "late came just then"
    assert told(release(written=written, pods_ns=44 * NS + 1), *PODS) == [rows.format(3, 54)]
    assert told(release(written=written, pods_ns=None), *PODS) == []
    other = EventRow(at_ns=NS, kind="component", subject="migration", message="")
    assert told(release(written=written), *PODS, other) == [rows.format(3, 4)], "no pod"
