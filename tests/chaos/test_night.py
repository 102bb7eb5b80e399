"""A night of drawn schedules, with runs that end as the test wants: its order, budget, report and kept seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from harness.rehearsals.chaos.night_report import NIGHT_JSON, counts, html, junit, summary, text

from chaos import catalogue
from harness import cli
from harness.clock import NS, MachineClock
from harness.model.errors import BadInput, Exit, StackNotStarted
from harness.model.stack import Rung
from harness.model.verdict import Combined, Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.chaos import command
from harness.rehearsals.chaos.draw import draw
from harness.rehearsals.chaos.night import FAILING_SEEDS, Night, Planned, ScheduleRun, keep_seed
from harness.rehearsals.chaos.types import ChaosReport, CheckSummary, ExperimentResult, NightReport
from harness.report.language import ENGLISH

BROKEN_SEED, HOLDING_SEED, STACKLESS_SEED = 12, 13, 14


class HandClock(MachineClock):
    """Goes on when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.anchor.monotonic_ns

    def now_ns(self) -> int:
        return self.now


def options(reports: Path, *words: str) -> RunOptions:
    return cli._week4(cli.parser().parse_args(["chaos_nightly", "--on", "local", "--reports", str(reports), *words]))


class Scripted(ScheduleRun):
    """A run of 100 s that ends by its seed: one breaks, one does not pass, one has no stack."""

    def __init__(self, planned: Planned, clock: HandClock) -> None:
        self.planned = planned
        self.folder = planned.options.reports / f"chaos-s{planned.options.seed}"
        self.interrupted = False
        self._clock = clock

    async def run(self) -> ChaosReport:
        self._clock.now += 100 * NS
        seed = self.planned.options.seed
        if seed == STACKLESS_SEED:
            raise StackNotStarted("no port is free")
        held = seed == HOLDING_SEED
        status = Exit.RUN_BROKEN if seed == BROKEN_SEED else Exit.HOLD if held else Exit.OK
        lost = CheckSummary(name="writes.acknowledged", verdict=Verdict.FAIL, detail="1 lost")
        return ChaosReport(
            schema_version=1,
            run_id=self.folder.name,
            rung=Rung.LOCAL,
            target="walk-api",
            target_bundled=True,
            seed=seed,
            replay=self.planned.replay,
            started_utc="2026-10-01T00:00:00.000Z",
            exit_status=Exit.INTERRUPTED if self.interrupted else status,
            timings={},
            errors=("firestore died",) if seed == BROKEN_SEED else (),
            drawn=self.planned.drawn,
            experiments=(
                ExperimentResult(
                    number=1, name="pod_kill", title="t", verdict=Verdict.PASS, reason="ok", calls=50, failed=2
                ),
            ),
            checks=(lost,) if held else (),
        )

    def interrupt(self) -> None:
        self.interrupted = True


def planned(given: RunOptions, seeds: range) -> tuple[Planned, ...]:
    return tuple(
        Planned(
            drawn=draw(catalogue.usual(), 2, seed),
            options=msgspec.structs.replace(given, seed=seed),
            replay=f"python -m harness chaos_nightly --seed {seed} --count 1",
        )
        for seed in seeds
    )


async def night(
    tmp_path: Path,
    seeds: range,
    budget_s: float = 1e6,
    after: Callable[[Night, Scripted], None] = lambda n, s: None,
    least: int = 1,
) -> NightReport:
    clock = HandClock()
    given = msgspec.structs.replace(options(tmp_path), seed=seeds[0])

    def make(each: Planned) -> Scripted:
        made = Scripted(each, clock)
        after(under_way, made)
        return made

    under_way = Night(
        planned(given, seeds), given, make, clock, Progress(clock),
        replay="the night's", budget_s=budget_s, least=least,
    )  # fmt: skip
    report = await under_way.run()
    assert msgspec.json.decode((under_way.folder / NIGHT_JSON).read_bytes(), type=NightReport) == report
    return report


def test_a_schedule_replayed_alone_is_the_one_of_the_night(tmp_path: Path) -> None:
    words = ("chaos_nightly", "--on", "local", "--reports", str(tmp_path), "--length", "3", "--seed")
    whole, alone = (cli.parser().parse_args([*words, seed]) for seed in ("7", "9"))
    third = command._planned(whole, cli._week4(whole), 9)
    assert third == command._planned(alone, cli._week4(alone), 9)
    assert len(third.drawn) == 3
    assert "--seed 9 --count 1 --length 3" in third.replay


async def test_a_failing_schedule_does_not_keep_the_next_and_its_seed_is_kept(tmp_path: Path) -> None:
    report = await night(tmp_path, range(11, 16))
    assert [each.seed for each in report.schedules] == [11, 12, 13, 14, 15]
    assert [each.exit_status for each in report.schedules] == [0, Exit.RUN_BROKEN, Exit.HOLD, Exit.STACK, 0]
    assert report.exit_status == Exit.RUN_BROKEN
    kept = json.loads((tmp_path / FAILING_SEEDS).read_text())
    assert [entry["seed"] for entry in kept] == [12, 13, 14]
    assert kept[0] == {"seed": 12, "rung": "local", "replay": "python -m harness chaos_nightly --seed 12 --count 1"}
    told = "5 of 5 schedules made: 2 passed, 0 had nothing that the environment can do, 3 did not pass, 2 of them for a"
    assert counts(report, ENGLISH).startswith(told)
    assert report.schedules[2].shortcomings == ("writes.acknowledged: fail: 1 lost",)
    assert report.errors == ("seed 12: firestore died", "seed 14: no port is free")


