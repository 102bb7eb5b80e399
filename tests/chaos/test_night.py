"""A night of drawn schedules, with runs that end as the test wants: its order, budget, result and kept seeds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS, MachineClock, unix_ns
from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit, StackNotStarted
from harness.base.progress import Progress
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.message import Message, ProgressCallback, message, raw_text
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.rehearsals.chaos.command import ChaosNightly
from harness.rehearsals.chaos.night import FAILING_SEEDS, REHEARSAL, keep_seed
from harness.rehearsals.chaos.rehearsal import REHEARSAL as CHAOS
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, MadeExperiment, NightPlan
from harness.report.published import RESULT, RESULT_JSON
from harness.run.command import parse
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal
from harness.run.runner import Environment, Runner
from harness.stack.protocol import StackNeeds
from harness.stack.target.targets import bundled
from tests.rehearsal.made import facts, judged_again

BROKEN_SEED, HOLDING_SEED, STACKLESS_SEED = 12, 13, 14
LOST = Judgement(
    id="writes.acknowledged", kind=Kind.CHECK, verdict=Verdict.FAIL, told=(message("{count} lost", count="1"),)
)


class HandClock(MachineClock):
    """Goes on when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.anchor.monotonic_ns

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return unix_ns(self.anchor, self.now)


class Drawn:
    """The run of a schedule."""

    def __init__(self, folder: Path, ended: Callable[[bool], Result], begun: Callable[[], None]) -> None:
        self.folder = folder
        self._ended = ended
        self._begun = begun
        self._interrupted = False

    async def run(self) -> Result:
        self._begun()
        for _ in range(10):  # until whoever ends the night has told everybody
            await asyncio.sleep(0)
        return self._ended(self._interrupted)

    def interrupt(self) -> None:
        self._interrupted = True


class Nowhere(Environment):
    """This machine, where nobody left anything; the night itself has no stack."""

    def __init__(self, clock: HandClock, one: Callable[..., Result], during: Callable[[int], None]) -> None:
        self._clock = clock
        self._one = one
        self._during = during

    def child(self, on: RunContext[Any], rehearsal: Rehearsal[Any, Any], plan: ChaosPlan, options: Options) -> Drawn:
        assert rehearsal is CHAOS and options.reports == on.folder
        self._clock.now += 100 * NS
        if options.seed == STACKLESS_SEED:
            raise StackNotStarted("no port is free")
        return Drawn(
            on.folder,
            lambda interrupted: self._one(plan, options, interrupted=interrupted),
            lambda: self._during(options.seed),
        )

    async def sweep(self, say: ProgressCallback) -> None:
        """Nothing to remove."""

    def stack(self, run: Runner[Any, Any], needs: StackNeeds) -> Any:
        raise AssertionError("a night asks for no stack")


def planned(*words: str) -> NightPlan:
    """As the command line plans it."""
    return parse(ChaosNightly, ["--on", "local", *words]).planned()


def plan_of(seeds: range, *words: str) -> NightPlan:
    return planned("--seed", str(seeds[0]), "--count", str(len(seeds)), *words)


def made(run: ChaosPlan, options: Options, *, exercised: bool = True, interrupted: bool = False) -> Result:
    """A run of 100 s that ends by its seed: one breaks, one does not pass."""
    seed = options.seed
    status = {BROKEN_SEED: Exit.RUN_BROKEN, HOLDING_SEED: Exit.HOLD}.get(seed, Exit.OK)
    kill = Judgement(id="pod_kill", part="1", verdict=Verdict.PASS, told=(raw_text("ok"),), value=2, samples=50)
    if not exercised:
        status = Exit.HOLD
        kill = msgspec.structs.replace(kill, verdict=Verdict.NOT_EXERCISED, gates=False, value=None, samples=0)
    details = ChaosDetails(made=[MadeExperiment(number=1, begun_ns=0, start_ns=0, end_ns=1)] if exercised else [])
    return Result(
        rehearsal="chaos", plan=run.name, title=message("t"), run_id=f"chaos-s{seed}", decides=False,
        decision=Decision.ADVANCE, exit_status=Exit.INTERRUPTED if interrupted else status,
        facts=facts(rung=EnvironmentKind.LOCAL, seed=seed, errors=("firestore died",) if seed == BROKEN_SEED else ()), parts=(),
        judgements=(kill, LOST) if seed == HOLDING_SEED else (kill,), sections=(),
        details=msgspec.to_builtins(details),
    )  # fmt: skip


