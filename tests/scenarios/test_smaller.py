"""A scenario file of somebody's own says by what it is smaller or faster than the document's weeks."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.data import SCENARIOS
from scenarios.load import load, names, with_options
from tests.rehearsal.empty import Empty, conductor
from tests.rehearsal.toy import ToyPlan


class SmallerPlan(ToyPlan, frozen=True, kw_only=True):
    """The toy's, smaller by its own file."""

    smaller: tuple[str, ...] = ()


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
        (("pace: 50s", "pace: 45s"), ()),  # of week 2
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
    kept = [line for line in WEEK3.splitlines() if "claim" not in line and not line.startswith("- rollout.")]
    for window, told in (("120s", ()), ("110s", ("window 110s",))):
        (tmp_path / "none.yaml").write_text("\n".join(kept).replace("window: 120s", f"window: {window}"))
        found = load(str(tmp_path / "none.yaml"))
        assert not found.claims and found.smaller == told


def test_what_an_option_says_is_told_by_the_option(tmp_path: Path) -> None:
    found = load(written(tmp_path, ("window: 120s", "window: 10s"), ("pace: 50s", "pace: 5s")))
    assert found.smaller == (SHORT, FAST)
    assert with_options(found, window_s=330.0).smaller == (FAST,)
    assert with_options(found, pace_s=50.0, fetch_interval_s=5.0).smaller == (SHORT,)
    assert with_options(load("rollout_week3"), window_s=10.0).smaller == ()


async def test_a_run_s_facts_say_it(tmp_path: Path) -> None:
    """Of whatever plan says it of itself; the sign-off reads it there."""
    plan = SmallerPlan(smaller=(SHORT,))
    made = conductor(tmp_path, Empty(rows=3), plan=plan)
    assert (await made.run()).facts.smaller == (SHORT,)
