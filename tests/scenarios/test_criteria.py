"""Criteria in one line: what they mean, what they are called, and what is refused of them, by line and key."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.base import yamltext
from harness.base.data import ROOT, SCENARIOS
from harness.base.errors import BadInput
from harness.base.planfile import schema
from harness.model.evidence import Operation
from harness.model.judgement import Kind
from harness.model.scenario import By, Comparison, Metric, Sample
from harness.rules.chance import requirements
from harness.run.scenarios.load import ScenarioFile, names, parse

HEAD = """\
title: "Ours"
population: {audiences: [{name: general, users: 350, flag_on: 100}]}
window: 120s
"""
FIRST = HEAD.count("\n") + 1  # the line after the head


def criteria(text: str) -> list[tuple[str, Kind, Metric, Comparison, float]]:
    found = parse(HEAD + text, "plan.yaml", "plan").criteria
    return [(each.id, each.kind, each.metric, each.comparison, each.threshold) for each in found]


def refused(text: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse(HEAD + text, "plan.yaml", "plan")
    return caught.value


SUCCESS = ("success.availability", Kind.CRITERION, Metric.AVAILABILITY, Comparison.ABOVE, 0.995)
LIMIT = ("rollback.latency_p95", Kind.ROLLBACK_LIMIT, Metric.LATENCY_P95, Comparison.ABOVE, 800.0)


@pytest.mark.parametrize(
    "text",
    [
        "success: [availability > 99.5%]\nrollback: [latency_p95 > 800ms]",
        "success:\n- availability>99.5 %\nrollback:\n- latency_p95   >   0.8s",
        'criteria:\n- success availability > 99.5%\n- "rollback latency_p95 > 800ms"',
        "success:\n- success availability > 99.5%\nrollback:\n- rollback latency_p95 > 800ms",
        'success:\n- {metric: availability, comparison: ">", threshold: 99.5%}\nrollback: [latency_p95 > 800ms]',
        'criteria:\n- {kind: success, metric: availability, comparison: ">", threshold: 99.5%}\n'
        "rollback: [latency_p95 > 800ms]",
    ],
)
def test_one_line_says_the_same_as_the_long_form(text: str) -> None:
    assert criteria(text) == [SUCCESS, LIMIT]


def test_a_week_in_one_line_each_is_the_week() -> None:
    week = yaml.safe_load((SCENARIOS / "rollout_week2.yaml").read_text(encoding="utf-8"))
    long = parse(yaml.safe_dump(week), "plan.yaml", "plan")
    lines = [f"{each['kind']} {each['metric']} {each['comparison']} {each['threshold']}" for each in week["criteria"]]
    lines = [line for line, each in zip(lines, week["criteria"], strict=True) if "sample" not in each]
    short = parse(yaml.safe_dump({**week, "criteria": lines}), "plan.yaml", "plan")
    assert [(each.id, each.threshold, each.kind) for each in short.criteria] == [
        (each.id, each.threshold, each.kind) for each in long.criteria if each.sample is None
    ]


@pytest.mark.parametrize(
    "text",
    [
        "success:\n- latency_p99[create_walk] < 2s",
        "success:\n- latency_p99 [ create_walk ] < 2s",
        'success:\n- {metric: latency_p99, operation: create_walk, comparison: "<", threshold: 2000ms}',
        'criteria: ["success latency_p99[create_walk] < 2s"]',
    ],
)
def test_a_criterion_on_one_operation(text: str) -> None:
    (found,) = parse(HEAD + text, "plan.yaml", "plan").criteria
    assert (found.id, found.metric, found.operation, found.threshold) == (
        "success.latency_p99.create_walk",
        Metric.LATENCY_P99,
        Operation.CREATE_WALK,
        2000.0,
    )


def test_all_that_requests_tell_can_be_asked_of_one_operation() -> None:
    for metric, limit in (("latency_p50", "1s"), ("latency_p95", "1s"), ("latency_p99", "1s"), ("error_ratio", "1%")):
        text = (
            f"success:\n- {metric}[put_walk] < {limit}\nrollback:\n- {metric}[put_walk] > {limit}\n- {metric} > {limit}"
        )
        assert [each[0] for each in criteria(text)] == [
            f"success.{metric}.put_walk",
            f"rollback.{metric}.put_walk",
            f"rollback.{metric}",
        ]


def test_ids_are_derived_and_unique() -> None:
    text = (
        "criteria:\n- {id: success.availability.2, kind: success, metric: error_ratio, comparison: '<', threshold: 1%}\n"
        "success:\n- availability > 99%\n- availability > 99.5%\n- availability > 99.9%"
    )
    assert [name for name, *_ in criteria(text)] == [
        "success.availability.2",
        "success.availability",
        "success.availability.3",
        "success.availability.4",
    ]


@pytest.mark.parametrize(
    ("text", "what", "where", "remedy"),
    [
        (
            "success:\n- availabilty > 99%",
            "did you mean 'availability'",
            f"plan.yaml:{FIRST + 1}, success[0]",
            "one of",
        ),
        ("success:\n- availability", "is no criterion", f"plan.yaml:{FIRST + 1}, success[0]", "availability > 99.5%"),
        ("success:\n- availability > 99.5", "not a percentage", "success[0]", "threshold: 99.5%"),
        ("success:\n- availability > 100%", "neither met nor broken", "success[0]", "99.5%"),
        ("success:\n- availability < 99%", "says '>', not '<'", "success[0]", "availability >"),
        ("success:\n- availability == 99%", "'==' is no comparison", "success[0]", "one of: >, <, >="),
        ("success:\n- latency_p95 < 800", "no unit of time", "success[0]", "500ms"),
        ("success:\n- latency_p95 < 0ms", "not above 0", "success[0]", "500ms"),
        ("success:\n- concurrent_users >= 2.5users", "no whole number", "success[0]", "250users"),
        ("rollback:\n- request_rate >= 3/s", "has no rollback limit", "rollback[0]", "error_ratio"),
        ("success:\n- rollback availability < 99%", "a rollback criterion under success", "success[0]", "move it"),
        ("success:\n- sucess availability > 99%", "did you mean 'success'", "success[0]", "one of"),
        (
            "criteria:\n- availability > 99%",
            "'kind' is missing",
            f"plan.yaml:{FIRST + 1}, criteria[0]",
            "success avail",
        ),
        ("success: availability > 99%", "Expected `array`", f"plan.yaml:{FIRST}, success", "for example `success: ["),
        ("success:\n- [availability]", "a mapping of keys is wanted", "success[0]", "metric"),
        ("success:\n- {metric: availability}", "'comparison' is missing", "success[0]", 'comparison: ">"'),
        ("success:\n- latency_p95[creat_walk] < 1s", "did you mean 'create_walk'", "success[0]", "one of: list_walks"),
        ("success:\n- availability[get_walk] > 99%", "not judged of one operation", "success[0]", "leave `[get_walk]`"),
        ("success:\n- request_rate[get_walk] >= 3/s", "not judged of one operation", "success[0]", "error_ratio"),
        ("success:\n- latency_p90 < 1s", "is no metric; did you mean 'latency_p9", "success[0]", "latency_p50"),
        ("success:\n- latency_p95[] < 1s", "is no criterion", "success[0]", "availability > 99.5%"),
        (
            'success:\n- {metric: error_ratio, operation: get_walks, comparison: "<", threshold: 1%}',
            "did you mean 'get_walk'",
            f"plan.yaml:{FIRST + 1}, success[0].operation",
            "write `operation: get_walk`",
        ),
        ("success:\n- latency_p95 < 500s", "can break no limit of 500 s", "success[0]", "500ms"),
        ("rollback:\n- latency_p50[get_walk] > 10001ms", "given up after 10 s", "rollback[0]", "request_timeout"),
        ("request_timeout: 1s\nsuccess:\n- latency_p99 < 2s", "given up after 1 s", "success[0]", "request_timeout"),
        ("success: []", "nothing would be judged", "plan.yaml", "success: [availability > 99.5%]"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_line(text: str, what: str, where: str, remedy: str) -> None:
    error = refused(text)
    assert what in error.what
    assert where in error.where
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("more", "limit", "taken"),
    [
        ("pace: 5s", "12s", True),
        ("pace: 5s", "500s", False),
        ("pace: 10s", "12s", False),
        ("steps: [{at: 60s, pace: 5s}]", "12s", True),
    ],
)
def test_users_who_send_more_often_than_they_give_up_wait_longer(more: str, limit: str, taken: bool) -> None:
    """Each waits for the answer before, and the next request counts from when it was due."""
    head = HEAD.replace("{audiences", f"{{{more}, audiences")
    text = f"{head}rollback: [latency_p95 > {limit}]\nsuccess: [availability > 99%]"
    if taken:
        assert len(parse(text, "plan.yaml", "plan").criteria) == 2
    else:
        with pytest.raises(BadInput, match="can break no limit"):
            parse(text, "plan.yaml", "plan")


@pytest.mark.parametrize("page", ["docs/scenarios.md", "docs/rehearsals/rollout.md", "docs/ja/rehearsals/rollout.md"])
def test_the_scenario_that_the_pages_show_is_one(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = next(block for block in re.findall(r"```(?:yaml)?\n(.*?)```", text, re.S) if block.startswith("title:"))
    found = parse(shown, page, "ours")
    assert {"success.availability", "success.latency_p95.put_walk"} <= {each.id for each in found.criteria}
    assert all(each.enough for each in requirements(found))


@given(st.text(alphabet="availblty_p95<>= .%ms[]create succ\n", max_size=40))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        criteria(yaml.safe_dump({"success": [line]}))
    except BadInput as error:
        assert error.where.startswith("plan.yaml:")


def test_the_schema_takes_the_bundled_files_and_refuses_what_the_loader_refuses() -> None:
    found = schema(ScenarioFile, "A scenario")
    jsonschema.Draft202012Validator.check_schema(found)
    check = jsonschema.Draft202012Validator(found)
    for name in names():
        assert check.is_valid(yaml.load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8"), yamltext.SAFE)), name
    good = yaml.safe_load(HEAD + "success: [availability > 99.5%]")
    assert check.is_valid(good)
    wrongs: tuple[dict[str, object], ...] = (
        {"windw": "1s"},
        {"window": 120},
        {"success": "availability"},
        {"population": {"audiences": [{}]}},
    )
    for wrong in wrongs:
        assert not check.is_valid({**good, **wrong}), wrong
    crowd = {"audiences": [{"name": "general", "users": 100_001, "flag_on": 1}]}
    assert not check.is_valid({**good, "population": crowd})


@pytest.mark.parametrize(
    ("criterion", "key"),
    [
        ('{metric: concurrent_users, comparison: ">=", threshold: 10users, sample: probes}', "sample"),
        ('{metric: error_ratio, operation: get_walk, comparison: "<", threshold: 1%, sample: probes}', "sample"),
        ('{metric: latency_p95, comparison: "<", threshold: 1s, by: value}', "by"),
        ('{metric: error_ratio, comparison: "<", threshold: 1%, crowded_limit: 2s}', "crowded_limit"),
        ('{metric: error_ratio, comparison: "<", threshold: 1%, limit_from: nobody}', "limit_from"),
    ],
)
def test_whom_and_how_a_criterion_asks_must_make_sense(criterion: str, key: str) -> None:
    assert refused(f"success: [{criterion}]").where.endswith(f"success[0].{key}")


def test_a_criterion_says_whom_it_asks_and_how() -> None:
    text = 'success: [{metric: availability, comparison: ">", threshold: 99%, sample: users, by: value}, "availability > 99%"]'
    users, probes = parse(HEAD + text, "plan.yaml", "plan").criteria
    assert (users.id, users.asks, users.by) == ("success.availability.users", Sample.USERS, By.VALUE)
    assert (probes.id, probes.asks, probes.by) == ("success.availability", Sample.PROBES, By.BOUND)
