"""The judging of a stepwise stop: a killed pod, the whole, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.mirror import MirrorStep
from harness.model.stack import Capability
from harness.rehearsals.mirror_stop.rehearsal import REHEARSAL, last_logged
from harness.rehearsals.mirror_stop.types import CLAIMS, PLAN, KilledPod, MirrorStopDetails
from harness.rules.judged import combine
from harness.run import result as conclude
from tests.checks.test_mirror_steps import step
from tests.register import REGISTER
from tests.rehearsal.made import by_id, seen

PASS, FAIL, OPEN, SHOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERRATUM_SHOWN
ERRATUM_QUEUE = "dual_write.fallback_with_holes"
POD = KilledPod(pod="p", acknowledged=30, in_postgresql=30, queued=30, under_way=4, lost=28, lost_by_others=0)


LONG = {"paused_s": 3.1}


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, PASS),
        ({"lost": 20}, FAIL),  # fewer than were queued
        ({"lost": 30, "queued": 29}, FAIL),  # more than were queued
        ({"in_postgresql": 29}, FAIL),  # acknowledged, and in no database
        ({"lost_by_others": 1}, FAIL),
        ({"lost_by_others": 1, "lost": 20} | LONG, FAIL),
        ({"queued": 3, "lost": 3, "lost_by_others": 1}, FAIL),
        ({"lost": 30, "queued": 29, "paused_s": 3.0}, FAIL),
        ({"in_postgresql": 29} | LONG, FAIL),
        ({"queued": 3, "lost": 3}, OPEN),  # all on the wire: there was no queue to lose
        ({"queued": 4, "lost": 4}, OPEN),
        ({"queued": 5, "lost": 4}, PASS),
        ({"queued": 0, "lost": 0, "acknowledged": 0, "in_postgresql": 0}, OPEN),
        ({"lost_by_others": 1} | LONG, OPEN),  # pods give writes up while Firestore is away for long
        ({"queued": 20, "lost": 25} | LONG, OPEN),
        (LONG, PASS),
    ],
)
def test_a_killed_pod_s_loss_is_what_it_logged(changed: dict[str, Any], verdict: Verdict) -> None:
    pod = msgspec.structs.replace(POD, **changed)
    found = by_id(judged(MirrorStopDetails(killed_pod=pod)))["mirror.killed_pod"]
    assert (found.verdict, found.erratum, found.gates) == (verdict, ERRATUM_QUEUE if verdict is PASS else "", True)


@pytest.mark.parametrize(
    ("share", "reached", "written", "verdict"),
    [
        (100, 60, 60, PASS),
        (100, 59, 60, FAIL),
        (50, 31, 60, PASS),
        (50, 60, 60, FAIL),
        (50, 5, 60, FAIL),
        (0, 0, 60, PASS),
        (0, 1, 60, FAIL),
        (0, 0, 0, OPEN),
        # So few would have said the same of another share.
        (50, 0, 7, OPEN),
        (50, 3, 7, OPEN),
        (50, 7, 7, OPEN),
        (50, 0, 1, OPEN),
        (50, 8, 8, FAIL),
        (50, 4, 8, PASS),
        (10, 5, 50, OPEN),
        (10, 5, 51, PASS),
        (10, 7, 7, FAIL),
        (100, 1, 1, OPEN),
        (100, 7, 7, OPEN),
        (100, 8, 8, PASS),
        (100, 0, 1, FAIL),
        (0, 0, 7, OPEN),
        (0, 0, 8, PASS),
        (0, 1, 1, FAIL),
    ],
)
def test_the_share_asked_for_is_the_share_seen(share: int, reached: int, written: int, verdict: Verdict) -> None:
    found = by_id(of_run(step(share, reached, written)))[f"mirror.share_{share}"]
    assert (found.verdict, found.limit, found.samples) == (verdict, share / 100, written)


@pytest.mark.parametrize(
    ("left", "changed", "verdict"),
    [
        (step(100, 60, 60), {}, PASS),
        (step(50, 31, 60, lost=29), {}, SHOWN),
        (step(50, 31, 60), {"stale": 1}, SHOWN),
        (step(50, 31, 60), {"come_back": 1}, SHOWN),
        (step(50, 31, 60, lost=29), {"different": 1}, FAIL),  # that is no walk that was not mirrored
        (step(50, 31, 60), {}, PASS),
        (step(100, 59, 60, lost=1), {}, FAIL),
        (step(50, 0, 0), {}, OPEN),
        (step(100, 0, 0), {"come_back": 1}, FAIL),
    ],
)
def test_what_a_roll_back_loses_once_a_step_was_taken_is_the_erratum(
    left: MirrorStep, changed: dict[str, int], verdict: Verdict
) -> None:
    lossy = msgspec.structs.replace(left, examples=("one",), **changed)
    found = by_id(of_run(lossy))[f"mirror.rollback_after_{left.share_percent}"]
    assert (found.verdict, found.examples) == (verdict, ("one",))
    assert found.erratum == ("dual_write.stop_ends_rollback" if verdict is SHOWN else "")


def test_the_queue_is_the_last_that_was_logged(tmp_path: Path) -> None:
    log = tmp_path / "pod.log"
    log.write_bytes(
        b'{"mirror_waiting": 7}\nTraceback\n{"mirror_waiting": 9}\n{"message": "Walk saved"}\n'
        b'{"deep": ' + b"[" * 200_000 + b'\n{"mirror_wa'
    )
    assert last_logged(log) == 9
    log.write_text("nothing of the kind\n")
    assert last_logged(log) == 0


def test_every_claim_and_erratum_named_is_in_the_register() -> None:
    errata = {erratum.id for claim in REGISTER.values() for erratum in claim.errata}
    found = of_run(step(50, 31, 60, lost=1))
    assert {each.claim for each in found} == set(CLAIMS) <= set(REGISTER)
    assert {each.erratum for each in found} - {""} <= errata


def details(*steps: MirrorStep) -> MirrorStopDetails:
    return MirrorStopDetails(killed_pod=POD, steps=list(steps))


def of_run(*steps: MirrorStep, planned: tuple[int, ...] = ()) -> list[Judgement]:
    """Of a run that took every step of its plan, or of one that ``planned`` others."""
    shares = planned or tuple(each.share_percent for each in steps)
    return judged(details(*steps), *shares)


def judged(left: MirrorStopDetails, *shares: int) -> list[Judgement]:
    """By the whole way of a run, of a plan of those ``shares``."""
    plan = msgspec.structs.replace(PLAN, shares_percent=shares or PLAN.shares_percent)
    there = (Capability.REAL_POSTGRESQL, Capability.POD_SIGNALS)
    return [*conclude.judged(REHEARSAL, plan, seen(left, capabilities=there))]


def test_one_claim_that_is_not_kept_holds_the_run() -> None:
    assert combine(of_run(step(100, 60, 60), step(0, 0, 60, lost=60))) is Decision.ADVANCE
    assert combine(of_run(step(100, 59, 60, lost=1))) is Decision.HOLD


def test_a_mirror_that_was_not_brought_to_its_last_share_was_not_stopped() -> None:
    found = {each.id: each for each in of_run(step(100, 60, 60), planned=(100, 50, 0))}
    for left in ("mirror.share_50", "mirror.share_0"):
        assert (found[left].claim, found[left].verdict, found[left].holds) == (
            "dual_write.stop", Verdict.INCONCLUSIVE, True,
        )  # fmt: skip