async def night(
    tmp_path: Path,
    plan: NightPlan,
    *,
    one: Callable[..., Result] = made,
    during: Callable[[Runner[Any, Any], int], None] = lambda conductor, seed: None,
) -> tuple[Result, Path]:
    """The night's result, and its folder."""
    clock = HandClock()
    options = Options(
        rung=EnvironmentKind.LOCAL, target=bundled(), seed=plan.schedules[0].seed, reports=tmp_path, replay="the night's",
        manifests=ROOT / "deploy" / "kubernetes" / "overlays" / "local",
    )  # fmt: skip
    nowhere = Nowhere(clock, one, lambda seed: during(conductor, seed))
    conductor = Runner(REHEARSAL, plan, options, clock, Progress(clock), environment=nowhere)
    result = await conductor.run()
    assert RESULT.read(conductor.folder / RESULT_JSON) == result
    assert judged_again(REHEARSAL, conductor.folder) == result.judgements
    return result, conductor.folder


def verdicts(result: Result) -> dict[str, Verdict]:
    return {each.id: each.verdict for each in result.judgements}


def test_a_schedule_replayed_alone_is_the_one_of_the_night() -> None:
    whole = plan_of(range(7, 57), "--length", "3")
    alone = planned("--seed", "9", "--count", "1", "--length", "3")
    assert whole.schedules[2] == alone.schedules[0]
    assert len(alone.schedules[0].drawn) == 3
    assert "--seed 9 --count 1 --length 3" in alone.schedules[0].replay


async def test_a_failing_schedule_does_not_keep_the_next_and_its_seed_is_kept(tmp_path: Path) -> None:
    plan = plan_of(range(11, 16))
    result, _ = await night(tmp_path, plan)
    assert verdicts(result) == {
        "seed 11": Verdict.PASS, "seed 12": Verdict.FAIL, "seed 13": Verdict.FAIL, "seed 14": Verdict.FAIL,
        "seed 15": Verdict.PASS, "schedules": Verdict.PASS,
    }  # fmt: skip
    assert [each.exit_status for each in result.children] == [0, Exit.RUN_BROKEN, Exit.HOLD, 0]
    assert result.exit_status == Exit.RUN_BROKEN
    kept = json.loads((tmp_path / FAILING_SEEDS).read_text())
    assert [entry["seed"] for entry in kept] == [12, 13, 14]
    assert kept[0] == {"seed": 12, "rung": "local", "replay": plan.schedules[1].replay}
    reasons = {each.id: each.reason for each in result.judgements}
    assert "exit status 10; writes.acknowledged: fail: 1 lost" in reasons["seed 13"]
    assert "no port is free" in reasons["seed 14"]
    (broke,) = result.facts.errors
    assert "seed 12: firestore died" in broke and "seed 14: no port is free" in broke


async def test_a_night_that_passes_ends_in_0_and_keeps_no_seed(tmp_path: Path) -> None:
    result, _ = await night(tmp_path, plan_of(range(1, 4)))
    assert result.exit_status == Exit.OK and result.decision is Decision.ADVANCE and len(result.children) == 3
    assert not (tmp_path / FAILING_SEEDS).exists()


async def test_a_schedule_that_the_rung_cannot_make_holds_no_night_and_a_night_of_such_holds(tmp_path: Path) -> None:
    """Each ends in 10, as every run that exercised nothing: of the night it is a part that was not exercised."""

    def some(run: ChaosPlan, options: Options, *, interrupted: bool = False) -> Result:
        return made(run, options, exercised=options.seed not in lacking)

    lacking = {2}
    result, _ = await night(tmp_path / "some", plan_of(range(1, 4)), one=some)
    assert result.exit_status == Exit.OK and verdicts(result)["seed 2"] is Verdict.NOT_EXERCISED
    assert not (tmp_path / "some" / FAILING_SEEDS).exists()
    lacking = {1, 2, 3}
    result, _ = await night(tmp_path / "none", plan_of(range(1, 4)), one=some)
    assert result.exit_status == Exit.HOLD and not result.exercised


async def test_no_schedule_is_begun_after_the_budget_and_the_result_says_so(tmp_path: Path) -> None:
    result, _ = await night(tmp_path, plan_of(range(1, 6), "--budget", "150s"))
    assert len(result.children) == 2 and result.exit_status == Exit.OK
    (enough,) = (each for each in result.judgements if each.id == "schedules")
    assert "2 of 5 schedules were made" in enough.reason
    told = {each.id: (each.verdict, each.gates, each.reason) for each in result.judgements if each is not enough}
    assert [told[f"seed {seed}"][0] for seed in (1, 2)] == [Verdict.PASS] * 2
    left = (Verdict.NOT_EXERCISED, False, "the budget of 150 s is spent; 2 of 5 schedules were made")
    assert [told[f"seed {seed}"] for seed in (3, 4, 5)] == [left] * 3


