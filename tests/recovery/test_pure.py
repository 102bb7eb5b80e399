"""The rules of recovery that need no database: segments, schedule, loss, prediction, the plan."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base import planfile, units
from harness.base.clock import MachineClock
from harness.base.errors import BadInput, StackNotStarted
from harness.base.home import home
from harness.rehearsals.dr_restore import archive, keeper
from harness.rehearsals.dr_restore.keeper import Kept
from harness.rehearsals.dr_restore.restore import predict
from harness.rehearsals.dr_restore.server import Sentinel, loss
from harness.rehearsals.dr_restore.types import (
    Loss,
    RecoveryPlan,
    SizePoint,
    backup_for,
    daily_time,
    expired,
    next_backup,
    reach_by_count,
)
from harness.stack.local.site import Site

MIB = 1024**2
JST = daily_time("03:00", "JST")
WEEK = timedelta(days=7)


def day(number: int, hour: int = 18) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


# -- segments ----------------------------------------------------------------------------------------------------


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 2**38 - 1), st.sampled_from([MIB, 16 * MIB, 64 * MIB]))
def test_segment_names_and_numbers_agree(number: int, segment_bytes: int) -> None:
    assert archive.segment_number(archive.segment_name(number, 3, segment_bytes), segment_bytes) == number


def test_names_are_postgresqls_own() -> None:
    assert archive.segment_of("0/2100028", 1, 16 * MIB) == "000000010000000000000002"
    assert archive.segment_of("1/FF000000", 2, 16 * MIB) == "0000000200000001000000FF"
    assert archive.segment_of("1/00000000", 1, MIB) == "000000010000000100000000"


def test_continuity_ends_at_the_first_gap_and_knows_one_timeline() -> None:
    names = [archive.segment_name(n, 1, MIB) for n in (4, 5, 6, 8, 9, 11)]
    found = archive.continuity([*names, archive.segment_name(7, 2, MIB), "junk"], archive.segment_name(5, 1, MIB), MIB)
    assert found.unbroken == tuple(archive.segment_name(n, 1, MIB) for n in (5, 6))
    assert found.missing == tuple(archive.segment_name(n, 1, MIB) for n in (7, 10))
    assert found.beyond == tuple(archive.segment_name(n, 1, MIB) for n in (8, 9, 11))


def test_without_the_backups_first_segment_nothing_is_unbroken() -> None:
    found = archive.continuity([archive.segment_name(6, 1, MIB)], archive.segment_name(5, 1, MIB), MIB)
    assert (found.unbroken, found.missing) == ((), (archive.segment_name(5, 1, MIB),))


def test_reading_that_ends_before_the_last_segment_is_damage() -> None:
    unbroken = [archive.segment_name(n, 1, MIB) for n in (1, 2, 3)]
    assert archive.damaged_segment(archive.WalRead(commits=(), broken_at="0/280000"), unbroken, MIB) == unbroken[1]
    assert archive.damaged_segment(archive.WalRead(commits=(), broken_at="0/380000"), unbroken, MIB) == ""
    assert archive.damaged_segment(archive.WalRead(commits=(), broken_at=""), unbroken, MIB) == ""


# -- schedule and retention --------------------------------------------------------------------------------------


def test_three_oclock_in_japan_is_eighteen_utc_and_the_terraforms_is_noon() -> None:
    assert next_backup(day(5, 0), JST) == day(5, 18)
    assert next_backup(day(5, 18), JST) == day(6, 18)
    assert next_backup(day(5, 0), daily_time("03:00", "UTC")).astimezone(JST.tzinfo).hour == 12


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 25), st.integers(0, 6 * 1440))
def test_retention_keeps_every_point_of_the_window_and_no_more(days: int, minutes: int) -> None:
    taken = [day(1) + timedelta(days=n) for n in range(days)]
    now = taken[-1] + timedelta(minutes=minutes % 1440)
    kept = [each for each in taken if each not in expired(taken, now, WEEK)]
    oldest_point = max(now - WEEK, taken[0])
    assert backup_for(kept, oldest_point) <= oldest_point
    assert len(kept) <= 9
    if now - taken[0] >= WEEK:
        assert sum(each <= now - WEEK for each in kept) == 1


def test_a_point_before_the_oldest_backup_is_refused_with_the_earliest_point() -> None:
    with pytest.raises(BadInput, match="before the oldest backup") as caught:
        backup_for([day(5), day(6)], day(4))
    assert "2026-01-05 18:00" in caught.value.remedy


def test_seven_by_count_reach_back_six_days() -> None:
    assert reach_by_count(7) == (timedelta(days=6), timedelta(days=7))


def kept_well() -> Kept:
    started = [day(1) + timedelta(days=n) for n in range(10)]
    return Kept(
        started=started,
        there=dict.fromkeys(started[2:]),  # type: ignore[arg-type]  # the dates alone are judged
        removed=[(started[0], started[8]), (started[1], started[9])],
        reach=[timedelta(days=min(n, 7)) for n in range(10)],
    )


def verdicts(kept: Kept) -> list[bool]:
    return [check.ok for check in keeper.judge(kept, JST, WEEK, day(10))]


def test_the_schedules_judge_passes_ten_good_days() -> None:
    assert verdicts(kept_well()) == [True, True, True]


def test_the_schedules_judge_sees_a_day_left_out_and_an_hour_too_late() -> None:
    missed, late = kept_well(), kept_well()
    del missed.started[4], missed.reach[4]
    late.started[3] += timedelta(hours=1)
    assert not verdicts(missed)[0]
    assert not verdicts(late)[0]


def test_the_schedules_judge_sees_a_backup_removed_too_early_and_one_kept_for_ever() -> None:
    early, hoarded = kept_well(), kept_well()
    early.removed.append((early.started[3], early.started[9]))
    early.reach[-1] = timedelta(days=6)
    hoarded.removed.clear()
    assert not verdicts(early)[1]
    assert not verdicts(hoarded)[2]


# -- loss --------------------------------------------------------------------------------------------------------


def sentinels(*numbers: int) -> list[Sentinel]:
    return [Sentinel(n=n, sent_ns=n * 100_000_000, acknowledged_ns=n * 100_000_000 + 5) for n in numbers]


SECOND = 1_000_000_000


def lost_by(sent: list[Sentinel], numbers: set[int], found: set[int], struck_ns: int = SECOND) -> Loss:
    return loss(struck_ns, SECOND, sent, numbers, found)


def test_loss_counts_from_the_last_recovered_sentinel() -> None:
    found = lost_by(sentinels(1, 2, 3, 4, 5), {1, 2, 3, 4, 5}, {1, 2, 3})
    assert (found.rpo_s, found.recovered, found.lost, found.exact) == (0.7, 3, 2, True)


def test_a_slow_kill_makes_the_loss_no_smaller() -> None:
    # Killed from 0.35 s on, known gone at 1 s; commits were acknowledged meanwhile, and only some came through.
    found = lost_by(sentinels(1, 2, 3, 4, 5), {1, 2, 3, 4, 5}, {1, 2, 3}, struck_ns=350_000_000)
    assert (found.rpo_s, found.lost) == (0.7, 2)
    assert found.rpo_least_s == pytest.approx(0.05)
    later = lost_by(sentinels(1, 2, 3, 4, 5), {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, struck_ns=350_000_000)
    assert (later.rpo_s, later.rpo_least_s, later.lost) == (0.5, 0.0, 0)


def test_a_hole_and_an_unknown_commit_are_no_prefix() -> None:
    assert lost_by(sentinels(1, 2, 3), {1, 2, 3}, {1, 3}).holes == (2,)
    assert lost_by(sentinels(1, 2), {1, 2}, {1, 2, 99}).unknown == (99,)


def test_a_commit_in_flight_may_be_there_or_not() -> None:
    assert lost_by(sentinels(1, 2), {1, 2, 3}, {1, 2, 3}).exact
    assert lost_by(sentinels(1, 2), {1, 2, 3}, {1, 2}).exact


def test_nothing_recovered_is_no_rpo() -> None:
    assert lost_by(sentinels(1, 2), {1, 2}, set()).rpo_s is None


# -- prediction --------------------------------------------------------------------------------------------------


def points(*seconds: float) -> list[SizePoint]:
    return [
        SizePoint(size_bytes=(n + 1) * 1024 * MIB, wal_bytes=0, restore_s=each / 2, replay_s=each / 2)
        for n, each in enumerate(seconds)
    ]


def test_a_straight_line_is_predicted_exactly() -> None:
    found = predict(points(5, 7, 9, 11), planfile.bundled("dr_restore", RecoveryPlan).sizes, "here")
    assert found.seconds_per_gib == pytest.approx(2)
    assert found.fixed_s == pytest.approx(3)
    assert found.expected_s == pytest.approx(43)
    assert found.upper_s == pytest.approx(43)


def test_the_bound_is_students() -> None:
    # By hand: slope 2, intercept 3, residuals +-0.5, +-0.5: s^2 = 1/2; x = 20, mean 2.5, spread 5; t(0.95, 2) = 2.92.
    found = predict(points(5.5, 6.5, 8.5, 11.5), planfile.bundled("dr_restore", RecoveryPlan).sizes, "here")
    assert found.expected_s is not None
    expected = found.expected_s + 2.91999 * (0.5 * (1 + 1 / 4 + (20 - 2.5) ** 2 / 5)) ** 0.5
    assert found.upper_s == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seconds", [(5, 5, 5, 5), (5.3, 5.1, 5.2, 5.0)])
def test_restores_that_do_not_take_longer_with_size_predict_nothing(seconds: tuple[float, ...]) -> None:
    found = predict(points(*seconds), planfile.bundled("dr_restore", RecoveryPlan).sizes, "here")
    assert (found.expected_s, found.upper_s) == (None, None)
    assert found.seconds_per_gib <= 0


def test_three_sizes_are_no_prediction() -> None:
    with pytest.raises(ValueError, match="four sizes"):
        predict([*points(5, 7, 9), *points(5)], planfile.bundled("dr_restore", RecoveryPlan).sizes, "here")


# -- the plan ----------------------------------------------------------------------------------------------------


def test_the_bundled_plan_says_what_the_document_says() -> None:
    plan = planfile.bundled("dr_restore", RecoveryPlan)
    assert (plan.limits.rto_s, plan.limits.rpo_s, plan.limits.restart_s) == (4 * 3600, 3600, 600)
    assert (plan.backup.at, plan.backup.zone, plan.backup.retention_s) == ("03:00", "JST", 7 * 86400)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rto: 4h", "rto: 4x", "no unit of time"),
        ("written_limit: 25s", "written_limit: 3s", "written_limit is 3 s; the apply alone may take 5 s"),
        ("written_limit: 25s", "written_limit: 5s", "nothing would be left for the restart"),
        ("errors_below: 1%", "errors_below: 0%", "errors_below lies between"),
        ("points: 3", "points: -1", "points is -1"),
        ("points: 3", "points: 0", "points is 0, outside 1..200"),
        ("sizes: [16MiB, 32MiB, 64MiB, 128MiB]", "sizes: []", "at least four"),
        ("stall: 50min", "stall: 0s", "a stall lies within a day, and is one"),
        (
            "disasters: [dropped_table, lost_data_folder, bad_migration, corrupted_backup, missing_wal_segment]",
            "disasters: []",
            "disasters: none",
        ),
        ("points: 3", "pints: 3", "unknown key 'pints'; did you mean 'points'"),
        ('at: "03:00"', 'at: "25:00"', "'25:00' JST is no time of day"),
        ("zone: JST", "zone: JTS", "JTS is no time of day"),
        ("days: 10", "days: 61", "Expected `int` <= 60"),
        ("commit_every: 60s", "commit_every: 6min", "longer than archive_timeout"),
        ("sentinel_every: 100ms", "sentinel_every: 1ms", "between 10ms and 10s"),
        ("users: 20", "users: 501", "Expected `int` <= 500"),
        ("retention: 7d", "retention: " + "9" * 400 + "d", "out of range"),
        ("- dr.rto", "- dr.rot", "unknown claim 'dr.rot'"),
        ("16MiB, 32MiB, 64MiB, 128MiB", "16MiB, 32MiB", "at least four"),
        ("16MiB, 32MiB", "16MB, 32MiB", "is no size"),
        ("16MiB, 32MiB", "9" * 400 + "MiB, 32MiB", "out of range"),
        ("disasters: [dropped_table", "disasters: [flood", "flood"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (Path(__file__).parents[2] / "scenarios/plans/dr_restore.yaml").read_text()
    assert old in text
    file = tmp_path / "plan.yaml"
    file.write_text(text.replace(old, new))
    with pytest.raises(BadInput, match=told) as caught:
        planfile.load(file, RecoveryPlan)
    assert "plan.yaml" in caught.value.where


def test_sizes_have_units() -> None:
    assert (units.size_bytes("64MiB"), units.size_bytes("1GiB")) == (64 * MIB, 1024 * MIB)


def test_a_disk_without_room_is_said_before_anything_starts(tmp_path: Path) -> None:
    home().mkdir(parents=True, exist_ok=True)
    needs = shutil.disk_usage(home()).total * 2  # the run's own disk: ``tmp_path`` may lie in memory
    with pytest.raises(StackNotStarted, match="of disk") as caught:
        Site.begin("test-no-room", tmp_path, MachineClock(), needs_bytes=needs)
    assert "--size" in caught.value.remedy
