"""What is wrong with a rule of a team's own: each fault by a query that has it, and none in those that have none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import BUCKETS_S
from harness.base.data import ROOT
from harness.objectives.alerts import four
from harness.objectives.files import defined
from harness.objectives.foreign.emitted import CONTRACT, merged
from harness.objectives.foreign.faults import Known, faults
from harness.objectives.foreign.rules import Rule
from harness.objectives.foreign.trees import Matcher, Measure, Recording, Selector, compared, measure
from tests.api import world
from tests.objectives import parsed

_RECORDED = Recording("job:errors:rate5m", {"slo": "errors"}, parsed.kept()["recorded rate"])
_BUCKETS = {"http_request_duration_seconds_bucket": {"le": ("0.5", "0.6", "5.0", "+Inf")}}


def told(name: str, **rule: object) -> list[str]:
    """The faults of the query of that name."""
    known = Known(
        emitted=merged(CONTRACT, _BUCKETS), recorded=[_RECORDED], scrape_s=15.0, document=tuple(four(defined()))
    )  # fmt: skip
    fields = {"for_s": 600.0 if name.startswith("p95") else 300.0, **rule}
    of = Rule(name=name, where="r.yaml:2", expr=parsed.QUERIES[name], **fields)  # type: ignore[arg-type]
    return [str(each) for each in faults(of, parsed.kept()[name], "", known)]


RIGHT = (
    "p95", "share", "share, in words", "good share", "count", "platform", "gauge", "of one route",
    "of a counter of its own", "odds", "growth", "burn", "p99", "few of another kind", "label made",
    "of a day ago",
)  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_has_no_fault(name: str) -> None:
    """What looks like a fault and is none among them: growth, odds, a limit of the team's own."""
    assert told(name) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("p95 in ms", "it never fires: a quantile is at most the highest finite bucket, 5 s; its limit is 600"),
        ("p95 at the highest bucket", "its limit is 5"),
        ("p95 without le", "no quantile: its buckets are summed without the label le"),
        ("p95 of no buckets", "no quantile: http_request_duration_seconds_sum has no buckets"),
        ("share in percent", "it never fires: a share is at most 1, and its limit is 3"),
        ("rate", "a rate that is no ratio: its limit is 0.03 events"),
        ("of recorded rate", "a rate that is no ratio: its limit is 0.03 events"),
        ("of recorded rate, chosen", "a rate that is no ratio: its limit is 0.03 events"),
        ("by itself", "each series is divided by itself"),
        ("wider than the whole", "http_requests_total{}, is no part of"),
        ("other windows", "one side is of 1m, the other of 5m"),
        ("other sums", "it never matches: one side is summed by job, the other by –"),
        ("no metric", "nobody emits the metric http_request_total; there is http_requests_total"),
        ("no label", "no series of http_requests_total has the label code"),
        ("no value", 'no series of http_requests_total has status="5xx"'),
        ("no bucket", 'has le="0.55": there are +Inf, 0.5, 0.6, 5.0'),
        ("no label to sum by", "it is summed by the label handler"),
        ("short window", "a window of 15s holds fewer than two scrapes of 15s"),
    ],
)
def test_each_fault_is_named_once(name: str, fault: str) -> None:
    """And nothing else is."""
    found = told(name)
    assert len(found) == 1, found
    assert fault in found[0]


def test_a_duration_that_is_not_the_document_s() -> None:
    """5 minutes for the errors, 10 for the p95; of limits of the team's own the document says nothing."""
    assert told("share", for_s=120.0) == [
        "it must hold for 2m, and the document says 5m: エラー率 > 3% （5分継続）→ PagerDuty + Slack"
    ]
    assert "the document says 10m" in told("p95", for_s=0.0)[0]
    assert told("count", for_s=0.0) == []


def test_a_policy_that_tells_nobody() -> None:
    """No channel, and switched off."""
    assert told("p95", channels=(), enabled=False) == [
        "it tells nobody: it has no notification channel", "it is switched off",
    ]  # fmt: skip
    assert told("p95", channels=("projects/p/notificationChannels/1",)) == []


def test_recordings_that_rest_on_each_other_are_no_loop() -> None:
    """Nobody knows what labels they have."""
    tree = parsed.kept()["of recorded rate"]["lhs"]
    recorded = [Recording(name, {}, tree) for name in ("job:errors:rate5m", "b", "b")]
    known = Known(emitted=CONTRACT, recorded=recorded, scrape_s=15.0, document=())
    a, b = (known.labels_of(Selector(name, frozenset(), 0.0)) for name in ("job:errors:rate5m", "b"))
    assert a and a == b


def test_of_recordings_of_one_name_the_labels_of_those_that_are_meant_are_known() -> None:
    """Of all of them where no matcher says which; where it is none of them, that is the fault."""
    recorded = [
        Recording("r", {"slo": "a", "team": "t"}, parsed.kept()["recorded rate"]),
        Recording("r", {"slo": "b"}, parsed.kept()["platform"]["lhs"]),
    ]
    known = Known(emitted=CONTRACT, recorded=recorded, scrape_s=15.0, document=())

    def asked(op: str, value: str) -> frozenset[str] | None:
        return known.labels_of(Selector("r", frozenset([Matcher("slo", op, value)]), 0.0))

    for op, value in (("=", "a"), ("!=", "b"), ("=~", "a|c"), ("!~", "b.*")):
        assert {"slo", "team", "status"} <= (asked(op, value) or set()), op
    assert {asked(op, value) for op, value in (("=", "b"), ("=~", "a|b"), ("=~", r"\pL"), ("=", "c"))} == {None}
    tree = parsed.kept()["of recorded rate, chosen"]
    other = Recording("job:errors:rate5m", {"slo": "latency"}, parsed.kept()["recorded rate"])
    known = Known(emitted=CONTRACT, recorded=[other], scrape_s=15.0, document=())
    rule = Rule(name="of another", where="r.yaml:2", expr="")
    assert [*map(str, faults(rule, tree, "", known))] == ['no series of job:errors:rate5m has slo="errors"']


def test_what_is_compared_stands_alone() -> None:
    """Percent and the good share are the same share of failures."""
    found = {name: next(iter(compared(parsed.kept()[name]))) for name in ("share", "share, in words", "good share")}
    assert {name: (each.above, each.limit) for name, each in found.items()} == dict.fromkeys(found, (True, 0.03))
    assert {measure(each.part, ()) for each in found.values()} == {Measure.SHARE}


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
