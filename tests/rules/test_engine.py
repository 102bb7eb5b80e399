"""Facts and rules, and the verdicts that they give: the worse end keeps the limit, the better end breaks it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from harness.base.errors import BadInput
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.model.message import message
from harness.model.stack import Capability
from harness.rules.engine import judged
from harness.rules.rule import Fact, FactsOf, read

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NONE = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
PHRASES = {"a": "a is {seen}", "b": "b is {seen}", "fell_s": "it fell after {seen}", "said": "it said {words}"}
#: A rule that no plan asks for, and that reads each fact.
REST = "rest:\n  decided_by: [" + ", ".join(f"{{fact: {name}, is: 0}}" for name in PHRASES) + "]\n"
fact = FactsOf(PHRASES, "part")
INF = math.inf


class Part(NamedTuple):
    name: str
    least: int
    kind: str = "drill"


class Limits(NamedTuple):
    few: int = 3


class Plan(NamedTuple):
    parts: tuple[Part, ...] = (Part("part", 5),)
    most: int = 7
    limits: Limits = Limits()


def ruled(tmp_path: Path, rule: str, *facts: Fact, capabilities: tuple[str, ...] = ()) -> Judgement | None:
    """What the rule says of the facts; ``None``: nothing."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"claim:\n{rule}\n{REST}")
    rules = read([path], PHRASES)
    found = [*judged([Expected("part", "claim", "claim")], rules, facts, Plan(), capabilities)]
    return found[0] if found else None


def line(verb: str, **ends: Any) -> tuple[str, Fact]:
    return f"  decided_by: [{{fact: a, {verb}}}]", fact("a", **ends)


@pytest.mark.parametrize(
    ("verb", "ends", "verdict"),
    [
        ("is: 3", {"seen": 3}, PASS),
        ("is: 3", {"seen": 3, "high": 4}, OPEN),
        ("is: 3", {"seen": 4, "high": 5}, FAIL),
        ("at_most: 3", {"seen": 3}, PASS),
        ("at_most: 3", {"seen": 3, "high": 4}, OPEN),
        ("at_most: 3", {"seen": 4}, FAIL),
        ("below: 3", {"seen": 3}, FAIL),
        ("below: 3", {"seen": 2, "high": 3}, OPEN),
        ("at_least: 3", {"seen": 3}, PASS),
        ("at_least: 3", {"seen": 2, "high": INF}, OPEN),
        ("at_least: 3", {"seen": 2}, FAIL),
        ("above: 3", {"seen": 3}, FAIL),
        ("above: 3", {"seen": 4, "low": 3}, OPEN),
        ("near: 100, tolerance: 0.1", {"seen": 110}, PASS),
        ("near: 100, tolerance: 0.1", {"seen": 111}, FAIL),
        ("near: 100, tolerance: 0.1", {"seen": 105, "high": 111}, OPEN),
        ("near: 2, tolerance: plan.least", {"seen": 12}, PASS),
        ("near: 2, tolerance: plan.least", {"seen": 13}, FAIL),
        ("near: 2, tolerance: b", {"seen": 2}, OPEN),
        ("at_most: plan.most", {"seen": 7}, PASS),
        ("at_most: plan.least", {"seen": 7}, FAIL),
        ("at_most: plan.limits.few", {"seen": 4}, FAIL),
        ("at_most: b", {"seen": 7}, OPEN),
        ("at_most: 3, else: inconclusive", {"seen": 4}, OPEN),
        ("is: 0, of_at_least: 5", {"seen": 0, "of": 5}, PASS),
        ("is: 0, of_at_least: 5", {"seen": 0, "of": 4}, OPEN),
        ("is: 0, of_at_least: plan.least", {"seen": 1, "of": 4}, OPEN),
        ("may_be: 3", {"seen": 2, "low": 1, "high": 3}, PASS),
        ("may_be: 3", {"seen": 2}, FAIL),
        ("contains: x", {"text": ("x", "y")}, PASS),
        ("contains: z", {"text": ("x", "y")}, FAIL),
        ("contains: z", {}, OPEN),
        ("is: 3", {"seen": 3, "void": (message("late"),)}, OPEN),
        ("is: 3", {"seen": 3, "lacks": (message("no proxy"),)}, NONE),
        ("may_be: 3", {}, OPEN),
        ("is: 3", {}, OPEN),
    ],
)
def test_a_line_of_every_verb(verb: str, ends: dict[str, Any], verdict: Verdict, tmp_path: Path) -> None:
    found = ruled(tmp_path, *line(verb, **ends))
    assert found is not None and found.verdict is verdict, found
    assert found.gates is (verdict is not NONE)


