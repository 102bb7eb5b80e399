"""A scenario file of somebody's own says by what it is smaller or faster than the document's weeks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.rehearsals.rollout.week import REHEARSAL as WEEK
from harness.report.published import RESULT, RESULT_JSON
from harness.run.runner import Runner
from harness.run.scenarios.load import load, names, with_options
from harness.run.simulated import Simulated
from tests.sim.week import options_of

WEEK3 = (SCENARIOS / "rollout_week3.yaml").read_text()
SHORT, FAST, FETCHED = "window 10s", "population.pace 5s", "population.fetch_interval 2s"


def written(folder: Path, *changes: tuple[str, str]) -> str:
    """Week 3 with ``changes`` of its text, as a file of somebody's own; its path."""
    text = WEEK3
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "ours.yaml").write_text(text)
    return str(folder / "ours.yaml")


@pytest.mark.parametrize("name", names())
def test_the_documents_own_weeks_are_not(name: str) -> None:
    assert load(name).smaller == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("window: 120s", "window: 10s"), (SHORT,)),
        (("window: 120s", "window: 119s"), ("window 119s",)),
        (("window: 120s", "window: 120s"), ()),
        (("window: 120s", "window: 600s"), ()),
        (("pace: 50s", "pace: 5s"), (FAST,)),
        (("pace: 50s", "pace: 45s"), ("population.pace 45s",)),  # of week 2
        (("fetch_interval: 60s", "fetch_interval: 2s"), (FETCHED,)),
        (("  audiences:", "  steps: [{at: 60s, pace: 20s}]\n  audiences:"), ("population.steps 1",)),
        (("half of the users", "half of ours"), ()),
    ],
)
def test_each_key_that_makes_it_so_is_told(tmp_path: Path, change: tuple[str, str], told: tuple[str, ...]) -> None:
    assert load(written(tmp_path, change)).smaller == told


def test_the_window_is_that_of_the_week_it_is_about(tmp_path: Path) -> None:
    """A file about no claim of the document is held to the shortest of all: checks of every week judge claims too."""
    week1 = (SCENARIOS / "rollout_week1.yaml").read_text().replace("window: 330s", "window: 120s")
    (tmp_path / "one.yaml").write_text(week1)
    assert load(str(tmp_path / "one.yaml")).smaller == ("window 120s",)
    found = load(of_no_claim(tmp_path, ("window: 120s", "window: 110s")))
    assert not found.claims and found.smaller == ("window 110s",)
    assert load(of_no_claim(tmp_path)).smaller == ()


def of_no_claim(folder: Path, *changes: tuple[str, str]) -> str:
    """As ``written``, about no claim."""
    kept = [line for line in WEEK3.splitlines() if "claim" not in line and not line.startswith("- rollout.")]
    text = "\n".join(kept)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "none.yaml").write_text(text)
    return str(folder / "none.yaml")


def test_a_file_about_no_claim_may_ask_for_less_and_says_so(tmp_path: Path) -> None:
    """One about a claim of the document is refused."""
    lenient = ("switch_over_limit: 5min", "switch_over_limit: 1d\nblackout: 40s")
    slow = ("timeout: 2s", "timeout: 5s")
    told = ("switch_over_limit 86400s", "blackout 40s", "probes.timeout 5s")
    assert load(of_no_claim(tmp_path, lenient, slow)).smaller == told
    with pytest.raises(BadInput):
        load(written(tmp_path, lenient))


def test_fewer_users_on_the_api_than_the_week_has_are_told(tmp_path: Path) -> None:
    fewer = (("- rollout.schedule.week3\n", ""), ("users: 350, flag_on: 100", "users: 350, flag_on: 50"))
    assert load(written(tmp_path, *fewer)).smaller == ("population.audiences.flag_on 200",)


def test_one_user_is_no_week(tmp_path: Path) -> None:
    one = (
        WEEK3[WEEK3.index("  audiences:") : WEEK3.index("window:")],
        "  audiences: [{name: one, users: 1, flag_on: 1}]\n",
    )
    assert load(of_no_claim(tmp_path, one)).smaller == ("population.audiences.flag_on 1",)


def test_for_a_claim_about_shares_fewer_users_are_as_good(tmp_path: Path) -> None:
    fewer = WEEK3
    for old, new in (("50, flag_on: 50", "10, flag_on: 10"), ("100, flag_on: 100", "20, flag_on: 20"),
                     ("350, flag_on: 100", "70, flag_on: 20"), ("250users", "50users")):  # fmt: skip
        assert fewer.count(old) == 1, old
        fewer = fewer.replace(old, new)
    kept = [line for line in fewer.splitlines() if "claim" not in line and not line.startswith("- rollout.")]
    (tmp_path / "shares.yaml").write_text("\n".join([*kept, "claims: [rollout.schedule.week3]"]))
    assert load(str(tmp_path / "shares.yaml")).smaller == ()


def test_what_an_option_says_is_told_by_the_option(tmp_path: Path) -> None:
    found = load(written(tmp_path, ("window: 120s", "window: 10s"), ("pace: 50s", "pace: 5s")))
    assert found.smaller == (SHORT, FAST)
    assert with_options(found, window_s=330.0).smaller == (FAST,)
    assert with_options(found, pace_s=50.0, fetch_interval_s=5.0).smaller == (SHORT,)
    assert with_options(load("rollout_week3"), window_s=10.0).smaller == ()


def test_a_run_s_facts_say_it(tmp_path: Path) -> None:
    """Of a real one, in virtual time; the sign-off reads it there."""
    plan = load(written(tmp_path, ("window: 120s", "window: 10s")))
    time = VirtualClock()
    options = options_of(tmp_path / "reports", "run", seed=3)
    made = Runner(WEEK, plan, options, time, Progress(time, io.StringIO()), environment=Simulated())
    time.run(made.run())
    assert RESULT.read(made.folder / RESULT_JSON).facts.smaller == (SHORT,)
