"""The plan as data, and what the command line makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import planfile
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.scenario import Arrivals
from harness.rehearsals.load_stages.command import LoadStagesCommand
from harness.rehearsals.load_stages.types import LoadStagesPlan
from harness.run.command import parse


def test_the_bundled_plan_is_the_documents() -> None:
    plan = planfile.bundled("load_stages", LoadStagesPlan)
    open_loop = {s.users: s.rate_per_s for s in plan.stages if s.arrivals is Arrivals.EVEN}
    assert open_loop == {10: 0.2, 50: 1.0, 100: 2.0, 500: 10.0}
    assert [s.in_flight for s in plan.stages if s.arrivals is Arrivals.CLOSED] == [10, 50, 100, 500]
    # Every stage of users gives p95 its 59 samples, and the rate limit of 100 a minute is never reached.
    assert all(s.rate_per_s * s.seconds >= 59 for s in plan.stages if s.arrivals is Arrivals.EVEN)
    (capacity,) = (s for s in plan.stages if s.arrivals is Arrivals.POISSON)
    # The document's rate stands in one place; its step comes before the limits are scaled, on two pods, over everyone.
    assert (capacity.rate_per_s, plan.pods, capacity.users) == (20, 2, plan.accounts)
    assert capacity.rate_per_s * capacity.seconds > 1049  # the error bound carries five failures
    assert plan.knee.most_rate_per_s / plan.accounts * 60 < 100
    assert (plan.p95_limit_ms, plan.error_limit) == (500, 0.01)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("accounts: 1000", "acounts: 1000", "acounts"),
        ("error_limit: 1%", "error_limit: 0.01", "error_limit"),
        ("p95_limit: 500ms", "p95_limit: 500x", "unit of time"),
        ("pods: [2, 4, 6, 8, 10]", "pods: [0]", "Expected `int` >= 1"),
        ("accounts: 1000", "accounts: 400", "500 at once need as many accounts"),
        ("{users: 50, window: 65s}", "{users: 10, window: 65s}", "is there twice"),
        ("- load.stages", "- load.stage", "did you mean 'load.stages'"),
        ("rate: 20/s", "rate: 1200/s", "the knee's search begins, is above most_rate"),
        ("rate: 20/s", "rate: 0/s", "out of range .above 0"),
        ("precision: 10%", "precision: 0%", "out of range .above 0%"),
        ("pace: 50s", "pace: 0s", "out of range .above 0, at most 30d"),
        ("warm_up: 20s", "warm_up: 0s", "out of range .above 0"),
        ("pods: [2, 4, 6, 8, 10]", "pods: [2, 4, 2]", "'2' is there twice"),
        ("most_rate: 1000/s", "most_rate: 1000users", "not in 1/s"),
        ("most_rate: 1000/s", "most_rate: 1667/s", "knee: most_rate: 1667/s from 1000 accounts reach the API's rate"),
        ("accounts: 1000", "accounts: 600", "from 600 accounts reach"),  # 100 a minute each, exactly
        ("pace: 50s", "pace: 500ms", "users_10: 20/s from 10 accounts reach"),
    ],
)
def test_a_wrong_plan_is_refused_by_what_is_wrong(tmp_path: Path, before: str, after: str, words: str) -> None:
    text = (PLANS / "load_stages.yaml").read_text()
    assert before in text
    wrong = tmp_path / "load_stages.yaml"
    wrong.write_text(text.replace(before, after, 1))
    with pytest.raises(BadInput, match=words):
        planfile.load(wrong, LoadStagesPlan)


def test_an_empty_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(BadInput, match="is empty"):
        planfile.load(tmp_path / "empty.yaml", LoadStagesPlan)


def test_the_command_line_narrows_the_plan() -> None:
    def plan(*words: str):  # type: ignore[no-untyped-def]  # LoadStagesPlan
        return parse(LoadStagesCommand, words).planned()

    assert plan("--pods", "3,5").knee.pods == plan("--pods", "3,5,3").knee.pods == (3, 5)
    assert plan("--only", "knee").stages == ()
    assert next(s.name for s in plan("--only", "in_flight").stages) == "in_flight_10"
    assert plan("--only", "users").knee.pods == ()
    assert [s.users for s in plan("--only", "users").stages] == [10, 50, 100, 500]
    assert [s.name for s in plan("--only", "capacity").stages] == ["capacity"]
    assert plan("--only", "capacity").knee.pods == ()
    both = plan("--only", "knee", "--only", "capacity")
    assert ([s.name for s in both.stages], both.knee) == (["capacity"], plan().knee)
    assert max(s.seconds for s in plan("--quick").stages) == 30
    assert plan("--workers", "4").workers == 4
    with pytest.raises(BadInput, match="the plan's 1000 accounts cannot be shared evenly\n  where: --workers 3"):
        plan("--workers", "3")
    with pytest.raises(BadInput, match="--workers: 9 is not within"):
        plan("--workers", "9")
    for wrong in ("x", "0", "2,99"):
        with pytest.raises(BadInput, match="--pods"):
            plan("--pods", wrong)
