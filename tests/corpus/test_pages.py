"""Every stored run as a page: in Japanese it has each number that it has in English, and what is not good is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.model.message import english
from harness.report.html import render, summary
from harness.report.language import language
from tests.corpus.standing import numbers, texts
from tests.corpus.today import NAMES, whole
from tests.register import REGISTER

#: What the style sheet sets apart: a number that ends one and a word that begins the next are no word.
_APART = re.compile(r"(?=<(?:small|span))")


def text_of(html: str) -> str:
    """All that a page says, its charts too."""
    return "\n".join(texts(_APART.sub(" ", html)))


def begun(text: str) -> set[str]:
    """What its runs of digits and points begin with, up to a point or their end: no digit stands before or behind."""
    runs = re.findall(r"[\d.]+", text)
    return {run[:end] for run in runs for end in (*(at for at, each in enumerate(run) if each == "."), len(run))}


@pytest.mark.parametrize("run", NAMES)
def test_every_number_of_the_page_stands_in_japanese_too(run: str, tmp_path: Path) -> None:
    there = {each["number"] for each in numbers(text_of(render(tmp_path, whole(run), REGISTER, language("en"))))}
    page = render(tmp_path, whole(run), REGISTER, language("ja"))
    assert '<html lang="ja">' in page and len(there) > 5
    assert there - begun(text_of(page).replace(",", "")) == set()


@pytest.mark.parametrize("run", NAMES)
def test_its_summary_names_whatever_is_not_good(run: str) -> None:
    told = summary(whole(run), REGISTER, language("en")).replace("\\", "")
    for each in whole(run).judgements:
        assert each.verdict.good or each.id in told or english(each.asked) in told, each.id
