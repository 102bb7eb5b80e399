"""The loader of scenarios: what it reads, and that everything else is refused by its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import event, given
from hypothesis import strategies as st

from harness.base import yamltext
from harness.base.data import SCENARIOS
from harness.base.errors import BadInput, Exit
from harness.base.message import as_message
from harness.model.judgement import Kind
from harness.model.scenario import Comparison, Metric
from harness.report.language import language
from harness.run.scenarios.load import load, names, parse, with_options

WEEK3 = (SCENARIOS / "rollout_week3.yaml").read_text(encoding="utf-8")


def refused(text: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse(text, "plan.yaml", "plan")
    assert caught.value.exit is Exit.USAGE
    return caught.value


def test_week3_is_the_documents_row() -> None:
    scenario = load("rollout_week3")
    assert (scenario.population.users, scenario.population.flag_on) == (500, 250)
    assert (scenario.window_s, scenario.population.pace_s, scenario.switch_over_limit_s) == (120, 50, 300)
    assert {(c.kind, c.metric, c.comparison, c.threshold) for c in scenario.criteria if c.claim} == {
        (Kind.CRITERION, Metric.CONCURRENT_USERS, Comparison.AT_LEAST, 250),
        (Kind.CRITERION, Metric.AVAILABILITY, Comparison.ABOVE, 0.995),
        (Kind.ROLLBACK_LIMIT, Metric.AVAILABILITY, Comparison.BELOW, 0.99),
    }
    assert all(c.claim in scenario.claims for c in scenario.criteria if c.claim)


def test_every_bundled_scenario_loads() -> None:
    assert "rollout_week3" in names()
    assert [load(name).name for name in names()] == list(names())


def test_a_scenario_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(WEEK3.replace("window: 120s", "window: 2min"), encoding="utf-8")
    scenario = load(str(path))
    assert (scenario.name, scenario.window_s) == ("mine", 120)


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("window: 120s", "windw: 120s", "did you mean 'window'", "plan.yaml:22, windw"),
        ("window: 120s", "window: 120", "120 is not a duration", "plan.yaml:22, window"),
        ("window: 120s", "window: 120 parsecs", "no unit of time", "window"),
        ("window: 120s", "window: 0s", "out of range", "window"),
        ("window: 120s", "window: 40d", "out of range", "window"),
        ("window: 120s", "", "'window' is missing", "plan.yaml:"),
        ("pace: 50s", "pace: fast", "not a duration", "population.pace"),
        ("users: 50,", "users: fifty,", "Expected `int`", "population.audiences[0].users"),
        ("users: 50,", "users: -1,", "Expected `int` >= 0", "population.audiences[0].users"),
        ("users: 50, flag_on: 50", "users: 50, flag_on: 51", "outside 0..50", "population.audiences[0].flag_on"),
        ("flag_on: 50}", "flagon: 50}", "did you mean 'flag_on'", "population.audiences[0].flagon"),
        ("name: beta", "name: developers", "given twice", "population.audiences[1].name"),
        ("name: beta", "name: Beta!", "is not a name of a-z", "population.audiences[1].name"),
        ("threshold: 99.5%", "threshold: 99.5", "Expected `str`", "criteria[1].threshold"),
        ("threshold: 99.5%", 'threshold: "0.995"', "not a percentage", "criteria[1].threshold"),
        ("threshold: 99.5%", "threshold: 100%", "neither met nor broken", "criteria[1].threshold"),
        ("threshold: 99.5%", "threshold: 199%", "above 100%", "criteria[1].threshold"),
        ("threshold: 250users", "threshold: 250ms", "not in users", "criteria[0].threshold"),
        ("threshold: 250users", "threshold: 2.5users", "no whole number", "criteria[0].threshold"),
        ("id: success.availability", "id: success.concurrent_users", "given twice", "criteria[1].id"),
        ("id: success.availability", "id: a b", "no criterion's id", "criteria[1].id"),
        (
            "metric: concurrent_users",
            "metric: concurent_users",
            "did you mean 'concurrent_users'",
            "criteria[0].metric",
        ),
        ("kind: rollback", "kind: rolback", "did you mean 'rollback'", "criteria[2].kind"),
        ('comparison: "<"', 'comparison: ">"', "says '<', not '>'", "criteria[2].comparison"),
        ('comparison: "<"', 'comparison: "=="', "none of", "criteria[2].comparison"),
        (
            "claim: rollout.week3.success.availability",
            "claim: rollout.week3.success.availabilty",
            "did you mean 'rollout.week3.success.availability'",
            "criteria[1].claim",
        ),
        ("- rollout.rollback.step1", "- rollout.rollback.step9", "unknown claim", "claims[4]"),
        ("canary_users: 8", "canary_users: 6", "Expected `int` >= 8", "probes.canary_users"),
        ("rate: 10/s", "rate: 20/s", "429", "probes.canary_users"),
        ("rate: 10/s", "rate: 101/s", "at most 100", "probes.rate"),
        ("rate: 10/s", "rate: 3000/s", "out of range (above 0, at most 2000/s)", "probes.rate"),
        ("pace: 50s", "pace: 1ms", "a pace of 0.001 s is not within 0.1 s..24 h", "population.pace"),
        ("pace: 50s", "pace: 2s", "500 users at one request in 2 s send 250/s, more than 200/s", "population.pace"),
        ("users: 50,", "users: 2001,", "Expected `int` <= 2000", "population.audiences[0].users"),
        ("users: 50,", "users: 1900,", "users in all, more than 2000", "population.audiences"),
        ("window: 120s", "window: 51min", "out of range (above 0, at most 50min)", "window"),
        ("rate: 10/s", "rate: 10", "10 is not a rate", "probes.rate"),
        ("kind: rollback", "kind: rollback\n  needs: [cpu_limit]", "did you mean 'cpu_limits'", "criteria[2].needs[0]"),
        ("title:", "title: twice\ntitle:", "given twice", "title"),
        # What would be said of the document's claims, and is not what they say.
        ("threshold: 99.5%", "threshold: 99%", "and the criterion asks for less", "criteria[1].threshold"),
        ("threshold: 99%", "threshold: 98%", "and the criterion asks for less", "criteria[2].threshold"),
        ("threshold: 250users", "threshold: 249users", "and the criterion asks for less", "criteria[0].threshold"),
        (
            'metric: availability\n  comparison: ">"\n  threshold: 99.5%',
            'metric: latency_p95\n  comparison: "<"\n  threshold: 500ms',
            "the claim says `availability > 0.995` of all calls, and the criterion another thing",
            "criteria[1]",
        ),
        (
            "kind: rollback",
            "kind: rollback\n  smallest_sample: 1",
            "a smallest sample of",
            "criteria[2].smallest_sample",
        ),
        (
            "kind: rollback",
            f"kind: rollback\n  smallest_sample: {'9' * 30}",
            "<= 1000000",
            "criteria[2].smallest_sample",
        ),
        (
            "flag_on: 100}\n  - {name: general",
            "flag_on: 99}\n  - {name: general",
            "the audiences have other shares",
            "claims[0]",
        ),
        (
            "users: 350, flag_on: 100",
            "users: 700, flag_on: 200",
            "has the flag on for 50 of 50 developers",
            "claims[0]",
        ),
        ("switch_over_limit: 5min", "switch_over_limit: 6min", "judged with at most 300 s", "switch_over_limit"),
        ("title:", "blackout: 6s\ntitle:", "judged with at most 5 s", "blackout"),
        ("title:", "good_answer_every: 1h\ntitle:", "judged with at most 120 s", "good_answer_every"),
        ("title:", "request_timeout: 11s\ntitle:", "judged with at most 10 s", "request_timeout"),
        ("timeout: 2s", "timeout: 3s", "judged with at most 2 s", "probes.timeout"),
        ("title:", "request_timeout: 61s\ntitle:", "out of range (50ms to 60s)", "request_timeout"),
        ("title:", "faults: [errors=0.00001%]\ntitle:", "hits nothing", "faults[0]"),
    ],
)
def test_bad_files_are_refused_by_place(old: str, new: str, what: str, where: str) -> None:
    assert old in WEEK3
    error = refused(WEEK3.replace(old, new, 1))
    assert what in error.what
    assert where in error.where
    assert error.where.startswith("plan.yaml")
    assert error.remedy
    for said in (error.given[0], error.given[2]):
        in_japanese(said)


def in_japanese(said: object) -> None:
    """msgspec's own words aside, which are nobody's to translate."""
    told = language("ja").message(as_message(said))
    assert re.search("[ぁ-ん]|例: ", told) or told.startswith("Expected `"), told


def test_fewer_users_in_the_shares_of_a_week_are_that_week() -> None:
    text = WEEK3
    for users, on in ((50, 50), (100, 100), (350, 100)):
        text = text.replace(f"users: {users}, flag_on: {on}}}", f"users: {users // 10}, flag_on: {on // 10}}}")
    assert parse(text, "plan.yaml", "plan").population.users == 50


def test_what_asks_for_more_than_the_document_is_its_claim_s_too() -> None:
    text = WEEK3.replace("threshold: 99.5%", "threshold: 99.7%").replace("threshold: 99%", "threshold: 99.2%")
    assert [each.threshold for each in parse(text, "plan.yaml", "plan").criteria[:3]] == [250.0, 0.997, 0.992]
    own = WEEK3.replace("  claim: rollout.week3.success.availability\n", "").replace(
        "threshold: 99.5%", "threshold: 90%"
    )
    assert parse(own, "plan.yaml", "plan").criteria[1].claim == "", "of the team's own: no word on the document's"


def test_the_line_is_the_files() -> None:
    error = refused(WEEK3.replace("threshold: 99%", "threshold: 99"))
    line = int(error.where.partition(":")[2].partition(",")[0])
    assert WEEK3.splitlines()[line - 1].strip() == "threshold: 99%"


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "[]", "word", "- a\n- b", "a: [", "a: &x [*x]", "? [a]\n: b"]
)
def test_no_scenario_at_all(text: str) -> None:
    error = refused(text)
    assert error.remedy
    assert error.where.startswith("plan.yaml")


def test_two_documents() -> None:
    assert "a file of its own" in refused(WEEK3 + "---\n" + WEEK3).remedy


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(BadInput, match="cannot read"):
            load(f"{path}/" if path.is_dir() else str(path))


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(BadInput, match="did you mean 'rollout_week3'"):
        load("rollout_week_3")


def test_options() -> None:
    scenario = load("rollout_week3")
    changed = with_options(scenario, window_s=30, pace_s=45, fetch_interval_s=0)
    assert (changed.window_s, changed.population.pace_s, changed.population.fetch_interval_s) == (30, 45, 0)
    assert with_options(scenario) == scenario
    for bad in ({"window_s": 0.0}, {"pace_s": -1.0}, {"fetch_interval_s": -1.0}, {"window_s": float("nan")}):
        with pytest.raises(BadInput, match=r"out of range|not within") as caught:
            with_options(scenario, **bad)
        assert caught.value.where and caught.value.remedy
        in_japanese(caught.value.given[0])


words = st.sampled_from(
    [
        "title",
        "claims",
        "population",
        "criteria",
        "window",
        "probes",
        "120s",
        "99.5%",
        "success",
        "availability",
        "!!int",
        "*a",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8) | words, children, max_size=4)
    ),
    max_leaves=12,
)


def refused_or_within_limits(text: str) -> None:
    """What is read keeps the limits of docs/judging.md#limits-of-the-load."""
    try:
        plan = parse(text, "plan.yaml", "plan")
    except BadInput as error:
        assert error.what and error.where
        return
    event("read")
    population, probes = plan.population, plan.probes
    assert 0 < plan.window_s <= 3000 and 0.05 <= plan.request_timeout_s <= 60 and 0.05 <= probes.timeout_s <= 60
    assert 0 < probes.rate_per_s <= 100 and 8 <= probes.canary_users <= 2000
    assert 60 * probes.rate_per_s / probes.canary_users <= 75
    assert sum(each.users for each in population.audiences) <= 2000
    assert all(0 <= each.flag_on <= each.users for each in population.audiences)
    for stretch in population.stretches:
        assert 0.1 <= stretch.pace_s <= 86_400 and population.users / stretch.pace_s <= 200
        assert 0 <= stretch.at_s < plan.window_s


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    refused_or_within_limits(text)


