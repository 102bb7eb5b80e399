"""Weeks 1 to 4 of the rollout table, whole, in virtual time: the document's own windows, users and pace."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.checks.walk_results import READS
from harness.model.evidence import Operation, ProbeRow, RequestRow, Side
from harness.model.judgement import Decision, Verdict, errata_of
from harness.rules.judged import combine
from harness.stack.sim.world import PlantedFaults
from tests.sim.week import Week, cut, few, seldom_probed, table, week

pytestmark = pytest.mark.sim
SEEDS = range(1, 11)
#: What nothing in memory can show: no eviction, no pod that leaves or is sampled; a week that advances takes no step back.
PODS = ("pdb.budget", "service.new_connections", "sli.pod_resources", "sli.replicas")
NOT_HERE = {*PODS, *(f"rollout.rollback.step{step}" for step in (1, 2, 3))}


def assert_advances(seen: Week) -> None:
    assert seen.ended == (Decision.ADVANCE, Exit.OK), seen.why
    assert (seen.run.facts.errors, seen.run.facts.leaks) == ((), ())
    verdicts = {name: each.verdict for name, each in seen.told.items()}
    objectives = {verdicts.pop(name) for name in (*verdicts,) if name.startswith("slo.")}
    assert objectives <= {Verdict.NOT_EXERCISED}, "a week's window is none of 30 or 7 days"
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.NOT_EXERCISED} == NOT_HERE
    assert verdicts.pop("migration.firestore_read_only", Verdict.ERRATUM_SHOWN) is Verdict.ERRATUM_SHOWN
    assert {verdict for name, verdict in verdicts.items() if name not in NOT_HERE} == {Verdict.PASS}, seen.why


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a thread, a socket, a process or a real sleep in virtual time")


def test_week_3_advances_without_thread_socket_or_sleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is cut: 500 users of whom 250 are on the API, 10 probes a second, 120 s, every checker."""
    for owner, name in (
        (socket.socket, "connect"),
        (socket.socket, "bind"),
        (threading.Thread, "start"),
        (asyncio.BaseEventLoop, "run_in_executor"),
        (subprocess, "Popen"),
        (time, "sleep"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    scenario = table(3)
    seen = week(tmp_path, scenario)
    assert_advances(seen)
    assert 120 < seen.virtual_s < 130
    window = seen.window
    due = [row for row in seen.rows if isinstance(row, RequestRow) and window.start_ns <= row.due_ns < window.end_ns]
    assert len({row.user for row in due if row.side is Side.API}) == 250
    assert len({row.user for row in due}) == 500
    assert {row.operation for row in due} == set(Operation)
    assert len({row.pod for row in due if row.side is Side.API}) == 2
    assert sum(isinstance(row, ProbeRow) and row.due_ns < window.end_ns for row in seen.rows) == 1200
    assert {row.sent_ns - row.due_ns for row in due} == {0}, "in virtual time nothing is late"
    assert "ending the load" in seen.printed


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Of a run with everything in it: planted failures, a roll back, checks of the stores."""
    planted = PlantedFaults(errors=Fraction(1, 10), slow=Fraction(1, 7), slow_ms=300, unavailable=Fraction(1, 50))
    scenario = few(table(2), window_s=120)
    first, second = (week(tmp_path / name, scenario, seed=7, planted=planted) for name in ("first", "second"))
    assert first.run.decision is Decision.ROLL_BACK
    assert first.bytes() == second.bytes()
    assert first.run.evidence_digest == second.run.evidence_digest != ""
    assert first.printed.replace("/first/", "/") == second.printed.replace("/second/", "/")


@pytest.mark.nightly
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_healthy_weeks_advance_with_each_of_ten_seeds(tmp_path: Path, number: int, seed: int) -> None:
    scenario = table(number)
    seen = week(tmp_path, scenario, seed=seed)
    assert_advances(seen)
    assert scenario.window_s < seen.virtual_s < scenario.window_s + 20


def test_another_seed_gives_another_week(tmp_path: Path) -> None:
    one, other = (week(tmp_path / str(seed), few(table(3), window_s=5), seed=seed) for seed in (1, 2))
    assert one.run.evidence_digest != other.run.evidence_digest
    for rows_of in (RequestRow, ProbeRow):
        assert [row for row in one.rows if isinstance(row, rows_of)] != [
            row for row in other.rows if isinstance(row, rows_of)
        ]


@pytest.mark.nightly
@pytest.mark.process
def test_another_process_with_another_hash_gives_the_same_bytes(tmp_path: Path) -> None:
    here = week(tmp_path / "here", table(2), seed=5)
    program = (
        "import sys, pathlib; from tests.sim.week import table, week\n"
        "sys.stdout.buffer.write(week(pathlib.Path(sys.argv[1]), table(2), seed=5).bytes())"
    )
    for hashed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / hashed)],
            env={**os.environ, "PYTHONHASHSEED": hashed},
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
            check=True,
        )
        assert told.stdout == here.bytes()


@pytest.mark.nightly
def test_week_2_as_written_offers_exactly_its_limit_and_holds(tmp_path: Path) -> None:
    """The erratum: 30 % of 500 users at one request in 50 s offer 3.0/s, where one late request fails the week."""
    scenario = table(2)
    written = msgspec.structs.replace(scenario.population, pace_s=50.0)
    seen = week(tmp_path, msgspec.structs.replace(scenario, population=written))
    rate = seen.told["success.request_rate"]
    assert (seen.run.decision, rate.verdict) == (Decision.HOLD, Verdict.INCONCLUSIVE), seen.why
    assert rate.value == pytest.approx(3.0, abs=0.05)
    assert "it is judged when at least 3.3/s are" in rate.reason


@pytest.mark.parametrize(
    ("planted", "check"),
    [
        (PlantedFaults(puts_lost=7), "writes.acknowledged"),
        pytest.param(PlantedFaults(documents_lost=7), "dual_write.documents", marks=pytest.mark.nightly),
    ],
)
def test_lost_writes_hold_a_week_that_every_criterion_passes(
    tmp_path: Path, planted: PlantedFaults, check: str
) -> None:
    seen = week(tmp_path, seldom_probed(few(table(2), window_s=95)), planted=planted)  # 316 requests carry 1 %
    assert seen.ended == (Decision.HOLD, Exit.HOLD), seen.why
    assert {each.verdict for each in seen.criteria} == {Verdict.PASS}
    found = seen.told[check]
    assert found.verdict is Verdict.FAIL
    assert found.value is not None
    assert found.value >= 5


def test_an_old_answer_now_and_then_holds_a_week_that_would_advance_without_the_judge_of_reads(tmp_path: Path) -> None:
    """Every tenth list or walk is as before its user's last PUT, as from a replica that lags; no answer fails."""
    seen = week(tmp_path, seldom_probed(few(table(2), window_s=95)), planted=PlantedFaults(reads_old=10))
    assert seen.ended == (Decision.HOLD, Exit.HOLD), seen.why
    others = [check for check in seen.checks if not check.id.startswith("reads.")]
    assert combine((*seen.criteria, *others)) is Decision.ADVANCE, seen.why
    found = seen.told[READS]
    assert found.verdict is Verdict.FAIL
    assert found.value is not None
    assert found.value >= 10
    assert "it is as before an acknowledged write" in found.reason


def test_what_ends_a_phone_s_background_work_is_never_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("nobody joins this greenlet")

    monkeypatch.setattr("harness.load.phone.fetch_flag", broken)
    seen = week(tmp_path, cut(table(1), window_s=60, fetch_interval_s=10))
    assert seen.ended == (None, Exit.RUN_BROKEN)
    assert any("nobody joins this greenlet" in error for error in seen.run.facts.errors)


def test_no_erratum_is_shown_by_manifests_that_were_not_applied(tmp_path: Path) -> None:
    seen = week(tmp_path, few(table(3), window_s=5))
    assert not errata_of(seen.run.judgements), "nor that of answers and documents: nobody read a walk with locations"
    assert not [each.id for each in seen.run.judgements if each.id.startswith("patch:")]
