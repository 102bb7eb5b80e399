"""Every stored run of before on today's page: each number of the page of then, in both languages; and its JUnit."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.model.message import english
from harness.report.html import render
from harness.report.junit import junit
from harness.report.language import language
from harness.report.summary import summary
from scenarios.claims import REGISTER
from tests.corpus import again, intended
from tests.corpus.standing import numbers, texts
from tests.corpus.test_again import RUNS

#: What the style sheet sets apart: a number that ends one and a word that begins the next are no word.
_APART = re.compile(r"(?=<(?:small|span))")


def text_of(html: str) -> str:
    """All that a page says, its charts too."""
    return "\n".join(texts(_APART.sub(" ", html)))


def found_in(text: str) -> set[str]:
    """The numbers of a text."""
    return {each["number"] for each in numbers(text)}


def begun(text: str) -> set[str]:
    """What its runs of digits and points begin with, up to a point or their end: no digit stands before or behind."""
    runs = re.findall(r"[\d.]+", text)
    return {run[:end] for run in runs for end in (*(at for at, each in enumerate(run) if each == "."), len(run))}


def stands(number: str, there: set[str]) -> bool:
    """As it is, or with more digits, or without zeros at its end."""
    digits = len(number.partition(".")[2])
    exact = (each for each in there if digits and len(each.partition(".")[2]) > digits)
    return number in there or any(float(each) == float(number) for each in there) or any(
        round(float(each), digits) == float(number) for each in exact
    )  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_every_number_of_the_page_of_before_stands_on_todays_in_both_languages(run: str, tmp_path: Path) -> None:
    english = text_of(render(tmp_path, again.result(run), REGISTER, language("en")))
    there = found_in(english)
    old = again.stored(run)
    gone = {each["number"] for part in ("page", "charts") for each in old[part] if not stands(each["number"], there)}
    named = [each for each in intended.PAGE if fnmatchcase(run, each.runs)]
    assert gone == {each.number for each in named}
    page = render(tmp_path, again.result(run), REGISTER, language("ja"))
    assert '<html lang="ja">' in page
    japanese = text_of(page).replace(",", "")
    assert there - begun(japanese) == set()


@pytest.mark.parametrize("run", RUNS)
def test_its_summary_names_whatever_is_not_good(run: str) -> None:
    told = summary(again.result(run), REGISTER, language("en")).replace("\\", "")
    for each in again.result(run).judgements:
        assert each.verdict.good or each.id in told or english(each.asked) in told, each.id


#: Cases of before that have another name today: the end of a run had one of its own in every command.
RENAMED = dict.fromkeys(("conforms", "recovered_as_promised", "proof", "rollout"), "decision")
RENAMED["load.pod_capacity, of this target"] = "load.pod_capacity.of_target"


@pytest.mark.parametrize("run", RUNS)
def test_every_case_of_its_junit_comes_out_as_it_did(run: str) -> None:
    now: dict[str, set[str]] = {}
    for case in ElementTree.fromstring(junit(again.result(run))).iter("testcase"):
        came = next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")
        now.setdefault(str(case.get("name")), set()).add(came)
    otherwise = set()
    for then in again.stored(run)["junit"]:
        name = re.sub(r"^(?:\d\d-)|(?<=^seed \d)(\d?):.*", r"\1", then["case"])
        name = RENAMED.get(name, name)
        if then["came"] not in now[name]:
            otherwise.add(name)
    assert otherwise == {each.case for each in intended.CASES if fnmatchcase(run, each.runs)}


def test_a_number_stands_as_it_is_or_with_more_digits_and_not_otherwise() -> None:
    page = found_in(
        text_of('<td><span class="what">answers 204</span><small>check</small></td><p>7.50 s, 0.4282, 300</p>')
    )
    assert page == {"204", "7.50", "0.4282", "300"}
    assert all(stands(each, page) for each in ("204", "7.5", "7.500", "0.428", "300.0"))
    assert not any(stands(each, page) for each in ("7.4", "0.429", "0.5", "30", "20"))
