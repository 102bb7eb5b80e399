"""``claims --against FILE``: what became of each quotation in a new revision of the document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.base.errors import Exit
from harness.cli.main import main
from harness.cli.stored.revision import Became, fates
from harness.model.claim import Claim, Judged
from harness.run.scenarios.index import blocks
from tests.register import REGISTER
from tests.scenarios.document import seed_text

ROWS = "| up | 99.9% |\n| errors | < 1% |"
OLD = f"# Goals\n\n| goal | limit |\n|---|---|\n| p95 | < 500ms |\n{ROWS}\n\n# Plan\n\n"
OLD += "- Up is 99.9% at last.\n- Pods go one by one.\n\n```yaml\nminReplicas: 2\nmaxReplicas: 10\n```\n"
ITEM, CODE, ONE_UP = "Plan/list 1/item ", "Plan/code 1", "MOVED Goals/table 1/row 2:6 < 1%"
QUOTED = {
    "up": ("Goals/table 1/row 2", "99.9%"), "errors": ("Goals/table 1/row 3", "< 1%"),
    "pods": (f"{ITEM}2", "go one by one"), "min": (CODE, "minReplicas: 2"), "max": (CODE, "maxReplicas: 10"),
}  # fmt: skip
FORM = Claim(id="", place="", quotation="", judged=Judged.MANIFEST, judged_by=("scaling",), how="It is read")
CLAIMS = [replace(FORM, id=id_, place=place, quotation=said) for id_, (place, said) in QUOTED.items()]
GONE, MIN, MAX = "VANISHED :0 ", f"BESIDE {CODE}:15 minReplicas: 2", f"BESIDE {CODE}:16 maxReplicas: 10"
IN_HOW = {"min": "MOVED How/code 1:17 minReplicas: 2", "max": "MOVED How/code 1:18 maxReplicas: 10"}
#: What is written instead of what, and by claim all that is not as it was.
REVISIONS: dict[str, tuple[str, str, dict[str, str]]] = {
    "another figure, the old one elsewhere": ("| 99.9%", "| 99.5%", {"up": "CHANGED Goals/table 1/row 2:6 99.5%"}),
    "one digit more": ("s: 10", "s: 100", {"max": f"CHANGED {CODE}:16 maxReplicas: 100", "min": MIN}),
    "another line in its place": ("Pods go one by one", "以上", {"pods": GONE}),
    "an unlike row": (ROWS, "| errors | < 1% |\n| mean | 3 ms |", {"up": GONE, "errors": ONE_UP}),
    "a line gone": ("maxReplicas: 10\n", "", {"max": GONE, "min": MIN}),
    "under a heading": (".\n\n`", ".\n\n# How\n\n`", IN_HOW),
    "moved into another line": (".\n- Pods", ". Pods", {"pods": f"MOVED {ITEM}1:11 go one by one"}),
    "moved into a block": ("- Pods go one by one.\n\n```yaml\n", "\n```yaml\n# They go one by one.\n",
                           {"pods": f"MOVED {CODE}:14 go one by one", "min": MIN, "max": MAX}),
    "two headings of one name, a fence left open": ("10\n```\n", "10\n```\n\n# Goals\n\n```\n", {}),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "wanted"), REVISIONS.values(), ids=REVISIONS)
def test_what_became_of_each_quotation(old: str, new: str, wanted: dict[str, str]) -> None:
    index = {each.place: each.entry().digest for each in blocks(OLD)}
    found = {each.id: each for each in fates(CLAIMS, index, OLD.replace(old, new))}
    told = {id_: f"{each.fate.name} {each.now_place}:{each.line} {each.now}" for id_, each in found.items()}
    assert told == {id_: f"UNCHANGED {each.place}:{each.line} {each.quotation}" for id_, each in found.items()} | wanted


def test_without_digests_a_place_tells_what_a_quotation_became() -> None:
    found = {each.id: each.fate for each in fates(CLAIMS, {}, OLD.replace("| 99.9%", "| 99.95%"))}
    assert found == dict.fromkeys(QUOTED, Became.UNCHANGED) | {"up": Became.CHANGED}


@pytest.mark.document
def test_a_revision_of_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved, changed, gone = (REGISTER[id_] for id_ in ("related.network", "cost.total", "checklist.cost.savings"))
    text, file, to = seed_text(), tmp_path / "new.md", "約$240.00 (¥36,000)"
    last, row, item = (next(it for it in text.splitlines() if each.quotation in it) for each in (moved, changed, gone))
    text = text.replace(f"{last}\n", "") + f"## 付録\n\n{last}\n"
    file.write_text(text, encoding="utf-8")
    lines, command = text.splitlines(), ["claims", "--against", str(file)]
    assert main(command) == Exit.OK
    moved_to = f"({moved.place} -> 付録/list 1/item 1, line {len(lines)}): {moved.quotation}"
    assert capsys.readouterr().out.endswith(f", unchanged: 261\nmoved elsewhere: {moved.id} {moved_to}\n")
    text = text.replace(changed.quotation, to).replace(f"{item}\n", "")
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert main([*command, "--lang", "ja"]) == Exit.HOLD
    assert capsys.readouterr().out.splitlines() == [
        "変更: 1、消失: 1、別の場所に移動: 1、引用は変更なし、周囲の語は変更: 0、変更なし: 259",
        f"変更: {changed.id} ({changed.place}、{lines.index(row) + 1}行目): {changed.quotation} -> {to}",
        "  証跡が依存するもの: document、rules",
        f"消失: {gone.id} ({gone.place}): {gone.quotation}",
        f"別の場所に移動: {moved.id} ({moved.place} -> 付録/list 1/item 1、{len(lines) - 1}行目): {moved.quotation}",
    ]
    assert main([*command, changed.id, "--json"]) == Exit.HOLD
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["fate"], found["now"], found["depends_on"]) == ("changed", to, ["document", "rules"])


def test_what_is_no_revision_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.md").write_bytes(OLD.encode())
    (tmp_path / "new.docx").write_bytes(b"PK\xff")
    for name, told in {"new.md": "has 5 of the register's 262", "new.docx": "UTF-8", "no": "No such file"}.items():
        assert main(["claims", "--against", str(tmp_path / name)]) == Exit.USAGE
        assert told in capsys.readouterr().err
