"""Steps of the load in a scenario file: what they mean, and what is refused of them, by line and key."""

from __future__ import annotations

import pytest

from harness.base.errors import BadInput
from harness.model.scenario import LoadStep
from harness.run.scenarios.load import parse, with_options

HEAD = """\
title: "Ours"
window: 120s
success: [availability > 99.5%]
population:
  audiences: [{name: general, users: 500, flag_on: 250}]
  steps:
"""
FIRST = HEAD.count("\n") + 1


def test_steps_of_a_scenario() -> None:
    found = parse(HEAD + "  - {at: 1min, pace: 25s}\n  - {at: 90s, pace: 12.5s}\n", "plan.yaml", "plan")
    assert found.population.steps == (LoadStep(at_s=60, pace_s=25), LoadStep(at_s=90, pace_s=12.5))
    assert found.population.requests_in(120) == 60 / 50 + 30 / 25 + 30 / 12.5
    assert [found.population.requests_in(seconds) for seconds in (0, 30, 60, 85)] == [0, 0.6, 1.2, 2.2]


@pytest.mark.parametrize(
    ("text", "what", "where", "remedy"),
    [
        ("- {at: 0s, pace: 25s}", "begins 0 s into the window, not after 0 s", "steps[0].at", "`pace`"),
        ("- {at: 60s, pace: 25s}\n  - {at: 60s, pace: 9s}", "60 s into the window, not after 60 s", "[1].at", "order"),
        ("- {at: 60s, pace: 25s}\n  - {at: 59s, pace: 9s}", "59 s into the window, not after 60 s", "[1].at", "order"),
        ("- {at: 120s, pace: 25s}", "begins 120 s into a window of 120 s", "steps[0].at", "window longer"),
        (
            "- {at: 60s, pace: 2.4s}",
            "500 users at one request in 2.4 s send 208.333/s, more than 200/s",
            "steps[0].pace",
            "2.5 s or more",
        ),
        ("- {at: 60s, pace: 0s}", "out of range", "steps[0].pace", "pace: 120s"),
        ("- {at: 60s}", "'pace' is missing", "steps[0]", ""),
        ("- {at: 60s, pace: 25}", "25 is not a duration", "steps[0].pace", "pace: 120s"),
        ("- {at: 60s, users: 20}", "unknown key 'users'", "steps[0].users", "at, pace"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_its_line(text: str, what: str, where: str, remedy: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(HEAD + "  " + text, "plan.yaml", "plan")
    line = FIRST + text.count("\n")
    assert what in caught.value.what
    assert f"plan.yaml:{line}, population." in caught.value.where
    assert where in caught.value.where
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "name", "step_s"),
    [
        ("error_ratio[step=60s] < 1%", "success.error_ratio.step_60s", 60),
        ("error_ratio [ step = 1min ] < 1%", "success.error_ratio.step_60s", 60),
        ("latency_p95[put_walk][step=0s] < 1s", "success.latency_p95.put_walk.step_0s", 0),
        ("latency_p95[put_walk] < 1s", "success.latency_p95.put_walk", None),
    ],
)
def test_a_criterion_on_a_step(line: str, name: str, step_s: float | None) -> None:
    text = HEAD.replace("availability > 99.5%", f'"{line}"') + "  - {at: 60s, pace: 25s}\n"
    (found,) = parse(text, "plan.yaml", "plan").criteria
    assert (found.id, found.step_s) == (name, step_s)


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        ("error_ratio[step=61s] < 1%", "no step of the load begins at 61 s", "begin at: 0s, 60s"),
        ("error_ratio[step=60] < 1%", "no unit of time", "[step=60s]"),
        ("availability[step=60s] > 99%", "availability is not judged of one step", "error_ratio, latency_p50"),
        ("request_rate[step=60s] >= 3/s", "request_rate is not judged of one step", "error_ratio, latency_p50"),
        ("error_ratio[step=60s][put_walk] < 1%", "is no criterion", "availability > 99.5%"),
    ],
)
def test_a_criterion_on_no_step_is_refused(line: str, what: str, remedy: str) -> None:
    text = HEAD.replace("availability > 99.5%", f'"{line}"') + "  - {at: 60s, pace: 25s}\n"
    with pytest.raises(BadInput) as caught:
        parse(text, "plan.yaml", "plan")
    assert what in caught.value.what
    assert "plan.yaml:3, success[0]" in caught.value.where
    assert remedy in caught.value.remedy


def test_a_hundred_steps_and_no_more() -> None:
    steps = [f"  - {{at: {number}s, pace: 25s}}\n" for number in range(1, 102)]
    assert len(parse(HEAD + "".join(steps[:100]), "plan.yaml", "plan").population.steps) == 100
    with pytest.raises(BadInput, match="length <= 100"):
        parse(HEAD + "".join(steps), "plan.yaml", "plan")


def test_the_command_line_does_not_contradict_steps() -> None:
    scenario = parse(HEAD + "  - {at: 60s, pace: 25s}\n", "plan.yaml", "plan")
    assert with_options(scenario, window_s=61).window_s == 61
    with pytest.raises(BadInput, match="a step begins 60 s into a window of 60 s"):
        with_options(scenario, window_s=60)
    with pytest.raises(BadInput, match="`steps` have paces of their own"):
        with_options(scenario, pace_s=10)
