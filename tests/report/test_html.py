"""report.html: self-contained, complete, escaped, small; in the order in which people ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from harness.base.units import Unit
from harness.cli.messages import read
from harness.model.claim import Claim, Judged, ShownOn
from harness.model.judgement import Decision, Kind, Verdict, observation
from harness.model.manifests import STILL_THERE, ManifestWarning, RepositoryErratum
from harness.model.message import Message, message, raw_text
from harness.model.result import Child, Part, Result
from harness.model.section import Block, Blocks, Lines, Mark, Pairs, Row, Section, Table, Timeline
from harness.report import words
from harness.report.html import render, write_html
from harness.report.language import ENGLISH, LANGUAGES, Language, language
from harness.report.terminal import closing_lines
from harness.report.write_all import junit
from tests.register import REGISTER
from tests.report import results
from tests.report.page import Page
from tests.report.results import CLAIM, NASTY, command, judgement, result

LOADS = {"src", "srcset", "data", "poster", "action", "formaction", "xlink:href", "background"}
MADE: dict[str, Callable[[], Result]] = {
    "advanced": results.advanced,
    "rolled_back": results.rolled_back,
    "everything": results.everything,
}


def page(folder: Path, run: Result, say: Language = ENGLISH) -> Page:
    return Page(render(folder, run, REGISTER, say))


@pytest.fixture(params=[(name, code) for name in MADE for code in LANGUAGES], ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Result, Page, str]:
    name, code = request.param
    run = MADE[name]()
    html = write_html(tmp_path, run, REGISTER, language(code)).read_text(encoding="utf-8")
    return run, Page(html), html


def test_every_judgement_and_claim_is_there_once(made: tuple[Result, Page, str]) -> None:
    run, found, _ = made
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    for each in run.judgements:
        if each.kind is not Kind.OBSERVATION or not each.erratum:
            assert f"judgement-{each.part}-{each.id}" in ids or f"judgement-{each.id}" in ids
        assert all(f"claim-{claim}" in ids for claim in each.claims)
        assert not each.erratum or f"erratum-{each.erratum}" in ids
        if each.samples:
            assert f"{each.samples:,}" in found.text
    assert REGISTER[CLAIM].quotation in found.text
    assert REGISTER[CLAIM].place in found.text


def test_every_inner_link_arrives(made: tuple[Result, Page, str]) -> None:
    _, found, _ = made
    inner = [href[1:] for href in found.values("href") if href.startswith("#")]
    assert inner
    assert set(inner) <= set(found.values("id"))
    described = " ".join(found.values("aria-labelledby")).split()
    assert described
    assert set(described) <= set(found.values("id"))


def test_every_picture_has_a_name_and_whole_numbers_only_in_its_paths(made: tuple[Result, Page, str]) -> None:
    _, found, _ = made
    assert sum(role == "img" for role in found.values("role")) == found.tags.count("figure") > 4
    paths = [path for path in found.values("d") if path != "M0 6H26"]
    assert len(paths) > 4
    assert all(re.fullmatch(r"[MHVLZ0-9. ]+", path) for path in paths)  # no "nan", no exponent


def test_nothing_is_loaded_from_anywhere(made: tuple[Result, Page, str]) -> None:
    _, found, html = made
    assert not re.search(r"https?://|//[a-z]+\.|url\((?!#fill-)|@import", html)
    assert "default-src 'none'" in html
    assert not set(found.tags) & {"script", "iframe", "object", "embed", "base", "form"}
    assert not [entry for entry in found.attributes if entry[1] in LOADS]
    for href in found.values("href"):
        assert href.startswith(("#", "./")) or href == "data:,", href


def test_tags_are_balanced(made: tuple[Result, Page, str]) -> None:
    _, found, _ = made
    assert found.unbalanced == []
    assert found.open == []


def test_it_says_what_was_run_and_how_real_it_was(tmp_path: Path) -> None:
    run = results.advanced()
    found = page(tmp_path, run)
    body = found.text[found.text.index("seed 7)") + 7 :]  # after the <title>
    for first in ("▶ Advance", "All success criteria passed", "availability > 99.5 %", "Latency, API"):
        assert body.index(first) < body.index("Replay"), first
    for said in (
        run.facts.replay, run.facts.target, "not the Go backend", run.run_id, "staging",
        "deploy/kubernetes/overlays/local", "cpu: CPU limits are not honoured by processes", "a laptop", "2 cores",
        ENGLISH.moment(run.facts.started_utc), "stack up after 6.0 s", "of its own 2.0 s", "exit status 0",
        "The environment lacks: real Kubernetes", "Firebase's own emulator", "probe: the probe's path is mended",
    ):  # fmt: skip
        assert said in found.text


def test_the_order_is_that_of_the_questions(tmp_path: Path) -> None:
    run = results.everything(None, errors=("PostgreSQL ended",), leaks=("port 5432",))
    html = re.sub("<nav.*?</nav>", "", render(tmp_path, run, REGISTER), flags=re.DOTALL)  # which names them all
    text = Page(html).text
    text = text[text.index("seed 7)") :]  # after the <title>
    places = [
        text.index(said)
        for said in (
            "Not finished", "What broke PostgreSQL ended", "Left on the machine port 5432", "Replay", "Runs", "What came first",
            "The first part", "What each step leaves", "The contract", "A part that was never reached",
            "Nothing was judged.", "The whole run", "How it was judged", "Phases and moments", "Not exercised first:",
            "Errata seen", "Claims of the document", "What differs from production", "Measuring window: 120 s",
            "Versions of the parts: Envoy 1.40.0, PostgreSQL 15.18", "What stands in for production",
            "What the environment changed in the manifests", "Risks of the folder", "Files of this run",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert "Nothing of the run was left" not in text


def test_every_section_is_drawn(tmp_path: Path) -> None:
    found = page(tmp_path, results.everything())
    for said in (
        "step 1", "12 users", "refused", "the second line", "Counted from the beginning.", "8888 ms",
        "walk-api 1/1", "kubectl get pods", "nothing was said", "Two pods carry twice", "10/s: p95 40 ms",
        "limit 500 ms", "decisions; cpu 90 %", "load, 0:00 to 5:00", "a line", "as the evidence says", "errors begin",
        "a lost table", "29.25 s", "restore 20.25 s", "4 more moments are in the evidence.", "In words: Latency, API.", "500 ms", "window, 0:30 to 1:40",
    ):  # fmt: skip
        assert said in found.text, said
    assert "./logs/step%201.txt" in found.values("href")
    assert "./r-week1/report.html" in found.values("href")


def test_a_value_has_as_many_digits_as_tell_it_from_its_limit(tmp_path: Path) -> None:
    run = result(Decision.HOLD, judgement(Verdict.FAIL, value=0.994996, bound=0.99499))
    text = page(tmp_path, run).text
    assert "99.4996 %" in text and "99.499 %" in text


def test_a_limit_stands_as_it_was_written_and_nearly_all_is_not_said_as_all(tmp_path: Path) -> None:
    missed = judgement(Verdict.FAIL, id="a", value=0.99991, bound=0.99993, limit=0.99994)
    stricter = judgement(Verdict.FAIL, id="b", value=0.99992, bound=0.99993, limit=0.99995)
    slow = judgement(Verdict.FAIL, id="c", value=1234.4, limit=1234.25, unit=Unit.MILLISECONDS)
    nearly = judgement(Verdict.PASS, id="d", value=0.99996, bound=0.9996, limit=0.995)
    counts = judgement(Verdict.FAIL, id="e", value=3.0, limit=0.0, unit=Unit.FLAWS)
    run = result(Decision.HOLD, missed, stricter, slow, nearly, counts)
    text = page(tmp_path, run).text
    assert "99.994 %" in text and "99.995 %" in text and "1234.25 ms" in text and "99.996 %" in text
    assert "100 %" not in text and "1234 ms" not in text
    assert "flaws" not in page(tmp_path, run, language("ja")).text
    for outcome in (missed, stricter, slow):
        assert words.figure(outcome, outcome.limit, ENGLISH) in junit(run).decode()


def test_columns_without_anything_are_left_out_and_many_that_passed_are_folded(tmp_path: Path) -> None:
    bare = [
        judgement(
            Verdict.PASS, id=f"check{n}", value=None, bound=None, limit=None, samples=0, unit=Unit.NONE
        )
        for n in range(21)
    ]  # fmt: skip
    html = render(tmp_path, command(Decision.ADVANCE, *bare), REGISTER)
    assert "Bound (95 %)" not in html and "Samples" not in html and "Measured" not in html
    assert "<summary>21 passed</summary>" in html
    assert "check20" in html
    few = render(tmp_path, command(Decision.ADVANCE, *bare[:20]), REGISTER)
    assert "20 passed" not in few
    failed = render(tmp_path, command(Decision.HOLD, *bare, judgement(Verdict.FAIL)), REGISTER)
    assert failed.index("success.fail") < failed.index("<summary>21 passed")


def test_a_page_has_contents_that_lead_to_each_chapter(tmp_path: Path) -> None:
    html = page(tmp_path, results.everything())
    led = [each.removeprefix("#") for each in html.values("href") if each.startswith("#chapter-")]
    assert len(led) > 3 and led == [each for each in html.values("id") if each.startswith("chapter-")]


def test_every_column_of_a_wide_table_is_named_on_a_phone(tmp_path: Path) -> None:
    wide = page(tmp_path, command(Decision.ADVANCE, judgement(Verdict.PASS), sections=(results.wide_table(),)))
    assert {f"column {number}" for number in range(9)} <= {*wide.values("data-label")}


def test_what_manifests_have_otherwise_is_said_by_that_word_and_told_together(tmp_path: Path) -> None:
    other = [
        judgement(Verdict.FAIL, id=name, kind=Kind.CHECK, gates=False, differs=True, asked=(), value=None)
        for name in ("manifest.a", "manifest.b")
    ]
    run = result(Decision.ADVANCE, judgement(Verdict.PASS), *other)
    text, closing = page(tmp_path, run).text, "\n".join(map(str, closing_lines(run, "folder")))
    assert "What the manifests have otherwise than the document prints" in text and "✗" not in text
    assert "the manifests differ from what the document prints: manifest.a, manifest.b\n" in closing
    assert not any(line.split()[:1] == ["fail"] for line in closing.splitlines())


def test_what_was_merely_seen_is_not_called_passed(tmp_path: Path) -> None:
    text = page(tmp_path, command(Decision.HOLD, observation("saw", (message("a pod came back"),)))).text
    assert "· observed" in text.replace("·observed", "· observed")
    assert "✓" not in text


def test_only_errata_that_were_seen_are_listed_each_with_all_that_was_seen(tmp_path: Path) -> None:
    erratum = "load.ab_meets_rate_limit"
    silent = page(tmp_path, result(Decision.ADVANCE, judgement(Verdict.PASS)))
    assert "Errata seen" not in silent.text
    seen = (
        judgement(Verdict.ERRATUM_SHOWN, erratum=erratum, seen=(message("three keys were added"),)),
        observation("patch", (message("a patch was applied"),), erratum=erratum),
        observation("unknown", (message("something odd"),), erratum="unknown.erratum"),
    )
    found = page(tmp_path, result(Decision.ADVANCE, *seen))
    for said in ("three keys were added", "a patch was applied", "something odd", "Correction:"):
        assert said in found.text
    assert "judgement-patch" not in found.values("id")


def test_files_are_linked_by_relative_quoted_names(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a b#<i>.log").write_text("x")
    (tmp_path / "plan.json").write_text("{}")
    (tmp_path / "report.html").write_text("old")
    found = page(tmp_path, results.advanced())
    assert {"./logs/a%20b%23%3Ci%3E.log", "./plan.json"} <= set(found.values("href"))
    assert "./report.html" not in found.values("href")
    assert "i" not in [tag for tag, name, value in found.attributes if name != "aria-hidden"]


def test_a_run_that_left_nothing_but_an_error_has_a_page(tmp_path: Path) -> None:
    found = page(tmp_path, result(None, errors=("PostgreSQL did not start\n  to do: look at its log",)))
    assert "No decision" in found.text
    assert "PostgreSQL did not start" in found.text
    assert "Nothing was judged." in found.text
    assert found.unbalanced == []


def strings(found: Page) -> Iterable[str]:
    """Attributes that a browser would run or load."""
    return (value for _, name, value in found.attributes if name.startswith("on") or value.startswith("javascript:"))


def nasty() -> Result:
    """Whatever of a result is text of somebody else's, at its worst."""
    told = (raw_text(NASTY),)
    table = Table(
        title=told[0], heads=(told[0], told[0]), rows=(Row(cells=(NASTY, told[0]), lines=(NASTY,), link=NASTY),),
        note=told,
    )  # fmt: skip
    lined: tuple[Section, ...] = (
        table,
        Lines(title=told[0], lines=(NASTY,)),
        Blocks(title=told[0], blocks=(Block(caption=NASTY, text=NASTY),)),
        Pairs(pairs=((told[0], NASTY),)),
        msgspec.structs.replace(results.sizes(), title=told[0], text=told),
        Timeline(
            title=told[0], seconds=10,
            marks=(Mark(at=1, kind=NASTY, word=told[0], subject=NASTY, said=told),),
            charts=(msgspec.structs.replace(results.knee(), title=told[0], text=told),),
        ),
    )  # fmt: skip
    return result(
        Decision.HOLD,
        judgement(
            Verdict.FAIL, id=NASTY, claim=NASTY, asked=told, told=told, shown=told, notes=told, examples=(NASTY,),
            reproduce=NASTY, part=NASTY,
        ),
        judgement(Verdict.ERRATUM_SHOWN, id="e", erratum=NASTY, seen=told),
        title=told[0], parts=(Part(name="p", title=told[0]),), sections=lined, target=NASTY, replay=NASTY,
        errors=(NASTY,), leaks=(NASTY,), rung_changes=(NASTY,), manifest_changes=(NASTY,),
        timings={NASTY: 1.0}, environment=NASTY, manifests=NASTY, missing_manifests=(NASTY,),
        manifest_warnings=(ManifestWarning(told=told[0], file=NASTY),),
        repository_errata=(RepositoryErratum(id=NASTY, state=STILL_THERE, told=told[0]),), run_id=NASTY,
        children=(Child(part=NASTY, run_id=NASTY, folder=NASTY.replace("/", ""), decision=None, exit_status=1),),
    )  # fmt: skip


