"""The register as files: a mistake is answered with file, line and remedy before anything starts; another document's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.main import main
from harness.model.claim import ShownOn
from harness.report.signoff.gather import FOLDER
from harness.rules import register

ONE = """\
chapter: Ours
claims:
- id: ours.fast
  place: Speed/text 1
  quotation: it is fast
  says: The service is fast.
  judged: measurement
  judged_by: [load_stages]
  how: measured
  errata:
  - id: ours.how_fast
    why: the document says no figure
    correction: say how fast
"""
TWO = """\
chapter: Theirs
claims:
- id: ours.safe
  place: Safety/text 1
  quotation: it is safe
  judged: record
  shown_on: person
  person_reads: [ours.fast]
  how: a person decides
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "1.yaml").write_text(ONE)
    (tmp_path / "claims" / "2.yaml").write_text(TWO)
    return tmp_path / "claims"


def test_the_files_of_a_folder_are_its_chapters_and_what_is_left_out_is_as_usual(folder: Path) -> None:
    found = register.read(folder)
    assert [*found.chapters] == ["Ours", "Theirs"] and [*found.claims] == ["ours.fast", "ours.safe"]
    assert [*found.errata] == ["ours.how_fast"] and found.errata["ours.how_fast"][0] is found.claims["ours.fast"]
    fast, safe = found.claims.values()
    assert (fast.shown_on, fast.phase, fast.by_person) == (ShownOn.LOCAL, 2, False) and safe.by_person


@pytest.mark.parametrize(
    ("file", "was", "is_", "line", "what", "remedy"),
    [
        (
            1,
            "judged: measurement",
            "judged: mesurement",
            7,
            "did you mean 'measurement'",
            "write `judged: measurement`",
        ),
        (1, "  how: measured\n", "", 3, "key 'how' is missing", "for example `how: Read off the HPA"),
        (1, "judged_by: [", "judgedby: [", 8, "unknown key 'judgedby'; did you mean 'judged_by'", "the keys here are"),
        (1, "  judged_by: [load_stages]\n", "", 3, "either commands judge a claim", "write `judged_by: [COMMAND]`"),
        (1, "id: ours.fast", "id: Ours fast", 3, "is not words of a-z", "for example `id: walks.availability`"),
        (1, "why: the", "shy: the", 12, "unknown key 'shy'", "the keys here are"),
        (2, "id: ours.safe", "id: ours.how_fast", 3, "'ours.how_fast' stands in ", "give each claim and erratum"),
        (2, "[ours.fast]", "[ours.fasst]", 8, "unknown claim 'ours.fasst'; did you mean 'ours.fast'", "name another"),
        (2, "[ours.fast]", "[ours.safe]", 8, "unknown claim 'ours.safe'", "name another claim"),
        (2, "shown_on: person", "judged_by: [cost]", 8, "no person decides it", "leave it out"),
        (2, "shown_on: person", "shown_on: moon", 7, "'moon' is none of arithmetic, local, kind", "write `shown"),
    ],
)
def test_a_mistake_is_answered_with_file_line_and_remedy(
    folder: Path, file: int, was: str, is_: str, line: int, what: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / f"{file}.yaml"
    path.write_text(path.read_text().replace(was, is_, 1))
    with pytest.raises(BadInput) as refused:
        register.read(folder)
    assert str(refused.value.where).startswith(f"{path}:{line}")
    assert what in str(refused.value.what) and remedy in str(refused.value.remedy)
    assert main(["signoff", "--register", str(folder), "--reports", str(folder)]) == Exit.USAGE
    assert f"{path}:{line}" in capsys.readouterr().err and not (folder / FOLDER).exists()


def test_a_folder_without_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there are no claims in"):
        register.read(tmp_path)


def test_the_sign_off_is_of_another_document(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reports").mkdir()
    words = ["signoff", "--register", str(folder), "--reports", str(tmp_path / "reports")]
    assert main(words) == Exit.HOLD
    pages = {path.name: path.read_text() for path in (tmp_path / "reports" / FOLDER).iterdir() if path.is_file()}
    for page in (pages["signoff.html"], pages["signoff.en.html"]):
        assert "it is fast" in page and "ours.safe" in page and "rollout.week3" not in page
    assert "ours.how_fast" in pages["errata.en.md"] and "manifest." not in pages["errata.en.md"]
