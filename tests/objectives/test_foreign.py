"""What of a team's query nobody emits: each such query by what is wrong with it, and none of those that are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import BUCKETS_S
from harness.base.data import ROOT
from harness.rules.objectives.foreign.emitted import CONTRACT, merged, unemitted
from harness.rules.objectives.foreign.selectors import (
    Matcher,
    Recorded,
    Recording,
    SeriesSelector,
    beneath,
    chosen,
    selectors,
)
from tests.api import world
from tests.objectives import parsed

_RECORDED = Recording("job:errors:rate5m", {"slo": "errors"}, parsed.kept()["recorded rate"])
_BUCKETS = {"http_request_duration_seconds_bucket": {"le": ("0.5", "0.6", "5.0", "+Inf")}}
_WRONG = {
    "no metric": "nobody emits the metric http_request_total; there is http_requests_total",
    "no label": "no series of http_requests_total has the label code",
    "no value": 'no series of http_requests_total has status="5xx"',
    "no bucket": 'no series of http_request_duration_seconds_bucket has le="0.55": there are +Inf, 0.5, 0.6, 5.0',
}


def told(name: str, recorded: Recorded = (_RECORDED,)) -> list[str]:
    """What of the query of that name nobody emits."""
    found = unemitted(selectors(parsed.kept()[name]), merged(CONTRACT, _BUCKETS), recorded)
    return [str(each) for each in found]


@pytest.mark.parametrize("name", parsed.QUERIES)
def test_what_nobody_emits_is_named_once_and_nothing_else_is(name: str) -> None:
    """The platform's metrics and a recording are none of it."""
    assert told(name) == [_WRONG[name]] if name in _WRONG else told(name) == []


def test_a_metric_that_is_near_to_none_is_named_alone() -> None:
    found = unemitted([SeriesSelector("sales_total", frozenset())], CONTRACT, ())
    assert [*map(str, found)] == ["nobody emits the metric sales_total"]


def test_recordings_that_rest_on_each_other_are_no_loop() -> None:
    tree = parsed.kept()["of recorded rate"]["lhs"]
    recorded = [Recording("job:errors:rate5m", {}, tree)] * 2
    assert {each.metric for each in beneath(tree, recorded)} == {"job:errors:rate5m"}


def test_of_recordings_of_one_name_those_are_chosen_that_no_matcher_rules_out() -> None:
    """Where all are ruled out, that is what is wrong. A pattern that Python cannot read rules out none."""
    tree = parsed.kept()["recorded rate"]
    recorded = [Recording("r", {"slo": slo, "team": "t"}, tree) for slo in ("a", "b")]

    def slos(op: str, value: str) -> list[str]:
        asked = SeriesSelector("r", frozenset([Matcher("slo", op, value), Matcher("status", "=", "500")]))
        return [each.labels["slo"] for each, _ in chosen(asked, recorded)]

    for op, value in (("=", "a"), ("!=", "b"), ("=~", "a|c"), ("!~", "b.*")):
        assert slos(op, value) == ["a"], op
    assert slos("=~", "a|b") == slos("=~", r"\pL") == ["a", "b"] and slos("=", "c") == []
    other = Recording("job:errors:rate5m", {"slo": "latency"}, tree)
    assert told("of recorded rate, chosen", [other]) == ['no series of job:errors:rate5m has slo="errors"']


def test_the_contract_s_table_is_what_is_taken_as_emitted() -> None:
    """``docs/contract/environment.md``: its names and labels, and the probes'."""
    page = (ROOT / "docs" / "contract" / "environment.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    named = {
        name: set(re.findall(r"`([a-z_]+)[`:]", labels))
        for names, labels in re.findall(r"^\| (`[^|]+) \|[^|]*\|([^|\n]*)\|", page, re.MULTILINE)
        for name in re.findall(r"`([a-z_]+)`", names)
    }
    emitted = {
        name.removesuffix("_bucket"): set(labels) for name, labels in CONTRACT.items() if not name.endswith("_sum")
    }
    kept = {name for name in emitted if name.startswith(("http_requests", "mirror", "database", "log_lines"))}
    assert kept <= {*named}
    assert all(
        emitted[name] == {label for label in named[name] if label in emitted[name] | {"outcome"}} for name in kept
    )
    assert {*named} - {*emitted} == set()


async def test_the_bundled_api_s_page_is_what_is_taken_as_emitted() -> None:
    """Each name with its labels and outcomes, a kind and a text, and nothing else: no ``_created``."""
    async with world.running() as api, api.as_user() as client:
        await client.get("/v1/walks")
        api.service.metrics.refuse(431)
        families = [*text_string_to_metric_families((await api.metrics()).text)]
    assert all(each.documentation and each.type in ("counter", "gauge", "histogram") for each in families)
    samples = [each for family in families for each in family.samples]
    seen = merged(*({each.name: {label: (value,) for label, value in each.labels.items()}} for each in samples))
    contract = {name: labels for name, labels in CONTRACT.items() if name != "availability_probes_total"}
    assert {name: {*labels} for name, labels in seen.items()} == {name: {*labels} for name, labels in contract.items()}
    outcomes = {name: {*labels["outcome"]} for name, labels in contract.items() if "outcome" in labels}
    assert {name: {*labels["outcome"]} for name, labels in seen.items() if "outcome" in labels} == outcomes
    assert seen["http_request_duration_seconds_bucket"]["le"] == tuple(sorted((*map(str, BUCKETS_S), "+Inf")))


@pytest.mark.process
@pytest.mark.nightly
async def test_the_trees_are_prometheus_own(tmp_path: Path) -> None:
    """As the pinned version parses the queries today."""
    assert await parsed.asked(tmp_path) == parsed.kept()