def test_evidence_is_never_markup(tmp_path: Path) -> None:
    claim = Claim(id=NASTY, place=NASTY, quotation=NASTY, judged=Judged.CRITERION, how=NASTY, shown_on=ShownOn.PERSON)
    html = render(tmp_path, nasty(), {NASTY: claim})
    found = Page(html)
    assert not set(found.tags) & {"script", "img"}
    assert list(strings(found)) == []
    assert found.unbalanced == []
    assert re.findall(r"\b49\b", found.text) == []
    assert html.count("&lt;script&gt;") > 40


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    assert render(tmp_path, results.everything(), REGISTER) == render(tmp_path, results.everything(), REGISTER)


def messages_of(value: object) -> Iterable[Message]:
    """Every message that a result holds, wherever it stands."""
    if isinstance(value, Message):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from messages_of(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from messages_of(each)


def translated(count: int, page_has: str) -> list[str]:
    """Sentences without places that the Japanese catalogue has, each once, and none that stands on the page anyway, or
    in another of them."""
    entries = [entry for entry in read("ja", "report") if entry.id and entry.string and "{" not in str(entry.id)]
    said = {str(entry.id): re.sub(r"\s+", " ", str(entry.string)) for entry in entries if len(str(entry.id)) > 12}
    new = {text: words for text, words in said.items() if words not in page_has and words != text}
    return [text for text, words in new.items() if not any(words in other for other in new.values() if other != words)][
        :count
    ]


def test_each_message_of_a_result_is_said_in_the_language_of_its_page(tmp_path: Path) -> None:
    run = results.everything()
    told, ja = list(messages_of(run)), language("ja")
    sentences = translated(len(told), page(tmp_path, run, ja).text)
    assert len(told) == len(sentences) > 60
    other = iter(sentences)

    def exchanged(value: object) -> object:
        """The same with each message by one that the catalogue has."""
        if isinstance(value, Message):
            return Message(text=next(other))
        if isinstance(value, msgspec.Struct):
            return msgspec.structs.replace(
                value, **{name: exchanged(getattr(value, name)) for name in value.__struct_fields__}
            )
        return tuple(exchanged(each) for each in value) if isinstance(value, list | tuple) else value

    changed = exchanged(run)
    assert isinstance(changed, Result)
    html = page(tmp_path, changed, ja)
    shown = html.text + " ".join(html.values("data-label"))
    missing = [each.text for each in messages_of(changed) if re.sub(r"\s+", " ", ja(each.text)) not in shown]
    course = next(section for section in changed.sections if isinstance(section, Timeline))
    assert missing == [chart.x.label.text for chart in course.charts]  # one axis for all: the time of the run
    english = [each.text for each in messages_of(changed) if re.search(rf"\b{re.escape(each.text)}\b", shown)]
    assert english == []
