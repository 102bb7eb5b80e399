"""Spools: what one process writes, another reads while it grows."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.spool import SpoolReader, SpoolWriter
from harness.model.evidence import EventRow, Row, SampleRow

rows = st.lists(
    st.builds(SampleRow, at_ns=st.integers(0, 2**62), metric=st.text(), subject=st.text(), value=st.floats(0, 1e9))
    | st.builds(EventRow, at_ns=st.integers(0, 2**62), kind=st.text(), subject=st.text(), message=st.text())
)


@given(rows)
def test_every_row_comes_back_as_it_was(tmp_path_factory, written: list[Row]) -> None:  # type: ignore[no-untyped-def]
    path: Path = tmp_path_factory.mktemp("spool") / "a.jsonl"
    with SpoolWriter(path) as writer:
        for row in written:
            writer.write(row)
    assert SpoolReader(path).read() == written


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = SampleRow(at_ns=1, metric="m", subject="s", value=2.0)
    with SpoolWriter(path) as writer:
        writer.write(row)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:10])
    reader = SpoolReader(path)
    assert reader.read() == [row]
    with path.open("ab") as file:
        file.write(whole[10:])
    assert reader.read() == [row]
    assert reader.read() == []


def test_a_spool_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert SpoolReader(tmp_path / "later.jsonl").read() == []