@pytest.mark.parametrize(("seen", "high", "bound"), [(0.0, 0.02, 0.02), (0.01, 0.03, 0.03), (0.5, 0.7, 0.3)])
def test_the_bound_of_a_sample_is_the_end_that_decides(seen: float, high: float, bound: float, tmp_path: Path) -> None:
    low = 0.3 if seen == 0.5 else 0.0
    found = ruled(tmp_path, *line("below: 0.025", seen=seen, low=low, high=high, sampled=True))
    assert found is not None and found.bound == bound
    assert (found.verdict is OPEN) is ("at 95 %" in found.reason)


ALL = "  decided_by: [{fact: a, is: 0}, {fact: b, is: 0}]"
BOTH = "  decided_by: [{fact: a, is: 0}]\n"
ERRATUM = "  shows: {erratum: wrong, fact: b, above: 0"


@pytest.mark.parametrize(
    ("rule", "facts", "verdict", "erratum"),
    [
        (ALL, (fact("a", 0), fact("b", 0)), PASS, ""),
        (ALL, (fact("a", 0), fact("b", 1)), FAIL, ""),
        (ALL, (fact("a", 0),), OPEN, ""),
        (BOTH + "  provided: [{fact: b, above: 0}]", (fact("a", 1), fact("b", 0)), OPEN, ""),
        (BOTH + "  provided: [{fact: b, above: 0}]", (fact("a", 0),), OPEN, ""),
        (BOTH + "  when: [{fact: b, above: 0}]", (fact("a", 1), fact("b", 0)), FAIL, ""),
        (BOTH + "  when: [{fact: b, above: 0}]", (fact("a", 0), fact("b", 0)), OPEN, ""),
        (
            "  decided_by: [{fact: a, is: 0, else: their.mistake}]\n  when: [{fact: b, is: 0}]",
            (fact("a", 1), fact("b", 1)),
            OPEN,
            "",
        ),
        (BOTH + ERRATUM + "}\n  when: [{fact: a, is: 0}]", (fact("a", 1), fact("b", 1)), SHOWN, "wrong"),
        (BOTH + "  needs: [real_kubernetes]", (fact("a", 0),), NONE, ""),
        (BOTH + "  provided: [{fact: b, above: 0}]", (fact("a", 1), fact("b", 0, lacks=(message("no"),))), OPEN, ""),
        (BOTH + "  provided: [{fact: b, above: 0}]", (fact("a", 0), fact("b", 0, lacks=(message("no"),))), NONE, ""),
        ("  decided_by: [{fact: a, at_most: b}]", (fact("a", 5), fact("b", 6, high=9)), OPEN, ""),
        ("  decided_by: [{fact: a, at_most: b}]", (fact("a", 5), fact("b", 6, void=(message("late"),))), OPEN, ""),
        (ERRATUM + ", unseen: fail, provided: [{fact: a, above: 0}]}", (fact("b", 1), fact("a", 0, high=1)), OPEN, ""),
        (BOTH + ERRATUM + "}", (fact("a", 1), fact("b", 1)), SHOWN, "wrong"),
        (BOTH + ERRATUM + "}", (fact("a", 1), fact("b", 0)), FAIL, ""),
        (BOTH + ERRATUM + ", unseen: inconclusive}", (fact("a", 1), fact("b", 0)), OPEN, ""),
        (BOTH + ERRATUM + ", beside: true}", (fact("a", 0), fact("b", 1)), PASS, "wrong"),
        (BOTH + ERRATUM + ", beside: true}", (fact("a", 1), fact("b", 1)), FAIL, ""),
        (
            BOTH + ERRATUM + ", beside: true}",
            (*fact.none("a", lacks=(message("left out"),)), fact("b", 1)),
            SHOWN,
            "wrong",
        ),
        (BOTH + ERRATUM + ", provided: [{fact: plan.most, is: 8}]}", (fact("a", 1), fact("b", 1)), FAIL, ""),
        (BOTH + ERRATUM + ", unless_kept: true}", (fact("a", 0), fact("b", 1)), PASS, ""),
        (BOTH + ERRATUM + ", unless_kept: true}", (fact("a", 1), fact("b", 1)), SHOWN, "wrong"),
        (BOTH + ERRATUM + ", unless_kept: true}", (fact("a", 1), fact("b", 0)), FAIL, ""),
        ("  decided_by: [{fact: a, is: 0, else: their.mistake}]", (fact("a", 1),), SHOWN, "their.mistake"),
        ("  decided_by: [{fact: a, is: 0, else: their.mistake}]", (fact("a", 0, high=1),), OPEN, ""),
        (ERRATUM + "}", (fact("b", 1),), SHOWN, "wrong"),
        (
            ERRATUM.replace("wrong", "said") + "}",
            (fact("b", 1), fact("said", text=("of the case",), words="")),
            SHOWN,
            "of the case",
        ),
        (ERRATUM + "}", (fact("b", 0),), OPEN, ""),
        (ERRATUM + ", unseen: fail}", (fact("b", 0),), FAIL, ""),
        (ERRATUM + ", unseen: fail}", (fact("b", 0, high=1),), OPEN, ""),
        (ERRATUM + "}", (fact("b", 0, lacks=(message("nothing of it"),)),), NONE, ""),
        (ALL, (fact.every(void=(message("no steady state"),)),), OPEN, ""),
        (ALL, (fact.every(lacks=(message("no such table"),)), fact("a", 1)), NONE, ""),
    ],
)
def test_a_rule_of_lines_premises_and_an_erratum(
    rule: str, facts: tuple[Fact, ...], verdict: Verdict, erratum: str, tmp_path: Path
) -> None:
    found = ruled(tmp_path, rule, *facts)
    assert found is not None and (found.verdict, found.erratum) == (verdict, erratum), found


