"""A step of a stop of the mirror: its figures, from both stores."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from harness.checks.mirror_steps import figures
from harness.model.mirror import MirrorStep
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
