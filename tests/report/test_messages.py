"""The catalogues: whole, current, with the same places as the English; and a Japanese page that speaks Japanese."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.base.units import Unit
from harness.cli.messages import ERRORS, MESSAGES, read
from harness.model.judgement import CAPABILITY
from harness.model.message import message, quantity
from harness.model.result import Result
from harness.model.stack import FAULT, Capability, FaultKind
from harness.report.html import render, summary
from harness.report.language import DOMAINS, ENGLISH, catalogue_file, columns, language, padded, texts_of
from tests import register as claims
from tests.report.results import advanced, printed, rolled_back


@cache
def extracted(domain: str) -> dict[str, list[tuple[str, int]]]:
    return MESSAGES[domain]()


@cache
def catalogue(domain: str) -> Catalog:
    """The Japanese one, which nobody changes."""
    return read("ja", domain)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_catalogue_reads_as_babel_reads_it(domain: str) -> None:
    texts = texts_of(catalogue_file("ja", domain).read_text())
    assert {each.id: each.string for each in catalogue(domain) if each.id and not each.fuzzy} == {
        message: text for message, text in texts.items() if message
    }


def places(text: object) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(str(text)) if name is not None}


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_catalogue_holds_what_there_is_to_translate_and_nothing_else(domain: str) -> None:
    known = {entry.id for entry in catalogue(domain) if entry.id}
    wanted = set(extracted(domain))
    assert wanted - known == set(), "missing; run: nox -s messages"
    assert known - wanted == set(), "unused; run: nox -s messages"
    assert not catalogue(domain).obsolete


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_message_and_every_sentence_of_the_register_is_translated(domain: str) -> None:
    assert [entry.id for entry in catalogue(domain) if entry.id and (not entry.string or entry.fuzzy)] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_translation_keeps_the_places_of_its_message(domain: str) -> None:
    translated = [entry for entry in catalogue(domain) if entry.id and entry.string]
    assert translated
    assert {entry.id: places(entry.string) for entry in translated} == {e.id: places(e.id) for e in translated}


def test_a_missing_message_is_said_in_english_and_an_unknown_language_is_refused() -> None:
    assert language("ja")("no such message {n}", n=1200) == "no such message 1,200"
    with pytest.raises(BadInput, match="do not speak"):
        language("fr")


def test_units_and_moments_are_said_as_the_language_does() -> None:
    say = language("ja")
    assert (say.amount(250, Unit.USERS), say.amount(3.33, Unit.PER_SECOND), say.amount(None, Unit.RATIO)) == (
        "250人",
        "3.33件/秒",
        "–",
    )
    assert ENGLISH.amount(250, Unit.USERS) == "250 users"
    assert say.message(message("limit {limit}", limit=quantity(3, Unit.PER_SECOND))) == "基準値 3件/秒"
    assert say.moment("2026-10-01T00:00:00.000Z") == "2026年10月1日 0:00:00 UTC"
    assert ENGLISH.moment("2026-10-01T00:00:00.000Z") == "2026-10-01 00:00:00 UTC"
    assert (columns("判定 a"), padded("判定", 6)) == (6, "判定  ")


@pytest.mark.parametrize("run", [advanced(), rolled_back()], ids=["advanced", "rolled_back"])
def test_a_japanese_report_uses_the_documents_terms(run: Result, tmp_path: Path) -> None:
    page = render(tmp_path, run, claims.REGISTER, language("ja"))
    assert '<html lang="ja">' in page
    for term in ("成功基準", "ロールバック基準", "検査", "実測値", "サンプル数", "この実行のファイル"):
        assert term in page
    for english in (
        "did not fire",
        "· environment ",
        "bundled walk API",
        "Not exercised",
        "Judged by",
        "Correction",
        "Measured",
        "Bound (95",
        "rollback limit",
    ):
        assert english not in page
    told = summary(run, claims.REGISTER, language("ja")) + printed(run, language("ja"))
    assert "成功基準" in told
    assert "success criterion" not in told


#: Whose errors are about what a person wrote: a file of one's own, or options.
_OF_PEOPLE = (
    "scenarios/*.py", "chaos/*.py", "harness/model/*.py", "harness/report/signoff/*.py", "harness/cli/**/*.py",
    "harness/rehearsals/*/command.py", "harness/rehearsals/*/types*.py",
)  # fmt: skip


def test_no_error_about_what_a_person_wrote_is_put_together_of_english() -> None:
    """What has a place is a message; a place or a name of a file alone is nobody's to translate."""
    found = {
        f"{path.relative_to(ROOT)}:{line}": said
        for pattern in _OF_PEOPLE
        for path in ROOT.glob(pattern)
        for line, said in put_together(path.read_text())
    }
    assert found == {}


def put_together(source: str) -> Iterator[tuple[int, str]]:
    """The texts with places of errors in that source: of what happened, and of what to do."""
    for node in ast.walk(ast.parse(source)):
        said: list[ast.expr] = []
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("what", "remedy"):
            said = [node.value]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ERRORS:
            said = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "remedy")]
        yield from ((each.lineno, ast.unparse(each)) for each in said if isinstance(each, ast.JoinedStr))


def test_an_error_that_is_put_together_is_found() -> None:
    source = (
        "what = f'{a} is none'\nraise BadInput(f'no {b}', where=f'{c}', remedy=f'name {d}')\nremedy = message('{e}')\n"
    )
    assert [line for line, _ in put_together(source)] == [1, 2, 2]


def test_every_fault_and_capability_has_its_words() -> None:
    assert set(FAULT) == set(FaultKind)
    assert set(CAPABILITY) == set(Capability)