def test_a_judgement_has_the_figure_that_decided_and_says_what_was_wanted(tmp_path: Path) -> None:
    found = ruled(
        tmp_path, "  decided_by: [{fact: a, is: 0}, {fact: fell_s, at_most: 2}]", fact("a", 0), fact("fell_s", 3)
    )
    assert found is not None and (found.value, found.limit, found.unit) == (3, 2, "s")
    assert found.reason == "it fell after 3 s; at most 2 s is wanted"


def test_a_fact_may_say_itself_what_is_wanted(tmp_path: Path) -> None:
    own = msgspec.structs.replace(fact("fell_s", 3), wanted=(message("it never falls"),))
    found = ruled(tmp_path, "  decided_by: [{fact: fell_s, at_most: 2}]", own)
    assert found is not None and found.reason == "it never falls; it fell after 3 s"


def test_a_rule_of_many_cases_reads_the_facts_of_each(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "x.*.end: {decided_by: [{fact: a, is: 0}], says: '{case} is 0'}\nx.*: {decided_by: [{fact: b, is: 0}]}\n"
    )
    cases = [FactsOf(PHRASES, "part", case)("a", seen, examples=("1",)) for seen, case in enumerate(("one", "two"))]
    expected = [Expected("part", each) for each in ("x.one.end", "x.two.end", "x.three.end", "x.four", "y")]
    expected.append(Expected("part", "x.one.end", kind=Kind.CHECK))  # asked for twice, and judged once
    found = [*judged(expected, read([path], ["a", "b"]), [*cases, fact("b", 0)], Plan(), ())]
    assert [(each.id, each.verdict) for each in found] == [("x.one.end", PASS), ("x.two.end", FAIL), ("x.four", PASS)]
    assert [str(each) for each in found[0].asked] == ["one is 0"] and found[0].examples == ("1",)


@pytest.mark.parametrize(("kind", "also"), [("drill", ("other",)), ("game", ())])
def test_further_claims_may_be_of_one_kind_of_part_alone(kind: str, also: tuple[str, ...], tmp_path: Path) -> None:
    found = ruled(tmp_path, BOTH + f"  claims: [other]\n  claims_in: {kind}", fact("a", 0))
    assert found is not None and found.also == also


def asked(verdict: Verdict) -> Fact:
    """Calls beside their criterion, of which its own bounds say so."""
    told = (message("by its bound"),)
    sample = Judgement(id="claim", verdict=verdict, told=told, value=0.1, bound=0.2, limit=0.3, samples=40)
    return fact.of_sample("a", sample)


@pytest.mark.parametrize(
    ("of", "b", "verdict", "value"),
    [
        (asked(PASS), 1, PASS, 0.1),
        (asked(FAIL), 1, FAIL, 0.1),
        (asked(PASS), 0, NONE, 0.1),  # a pass is none without its premise, and keeps its figures
        (asked(FAIL), 0, FAIL, 0.1),
        (asked(OPEN), 0, OPEN, 0.1),
        (asked(PASS), None, OPEN, 0.1),
        (fact.every(void=(message("it broke"),)), 1, OPEN, None),
        (fact.every(lacks=(message("no users"),)), 1, NONE, None),
    ],
)
def test_a_sample_is_judged_by_its_own_bounds_which_are_asked_and_not_replaced(
    of: Fact, b: float | None, verdict: Verdict, value: float | None, tmp_path: Path
) -> None:
    rule = "  sample: a\n  gates: false\n  when: [{fact: b, at_least: 1, else: not_exercised}]"
    found = ruled(tmp_path, rule, of, *([] if b is None else [fact("b", b)]))
    assert found is not None and (found.verdict, found.value, found.gates) == (verdict, value, False)
    assert (found.bound, found.limit, found.samples) == ((None, None, 0) if value is None else (0.2, 0.3, 40))
    assert (found.part, found.claim) == ("part", "claim")