async def test_a_night_of_too_few_schedules_holds_and_says_so(tmp_path: Path) -> None:
    result, _ = await night(tmp_path, plan_of(range(1, 6), "--budget", "150s", "--least", "3"))
    assert len(result.children) == 2 and result.exit_status == Exit.HOLD
    (enough,) = (each for each in result.judgements if each.id == "schedules")
    assert enough.verdict is Verdict.INCONCLUSIVE and "at least 3" in enough.reason


@pytest.mark.parametrize(("count", "all_", "least"), [(52, 3, 50), (7, 7, 1), (10, 4, 10)])
def test_the_shards_of_a_night_make_together_what_it_makes_alone(count: int, all_: int, least: int) -> None:
    words = ("--seed", "7", "--count", str(count), "--least", str(least))
    whole = planned(*words)
    shards = [planned(*words, "--shard", f"{number}/{all_}") for number in range(1, all_ + 1)]
    made = sorted((each for shard in shards for each in shard.schedules), key=lambda each: each.seed)
    assert tuple(made) == whole.schedules  # their replays too, which name no shard
    assert [shard.shard for shard in shards] == [f"{number}/{all_}" for number in range(1, all_ + 1)]
    assert sum(shard.least for shard in shards) == max(least, all_)
    assert all(shard.least <= len(shard.schedules) for shard in shards)


async def test_each_report_says_which_shard_it_is(tmp_path: Path) -> None:
    result, folder = await night(tmp_path, planned("--seed", "1", "--count", "4", "--shard", "2/4"))
    assert [each.id for each in result.judgements] == ["seed 2", "schedules"]
    assert all("shard 2/4: 1 schedules" in (folder / name).read_text() for name in ("report.html", "summary.md"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--budget", "0s"), "--budget: it is 0"),
        (("--count", "5", "--least", "6"), "--least 6 is not within 1..5"),
        *((("--shard", each), "is no shard: write which of how many") for each in ("0/4", "5/4", "x", "1/0", "1/2/2")),
        (("--count", "3", "--shard", "1/4"), "4 shards share 3 schedules"),
    ],
)
def test_a_night_that_could_come_to_nothing_is_refused(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        planned(*words)


async def test_seeds_that_cannot_be_kept_end_no_night(tmp_path: Path) -> None:
    (tmp_path / FAILING_SEEDS).mkdir()
    result, _ = await night(tmp_path, plan_of(range(11, 16)))
    assert len(result.judgements) == 6
    assert any(FAILING_SEEDS in error for error in result.facts.errors)


async def test_an_interrupt_ends_the_schedule_under_way_and_begins_no_other(tmp_path: Path) -> None:
    def interrupt(conductor: Runner[Any, Any], seed: int) -> None:
        if seed == 2:
            conductor.interrupt()

    result, _ = await night(tmp_path, plan_of(range(1, 5)), during=interrupt)
    assert [each.part for each in result.children] == ["seed 1", "seed 2"]
    assert [verdicts(result)[f"seed {seed}"] for seed in (3, 4)] == [Verdict.INCONCLUSIVE] * 2  # and named
    assert result.exit_status == Exit.INTERRUPTED
    assert not (tmp_path / FAILING_SEEDS).exists()


async def test_the_page_names_each_schedule_with_its_replay_and_link(tmp_path: Path) -> None:
    result, folder = await night(tmp_path, plan_of(range(11, 14)))
    page = (folder / "report.html").read_text()
    assert result.sections == () and all(f"chaos-s{seed}/report.html" in page for seed in (11, 12, 13))
    assert "writes.acknowledged: fail: 1 lost" in page and "--seed 13 --count 1" in page
    assert (folder / "junit.xml").read_bytes().count(b"<failure") == 2  # the schedules that did not pass


@pytest.mark.parametrize("found", ["", "{", "[]", "null"])
def test_a_file_of_seeds_that_cannot_be_read_is_begun_anew(tmp_path: Path, found: str) -> None:
    path = tmp_path / FAILING_SEEDS
    path.write_text(found)
    said: list[Message] = []
    keep_seed(path, {"seed": 1}, said.append)
    keep_seed(path, {"seed": 1}, said.append)
    assert [each.text for each in said] == ["{path} cannot be read ({error}): it is begun anew"] * (found != "[]")
    assert json.loads(path.read_text()) == [{"seed": 1}]