async def test_a_night_that_passes_ends_in_0_and_keeps_no_seed(tmp_path: Path) -> None:
    report = await night(tmp_path, range(1, 4))
    assert report.exit_status == Exit.OK and len(report.schedules) == 3
    assert not (tmp_path / FAILING_SEEDS).exists()


async def test_a_schedule_that_the_rung_cannot_make_holds_no_night_and_a_night_of_such_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends in 10, as every run that exercised nothing: of the night it is a part that was not exercised."""
    made = Scripted.run

    async def empty(self: Scripted) -> ChaosReport:
        report = await made(self)
        if report.seed not in lacking:
            return report
        left_out = [msgspec.structs.replace(e, verdict=Verdict.NOT_EXERCISED, calls=0) for e in report.experiments]
        return msgspec.structs.replace(report, exit_status=Exit.HOLD, experiments=tuple(left_out))

    monkeypatch.setattr(Scripted, "run", empty)
    lacking = {2}
    report = await night(tmp_path / "some", range(1, 4))
    assert (report.exit_status, report.combined) == (Exit.OK, Combined.ALL_PASSED)
    assert "2 passed, 1 had nothing that the environment can do, 0 did not pass" in counts(report, ENGLISH)
    assert not (tmp_path / "some" / FAILING_SEEDS).exists()
    lacking = {1, 2, 3}
    report = await night(tmp_path / "none", range(1, 4), least=0)
    assert (report.exit_status, report.combined) == (Exit.HOLD, Combined.NOTHING_EXERCISED)
    assert "Nothing exercised" in html(report) and "nothing was exercised" in text(report, "folder")


async def test_no_schedule_is_begun_after_the_budget_and_the_report_says_so(tmp_path: Path) -> None:
    report = await night(tmp_path, range(1, 6), budget_s=150)
    assert len(report.schedules) == 2
    assert "2 of 5 schedules made" in text(report, "folder")
    assert "2 of 5 schedules made" in summary(report) and "2 of 5 schedules made" in html(report)
    assert report.exit_status == Exit.OK and "too few" not in text(report, "folder")


async def test_a_night_of_too_few_schedules_holds_and_says_so(tmp_path: Path) -> None:
    report = await night(tmp_path, range(1, 6), budget_s=150, least=3)
    assert len(report.schedules) == 2 and report.exit_status == Exit.HOLD
    assert "too few: at least 3" in text(report, "folder")


@pytest.mark.parametrize(
    ("words", "told"),
    [(("--budget", "0s"), "--budget is 0"), (("--count", "5", "--least", "6"), "--least 6 is not within 1..5")],
)
def test_a_night_that_could_come_to_nothing_is_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    arguments = cli.parser().parse_args(["chaos_nightly", "--on", "local", "--reports", str(tmp_path), *words])
    with pytest.raises(BadInput, match=told):
        command.run_nightly(arguments, cli._week4)


async def test_seeds_that_cannot_be_kept_end_no_night(tmp_path: Path) -> None:
    (tmp_path / FAILING_SEEDS).mkdir()
    report = await night(tmp_path, range(11, 16))
    assert len(report.schedules) == 5
    assert any(FAILING_SEEDS in error for error in report.errors)


async def test_an_interrupt_ends_the_schedule_under_way_and_begins_no_other(tmp_path: Path) -> None:
    def interrupt(under_way: Night, made: Scripted) -> None:
        if made.planned.options.seed == 2:
            under_way.interrupt()

    report = await night(tmp_path, range(1, 5), after=interrupt)
    assert [each.seed for each in report.schedules] == [1, 2]
    assert report.exit_status == Exit.INTERRUPTED
    assert not (tmp_path / FAILING_SEEDS).exists()


async def test_pages_name_each_schedule_with_its_replay_and_link(tmp_path: Path) -> None:
    report = await night(tmp_path, range(11, 14))
    page, lines = html(report), summary(report)
    for each in report.schedules:
        assert f"{each.folder}/report.html" in page and f"{each.folder}/report.html" in lines
    assert "--seed 13 --count 1" in page and "--seed 11 --count 1" not in page
    assert "writes.acknowledged: fail: 1 lost" in page
    assert junit(report).count(b"<failure") == 3  # two schedules, and what broke


@pytest.mark.parametrize("found", ["", "{", "[]", "null"])
def test_a_file_of_seeds_that_cannot_be_read_is_begun_anew(tmp_path: Path, found: str) -> None:
    path = tmp_path / FAILING_SEEDS
    path.write_text(found)
    keep_seed(path, {"seed": 1})
    keep_seed(path, {"seed": 1})
    assert json.loads(path.read_text()) == [{"seed": 1}]
