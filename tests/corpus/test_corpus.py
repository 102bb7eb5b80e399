"""The corpus tells nobody's machine and is small."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import sqlite3
from pathlib import Path

from tests.corpus import scrub
from tests.corpus.standing import numbers, texts
from tests.corpus.today import NAMES, TODAY, folder

MOST_BYTES = 4_100_000
#: SHA-256 of the names of the machines that the runs were made on.
MACHINES = {"5bce98f73f3ed0c837f2729ed9509b38ea66a156db7f653356cb6fe37b366e85"}
WORDS = re.compile(rb"(?<![A-Za-z0-9+/=_.-])[A-Za-z][A-Za-z0-9.-]*(?![A-Za-z0-9+/=_-])")


def test_no_file_tells_whose_machine_it_was_made_on() -> None:
    told = []
    words: dict[bytes, Path] = {}  # each by one file that has it
    for path in (path for name in NAMES for path in folder(name).rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            told += [f"{path}: {hit[0]!r}" for hit in scrub.FORBIDDEN.finditer(content.decode("utf-8", "replace"))]
            words |= dict.fromkeys(WORDS.findall(content if path.name != scrub.EVIDENCE else text_of(path)), path)
    told += [
        f"{path}: a machine's name"
        for word, path in words.items()
        if len(word) < 64 and hashlib.sha256(word).hexdigest() in MACHINES
    ]
    assert told == []


def text_of(evidence: Path) -> bytes:
    """All text of a database: in its file, numbers stand beside it that may look like a short word."""
    with contextlib.closing(sqlite3.connect(f"{evidence.as_uri()}?mode=ro", uri=True)) as database:
        made = database.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
        rows = (row for name, _ in made for row in database.execute(f"select * from {name}"))
        texts = [cell for row in itertools.chain(made, rows) for cell in row if isinstance(cell, str | bytes)]
        return b"\n".join(cell if isinstance(cell, bytes) else cell.encode() for cell in texts)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in TODAY.rglob("*") if path.is_file()) <= MOST_BYTES


def test_what_tells_a_machine_is_found_and_taken_away(tmp_path: Path) -> None:
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MDAwMSJ9."
    lines = [
        "/work/" + "main/deploy", "/tmp/pytest-of-root/pytest-0/popen-gw1/test_x0/reports", "/tmp/x", "/root/.kube",
        "/var/cache/tekutoko-rehearsal/npm", "/home/somebody/x", f"authorization: Bearer {token}", token,
    ]  # fmt: skip
    for line in lines:
        assert scrub.FORBIDDEN.search(line), line
    folder = tmp_path / "run"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "api.log").write_text("a log of a process")
    text = json.dumps([*lines, "on host9: x", "host9.x", "myhost9", "aGhvc3Q5/host9+"])
    (folder / "run.json").write_text(text)
    with contextlib.closing(sqlite3.connect(folder / scrub.EVIDENCE)) as database:
        database.execute("create table events (at_ns INTEGER, data TEXT)")
        database.execute("insert into events values (7, ?)", (text,))
        database.commit()
    assert scrub.take(folder, "a", "host9", tmp_path / "runs") == []
    taken = tmp_path / "runs" / "a"
    assert sorted(path.name for path in taken.iterdir()) == [scrub.EVIDENCE, "run.json"]
    for path in taken.iterdir():
        content = path.read_bytes().decode("utf-8", "replace")
        assert scrub.FORBIDDEN.search(content) is None
        assert "/checkout/deploy" in content and "/scratch/test_x0/reports" in content and "on machine: x" in content
        assert "host9.x" in content and "myhost9" in content and "aGhvc3Q5/host9+" in content, "no word of its own"
    assert scrub.take(folder, "b", "host9", tmp_path / "runs") == []
    assert (taken / scrub.EVIDENCE).read_bytes() == (tmp_path / "runs" / "b" / scrub.EVIDENCE).read_bytes()


def test_what_stands_on_a_page_as_a_number_is_found() -> None:
    page, charts = texts(
        "<html><head><title>9</title><style>p{margin:8px}</style></head><body><p>seed 7, availability <b>99.50</b> %"
        "<script>5</script></p><table><tr><td>1,234</td><td>p95 &lt; 500ms</td></tr></table>"
        "<svg><title>at 3 s</title><text>12</text></svg><li><a>run.json</a> 3 KiB</li>2026-11-26T15:00:00Z u0001</body>"
    )
    assert [(each["number"], each["times"]) for each in numbers(page)] == [
        ("7", 1),
        ("99.50", 1),
        ("1234", 1),
        ("500", 1),
    ]
    assert numbers(page)[2]["line"] == "| 1,234 | p95 < 500ms"
    assert [each["number"] for each in numbers(charts)] == ["3", "12"]
