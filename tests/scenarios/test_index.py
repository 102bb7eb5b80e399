"""The index tool: what it finds in a document, and that the committed index is the document's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.run.scenarios import index
from tests.scenarios.document import seed_text

SAMPLE = """# 題

## 表

文。

| a | b |
|---|---|
| 1 | 2 |
| 3 | 4 |

```yaml
# no heading
a: 1
```

- [ ] 項目
- [x] 済み

1. 一
2. 二
   - 内
"""


def test_every_block_gets_its_place() -> None:
    assert [(block.place, block.kind) for block in index.blocks(SAMPLE)] == [
        ("題", "heading"),
        ("表", "heading"),
        ("表/text 1", "text"),
        ("表/table 1/row 1", "row"),
        ("表/table 1/row 2", "row"),
        ("表/code 1", "code"),
        ("表/checklist 1/item 1", "check"),
        ("表/checklist 1/item 2", "check"),
        ("表/list 1/item 1", "item"),
        ("表/list 1/item 2", "item"),
        ("表/list 1/item 3", "item"),
    ]


def test_a_heading_inside_a_code_block_is_no_heading() -> None:
    assert all(block.place != "no heading" for block in index.blocks(SAMPLE))


def test_a_changed_cell_changes_its_row_alone() -> None:
    before = {block.place: block.entry().digest for block in index.blocks(SAMPLE)}
    after = {block.place: block.entry().digest for block in index.blocks(SAMPLE.replace("| 3 |", "| 5 |"))}
    assert {place for place in before if before[place] != after[place]} == {"表/table 1/row 2"}


def test_two_headings_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="題"):
        index.blocks("# 題\n\n# 題\n")


@pytest.mark.document
def test_committed_index_is_the_documents() -> None:
    assert index.committed() == tuple(block.entry() for block in index.blocks(seed_text()))


def test_the_index_holds_no_text_of_the_document() -> None:
    allowed = {entry.place for entry in index.committed()}
    assert {field for entry in index.committed() for field in entry.__struct_fields__} == {"place", "kind", "digest"}
    assert all(len(entry.digest) == 16 for entry in index.committed())
    assert len(allowed) == len(index.committed())


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert index.main([]) == 2
    assert index.main(["/nowhere"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_tool_writes_what_the_test_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "FILE", tmp_path / "index.json")
    document = tmp_path / "document.md"
    document.write_text(SAMPLE, encoding="utf-8")
    assert index.main([str(document)]) == 0
    assert index.committed() == tuple(block.entry() for block in index.blocks(SAMPLE))
