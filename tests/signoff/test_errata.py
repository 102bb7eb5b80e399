"""The errata with their evidence and their patches: nothing is said to be shown that no run showed."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from harness.base.data import CLAIMS
from harness.base.units import Unit
from harness.model.claim import Claim, Consequence, Found
from harness.model.judgement import Verdict
from harness.model.message import message
from harness.report.language import LANGUAGES, language
from harness.report.signoff.document import KnownErrata, document, errata, shown
from harness.report.signoff.gather import known, patches
from harness.report.signoff.types import DecisionEntry, Signoff, StoredResult
from tests import register as claims
from tests.report.results import NASTY
from tests.scenarios.document import seed_text
from tests.signoff.made import ASKED, judgement, stored

SHOWN = "dr.configmap_changes_nothing"
KNOWN = known(CLAIMS)


def hunks(patch: str) -> list[tuple[list[str], list[str]]]:
    """What each hunk of a patch takes and gives, by lines. Pure. Raises ``ValueError`` for a line of neither."""
    found = []
    for hunk in re.split(r"^@@$", patch, flags=re.MULTILINE):
        lines = hunk.strip("\n").split("\n")
        if strange := [line for line in lines if line[:1] not in {" ", "-", "+"}]:
            raise ValueError(f"neither stays, goes nor comes: {strange[0]!r}")
        takes = [line[1:] for line in lines if line[0] != "+"]
        gives = [line[1:] for line in lines if line[0] != "-"]
        found.append((takes, gives))
    return found


def made(*found: StoredResult) -> Signoff:
    return document(claims.REGISTER, found, ASKED)


def written(of: Signoff, code: str = "en", known: KnownErrata = KNOWN) -> str:
    return errata(of, claims.REGISTER, known, language(code), "other.md")


def section(text: str, erratum: str) -> str:
    """What is said of one erratum."""
    return text.partition(f"### `{erratum}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def seen(**more: Any) -> StoredResult:
    told: dict[str, Any] = {"told": (message("the pods went on"),), "value": 25.0, "unit": Unit.SECONDS}
    return stored("run 7", judgement("dr.restore.step2", Verdict.ERRATUM_SHOWN, erratum=SHOWN, **told), **more)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_erratum_stands_once_with_why_what_instead_and_its_patch(code: str) -> None:
    text, say = written(made(seen()), code), language(code)
    assert sorted(re.findall(r"^### `(.*)`$", text, re.MULTILINE)) == sorted(claims.ERRATA)
    for erratum in claims.ERRATA:
        its = section(text, erratum)
        assert say("To be written instead: {correction}", correction="").strip() in its
        assert ("```diff" in its) is (erratum in KNOWN.patches)
        assert KNOWN.patches.get(erratum, "") in its
    assert "](other.md)" in text
    assert code == "en" or "To be written" not in text


def test_one_that_a_run_showed_names_run_verdict_figure_and_what_was_seen() -> None:
    its = section(written(made(seen())), SHOWN)
    assert "- [scaling, kind, 24 h ago](../run%207/report.html#judgement-dr.restore.step2): " in its
    assert "erratum shown (25 s); the pods went on" in its


def known_as(found: Found) -> dict[str, Claim]:
    """The register with an erratum known in that way, which loses data."""
    claim = claims.REGISTER["dr.restore.step2"]
    errata_ = tuple(
        msgspec.structs.replace(each, found=found, consequence=Consequence.DATA_LOST) if each.id == SHOWN else each
        for each in claim.errata
    )
    return {**claims.REGISTER, claim.id: msgspec.structs.replace(claim, errata=errata_)}


@pytest.mark.parametrize(
    ("found", "runs", "word"),
    [
        (Found.READ, (), "read in a file"),
        (Found.COMPUTED, (), "computed"),
        (Found.SEEN, ("seen",), "seen in a run"),
        (Found.SEEN, (), "not seen yet; python3 -m harness dr_restore would show it"),
        (Found.READ, ("seen",), "read in a file"),  # a run that reads the file, too, has not seen it happen
    ],
)
def test_three_words_say_how_an_erratum_is_known(found: Found, runs: tuple[str, ...], word: str) -> None:
    register = known_as(found)
    of = document(register, [seen() for _ in runs], ASKED)
    its = section(errata(of, register, KNOWN, language("en"), "other.md"), SHOWN).replace("\\", "")
    assert f"\n- {word}\n- open\n" in its
    assert ("../run%207/" in its) is bool(runs)


def test_what_loses_data_stands_first_and_what_was_decided_is_said() -> None:
    register = known_as(Found.READ)
    given: dict[str, Any] = {
        "by": ("A. Mori", "K. Sato"),
        "on": "2026-01-09",
        "because": "x < y",
        "until": "2026-12-31",
    }
    accepted = DecisionEntry(of=SHOWN, **given)
    for entry, word, counts in (
        (
            accepted,
            "A. Mori, K. Sato accepted this on 2026-01-09 until 2026-12-31, because x &lt; y",
            "0 corrected, 1 a",
        ),
        (msgspec.structs.replace(accepted, corrected_in="v1.3"), "corrected in v1.3 (A. Mori", "1 corrected, 0 a"),
        (msgspec.structs.replace(accepted, until="2026-01-09"), "- open", "0 corrected, 0 accepted"),  # void
    ):
        of = document(register, [], ASKED, decisions=[entry])
        text = errata(of, register, KNOWN, language("en"), "other.md")
        assert word in section(text, SHOWN) and counts in text
        assert (
            text.index("## Risk of data loss") < text.index(f"### `{SHOWN}`") < text.index("## Risk of data exposure")
        )


@pytest.mark.parametrize(
    "found",
    [
        seen(errors=("a pod died",)),
        seen(target="another"),
        seen(started_utc="2025-01-01T00:00:00Z"),
        stored("run", judgement("dr.restore.step2", Verdict.NOT_EXERCISED, erratum=SHOWN)),
        stored("run", judgement("dr.restore.step2", Verdict.FAIL, erratum=SHOWN)),
        stored("run", judgement("dr.restore.step2", Verdict.PASS)),
    ],
)
def test_evidence_that_is_bad_of_others_or_of_another_erratum_shows_none(found: StoredResult) -> None:
    of = made(found)
    (standing,) = (each for each in of.standings if each.claim == "dr.restore.step2")
    assert shown(SHOWN, standing) == ()
    assert not any(each.seen for each in of.errata)


def test_what_a_run_says_is_no_markup() -> None:
    nasty = judgement("dr.restore.step2", Verdict.ERRATUM_SHOWN, erratum=SHOWN, told=(message("{a}", a=NASTY),))
    assert "<script" not in written(made(stored("run", nasty)))


# -- the patches -----------------------------------------------------------------------------------------------------


def test_patches_are_of_errata_and_their_lines_stay_go_or_come() -> None:
    assert KNOWN.patches.keys() == claims.ERRATA.keys()
    for erratum, patch in KNOWN.patches.items():
        assert any(takes != gives for takes, gives in hunks(patch)), erratum
    with pytest.raises(ValueError, match="neither stays"):
        hunks("-one\ntwo")
    assert patches("about\n\nerratum: a.b\n-one\n\nerratum: a.c\n x\n+y\n") == {"a.b": "-one", "a.c": " x\n+y"}


@pytest.mark.document
def test_each_patch_applies_to_the_document_at_one_place() -> None:
    lines = seed_text().split("\n")
    for erratum, patch in KNOWN.patches.items():
        for takes, _ in hunks(patch):
            places = [at for at in range(len(lines)) if lines[at : at + len(takes)] == takes]
            assert len(places) == 1, f"{erratum}: {takes}"