@pytest.mark.parametrize("rule", [BOTH + "  claims: [other]\n", "  sample: a\n"])
def test_it_may_be_the_verdict_on_no_claim(rule: str, tmp_path: Path) -> None:
    for b, claims in ((1, True), (0, False)):
        of = asked(PASS) if "sample" in rule else fact("a", 0)
        found = ruled(tmp_path, rule + "  claimed_when: [{fact: b, is: 1}]", of, fact("b", b))
        assert found is not None and found.verdict is PASS and bool(found.claims) is claims


def test_where_nothing_is_in_evidence_the_rule_says_nothing(tmp_path: Path) -> None:
    """``accounted`` says why: the run ended, or the environment lacks what the part needs."""
    assert ruled(tmp_path, ALL) is None
    needs = ruled(
        tmp_path, BOTH + "  needs: [real_kubernetes]", fact("a", 0), capabilities=(Capability.REAL_KUBERNETES,)
    )
    assert needs is not None and needs.verdict is PASS


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x:\n  decided_by: [{fact: aa, is: 0}]\n", 1, "'aa' is no fact of it; did you mean 'a'?"),
        ("x:\n  decided_by: [{fact: a}]\n", 2, "one verb is wanted"),
        ("x:\n  decided_by: [{fact: a, is: 0, at_most: 3}]\n", 2, "one verb is wanted"),
        ("x:\n  kind: check\n", 1, "nothing decides it"),
        ("x:\n  sample: a\n  decided_by: [{fact: a, is: 0}]\n", 1, "a sample decides alone"),
        ("x:\n  decided_by: [{fact: a, iss: 0}]\n", 2, "unknown key 'iss'; did you mean 'is'?"),
    ],
)
def test_a_mistake_in_a_rule_is_told_by_file_and_line(text: str, line: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read([path], PHRASES)
    assert said in str(error.value)
    assert not line or f"rules.yaml:{line}" in str(error.value)


@pytest.mark.parametrize(
    ("given", "verdict", "decided"),
    [
        ({"seen": 1}, SHOWN, SHOWN), ({"seen": 0}, None, PASS), ({}, None, OPEN),
        ({"seen": 0, "lacks": (message("no archive"),)}, NONE, NONE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lines", ["", "  decided_by: [{fact: a, at_least: 0}]\n"])
def test_an_observation_is_asked_for_by_no_plan_and_told_where_it_was_seen_or_lines_decide_it(
    lines: str, given: dict[str, Any], verdict: Verdict | None, decided: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("wrong:\n  kind: observation\n  shows: {erratum: wrong, fact: a, above: 0}\n" + lines)
    verdict = decided if lines else verdict
    found = [*judged([], read([path], ["a"]), [FactsOf(PHRASES)("a", **given)], Plan(), ())]
    assert [(each.verdict, each.gates) for each in found] == ([] if verdict is None else [(verdict, False)])


def test_an_observation_of_a_figure_is_told_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("knee: {kind: observation, decided_by: [{fact: a, is: 0}]}\n")
    (found,) = judged([Expected("part", "knee")], read([path], ["a"]), [fact("a", 1)], Plan(), ())
    assert (found.verdict, found.gates, found.value) == (FAIL, False, 1)


@pytest.mark.parametrize(("high", "bound"), [(2, 2), (INF, None)])
def test_the_end_of_a_sample_that_nothing_bounds_is_no_bound(high: float, bound: float | None, tmp_path: Path) -> None:
    found = ruled(tmp_path, *line("at_most: 3", seen=1, high=high, sampled=True))
    assert found is not None and found.bound == bound


def test_a_bound_stands_beside_the_figure(tmp_path: Path) -> None:
    found = ruled(tmp_path, *line("at_most: 3", seen=1, high=2, bound=2))
    assert found is not None and (found.value, found.bound) == (1, 2)


def test_a_rule_may_name_the_fact_whose_figure_stands_with_the_verdict_whichever_line_decides(tmp_path: Path) -> None:
    lines = "  figure: a\n  decided_by: [{fact: a, at_most: 3}, {fact: b, at_most: 3}]"
    for a, b, verdict, limit in ((1, 4, FAIL, None), (4, 1, FAIL, 3), (1, 1, PASS, 3)):
        found = ruled(tmp_path, lines, fact("a", a, of=9), fact("b", b, of=2))
        assert found is not None
        assert (found.verdict, found.value, found.samples, found.limit) == (verdict, a, 9, limit)
    with pytest.raises(BadInput, match="no fact of it"):
        ruled(tmp_path, "  figure: c\n  decided_by: [{fact: a, is: 1}]")
