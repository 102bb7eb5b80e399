"""The judging of a stepwise stop: a killed pod, the whole, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.judge.combine import combine
from harness.model.judgement import Judgement
from harness.model.mirror import MirrorStep, UserLoss
from harness.model.section import Lines, Table
from harness.model.stack import Capability
from harness.model.verdict import Decision, Verdict
from harness.rehearsal import conclude
from harness.rehearsals.mirror_stop.judge import killed
from harness.rehearsals.mirror_stop.killed_pod import last_logged
from harness.rehearsals.mirror_stop.rehearsal import REHEARSAL
from harness.rehearsals.mirror_stop.sections import figures as rehearsed
from harness.rehearsals.mirror_stop.sections import sections
from harness.rehearsals.mirror_stop.types import (
    CLAIMS,
    ERRATUM_QUEUE,
    PLAN,
    KilledPod,
    MirrorStopDetails,
)
from scenarios.claims import REGISTER
from tests.checks.test_mirror_steps import step
from tests.rehearsal.made import seen

POD = KilledPod(pod="p", acknowledged=30, in_postgresql=30, queued=30, under_way=4, lost=28, lost_by_others=0)


def test_a_killed_pods_loss_is_what_it_logged() -> None:
    found = killed(POD)
    assert (found.verdict, found.erratum) == (Verdict.PASS, ERRATUM_QUEUE)


@pytest.mark.parametrize(
    "bad",
    [
        {"lost": 20},  # fewer than were queued
        {"lost": 30, "queued": 29},  # more than were queued
        {"in_postgresql": 29},  # acknowledged, and in no database
        {"lost_by_others": 1},
        {"lost_by_others": 1, "lost": 20, "paused_s": 9.0},
        {"queued": 3, "lost": 3, "lost_by_others": 1},
        {"lost": 30, "queued": 29, "paused_s": 3.0},
    ],
)
def test_a_loss_that_the_log_does_not_tell_fails(bad: dict[str, int]) -> None:
    found = killed(msgspec.structs.replace(POD, **bad))
    assert (found.verdict, found.erratum) == (Verdict.FAIL, "")


AWAY = "Firestore was away for {} s, longer than 3 s: pods give writes up by then"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"queued": 3, "lost": 3}, "there was no queue to lose"),  # all on the wire
        ({"queued": 0, "lost": 0, "acknowledged": 0, "in_postgresql": 0}, "there was no queue to lose"),
        ({"lost_by_others": 1, "paused_s": 9.04}, AWAY.format("9.0")),
        ({"queued": 20, "lost": 25, "paused_s": 3.1}, AWAY.format("3.1")),  # its oldest it had given up itself
    ],
)
def test_what_shows_nothing_of_a_killed_pod_s_queue_is_not_known(bad: dict[str, Any], why: str) -> None:
    found = killed(msgspec.structs.replace(POD, **bad))
    assert (found.verdict, found.erratum, found.gates) == (Verdict.INCONCLUSIVE, "", True)
    assert found.reason.endswith(why)


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
    plan, there = (
        msgspec.structs.replace(PLAN, shares_percent=shares),
        (Capability.REAL_POSTGRESQL, Capability.POD_SIGNALS),
    )
    return [*conclude.judged(REHEARSAL, plan, seen(details(*steps), capabilities=there))]


def test_one_claim_that_is_not_kept_holds_the_run() -> None:
    assert combine(of_run(step(100, 60, 60), step(0, 0, 60, lost=60))) is Decision.ADVANCE
    assert combine(of_run(step(100, 59, 60, lost=1))) is Decision.HOLD


def test_a_mirror_that_was_not_brought_to_its_last_share_was_not_stopped() -> None:
    found = {each.id: each for each in of_run(step(100, 60, 60), planned=(100, 50, 0))}
    for left in ("mirror.share_50", "mirror.share_0"):
        assert (found[left].claim, found[left].verdict, found[left].holds) == (
            "dual_write.stop", Verdict.INCONCLUSIVE, True,
        )  # fmt: skip


def test_the_page_has_each_count_of_each_step_and_each_loss() -> None:
    lossy = msgspec.structs.replace(
        step(50, 31, 1060, lost=29), losses=(UserLoss(user="u1", walks=3, locations=70),), lost_locations=70
    )
    table, lost = sections(details(step(100, 60, 60), lossy))
    assert isinstance(table, Table) and isinstance(lost, Lines)
    assert table.rows[1].cells == ("50 %", "1,060", "1,060", "31", "29", "0", "0", "0", "70")
    assert [str(line) for line in lost.lines] == ["u1: 3 walks (70 locations)"]
    names = [each.name for each in rehearsed(details(lossy), (100, 50))]
    assert names == [each.name for each in rehearsed(MirrorStopDetails(), (100, 50))]