@given(values)
def test_any_yaml_is_read_or_refused(data: object) -> None:
    refused_or_within_limits(yaml.safe_dump(data, allow_unicode=True))


def like(old: object, amount: int) -> object:
    """``amount`` as ``old`` is written: a number, or with its unit."""
    return amount if isinstance(old, int) else re.sub(r"^[0-9.]+", str(amount), str(old))


@given(st.data())
def test_any_one_value_of_a_good_file_replaced(data: st.DataObject) -> None:
    plan = yaml.load(WEEK3, yamltext.SAFE)
    node, key = plan, data.draw(st.sampled_from(sorted(plan)))
    while isinstance(node[key], (dict, list)) and data.draw(st.booleans()):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    node[key] = data.draw(values | st.integers(0, 4000).map(lambda amount: like(node[key], amount)))
    refused_or_within_limits(yaml.safe_dump(plan, allow_unicode=True))


@pytest.mark.parametrize(
    "text",
    [
        "window: !!int ''",
        "window: !!timestamp x",
        "window: !!bool x",
        "window: !!python/object:os.x {}",
        "a: " + "[" * 5000,
    ],
)
def test_ill_tags_and_depth(text: str) -> None:
    refused(text)


@pytest.fixture
def read_values(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The path of every value that is read, aliases followed."""
    paths: list[object] = []
    plain = yamltext._Reader.plain

    def counted(self: yamltext._Reader, node: yaml.Node | None, path: yamltext.Path_) -> object:
        paths.append(path)
        return plain(self, node, path)

    monkeypatch.setattr(yamltext._Reader, "plain", counted)
    return paths


@pytest.mark.parametrize("bomb", ["[{}]", "{{<<: [{}]}}"], ids=["of lists", "of merge keys"])
def test_an_alias_bomb_is_refused_at_a_count_of_values(read_values: list[object], bomb: str) -> None:
    lines = ["a0: &a0 " + bomb.format("x, x, x, x, x, x, x, x, x") if "<<" not in bomb else "a0: &a0 {k: x}"]
    lines += [f"a{n}: &a{n} {bomb.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 12)]
    with pytest.raises(BadInput, match=f"more than {yamltext.MAX_VALUES} values"):
        yamltext.documents("\n".join(lines), "plan.yaml", merge_keys=True)
    assert len(read_values) == yamltext.MAX_VALUES + 1


def test_as_many_values_as_are_allowed_are_read_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltext, "MAX_VALUES", 4)
    assert yamltext.documents("[1, 2, 3]", "plan.yaml")[0][0] == [1, 2, 3]
    with pytest.raises(BadInput, match="more than 4 values"):
        yamltext.documents("[1, 2, 3, 4]", "plan.yaml")


def test_an_alias_that_holds_itself_is_refused_by_its_depth() -> None:
    assert f"nested deeper than {yamltext.MAX_DEPTH}" in str(refused("a: &a [*a]"))
