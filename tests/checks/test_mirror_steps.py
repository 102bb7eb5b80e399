"""A step of a stop of the mirror: what passes, and that bad evidence does not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from harness.checks.mirror_steps import ERRATUM_STOP, figures, mirrored, rolled_back
from harness.model.mirror import MirrorStep
from harness.model.verdict import Verdict
from tests.checks.stored import NOON, WALK, documents, walk

IDS = [WALK.replace("0b", f"{number:02x}") for number in range(40)]


def step(share: int, mirrored: int, written: int, lost: int = 0) -> MirrorStep:
    return msgspec.structs.replace(
        figures([], {}, {}, share, NOON), walks=written, written=written, mirrored=mirrored, missing=lost
    )


def test_the_figures_of_a_step() -> None:
    new = [walk(each, "u1") for each in IDS[:3]]
    old = walk(IDS[3], "u2", updated_at=NOON)
    gone = IDS[4]
    stale = walk(IDS[1], "u1", points=1, updated_at=NOON)
    held = documents(new[0], stale, old, walk(gone))
    found = figures([*new, old], held, {gone: "u3"}, 50, NOON + timedelta(seconds=1))
    assert (found.walks, found.written, found.mirrored) == (4, 3, 1)
    assert (found.missing, found.stale, found.come_back, found.different, found.lost_locations) == (1, 1, 1, 0, 5)
    assert [(each.user, each.walks, each.locations) for each in found.losses] == [("u1", 2, 5)]


@pytest.mark.parametrize(
    ("share", "seen", "written", "verdict"),
    [
        (100, 60, 60, Verdict.PASS),
        (100, 59, 60, Verdict.FAIL),
        (50, 31, 60, Verdict.PASS),
        (50, 60, 60, Verdict.FAIL),
        (50, 5, 60, Verdict.FAIL),
        (0, 0, 60, Verdict.PASS),
        (0, 1, 60, Verdict.FAIL),
        (0, 0, 0, Verdict.INCONCLUSIVE),
        # So few would have said the same of another share.
        (50, 0, 7, Verdict.INCONCLUSIVE),
        (50, 3, 7, Verdict.INCONCLUSIVE),
        (50, 7, 7, Verdict.INCONCLUSIVE),
        (50, 0, 1, Verdict.INCONCLUSIVE),
        (50, 8, 8, Verdict.FAIL),
        (50, 4, 8, Verdict.PASS),
        (10, 5, 50, Verdict.INCONCLUSIVE),
        (10, 5, 51, Verdict.PASS),
        (10, 7, 7, Verdict.FAIL),
        (100, 1, 1, Verdict.INCONCLUSIVE),
        (100, 7, 7, Verdict.INCONCLUSIVE),
        (100, 8, 8, Verdict.PASS),
        (100, 0, 1, Verdict.FAIL),
        (0, 0, 7, Verdict.INCONCLUSIVE),
        (0, 0, 8, Verdict.PASS),
        (0, 1, 1, Verdict.FAIL),
    ],
)
def test_the_share_asked_for_is_the_share_seen(share: int, seen: int, written: int, verdict: Verdict) -> None:
    assert mirrored(step(share, seen, written)).verdict is verdict


def test_a_roll_back_that_loses_once_a_step_was_taken_shows_the_erratum_and_else_fails() -> None:
    assert rolled_back(step(100, 60, 60)).verdict is Verdict.PASS
    lost = rolled_back(step(50, 31, 60, lost=29))
    assert (lost.verdict, lost.erratum) == (Verdict.ERRATUM_SHOWN, ERRATUM_STOP)
    differs = rolled_back(msgspec.structs.replace(step(50, 31, 60, lost=29), different=1))
    assert (differs.verdict, differs.erratum) == (Verdict.FAIL, "")  # that is no walk that was not mirrored
    unexplained = rolled_back(step(100, 59, 60, lost=1))
    assert (unexplained.verdict, unexplained.erratum) == (Verdict.FAIL, "")
