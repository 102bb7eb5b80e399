"""Takes a run's folder into the corpus, without what would tell whose machine it was made on.

``take`` copies what a report stands on: documents, pages, plans, journals and the evidence. Logs of processes stay behind. Paths of the machine become paths that exist
nowhere, the machine's name becomes ``machine``, tokens become ``TOKEN``; in the evidence too, which is then written
anew, so that nothing of the old text is left in its free pages. The same folder gives the same files.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

EVIDENCE = "evidence.sqlite"
#: A text file above this is left out: nothing that a report stands on is as large.
MOST_TEXT = 1_000_000
KEPT = frozenset({".html", ".json", ".jsonl", ".md", ".txt", ".xml", ".yaml", ".yml", ".http"})
LEFT = frozenset({"logs", "ORIGIN"})

#: What stands for whose machine it was, and what takes its place; in this order. A Markdown page escapes underscores.
RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"/work/(?:ci/main|main|w-[a-z0-9-]+)(?![\w-])"), "/checkout"),
    (re.compile(r"/tmp/pytest-of-\w+/pytest-\d+(?:/popen-gw\d+)?"), "/scratch"),
    (re.compile(r"/(?:private/)?tmp(?=/)"), "/scratch"),
    (re.compile(r"/var/cache/tekutoko-rehearsal"), "/cache"),
    (re.compile(r"/work(?=/)"), "/scratch"),
    (re.compile(r"/root(?![\w-])"), "/operator"),
    (re.compile(r"/home/[a-z_][a-z0-9_-]*"), "/operator"),
    (re.compile(r"\bBearer [A-Za-z0-9+/=._-]{12,}"), "Bearer TOKEN"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"), "TOKEN"),
)
#: What no file of the corpus may hold; ``machine_name`` comes beside it.
FORBIDDEN = re.compile(
    r"/work(?![\w-])|/tmp/|/var/cache|/root(?![\w-])|/home/[a-z]|pytest-of-|Bearer (?!TOKEN)[A-Za-z0-9+/=._-]{12,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
)


def machine_name(host: str) -> re.Pattern[str]:
    """The machine's name as a word of its own: no part of a longer word, of a path, or of a coded block."""
    return re.compile(rf"(?<![A-Za-z0-9+/=_.-]){re.escape(host)}(?![A-Za-z0-9+/=_.-])")


def scrubbed(text: str, host: str) -> str:
    """``text`` without paths, name and tokens of the machine ``host``."""
    for pattern, instead in RULES:
        text = pattern.sub(instead, text)
    return machine_name(host).sub("machine", text)


def take(folder: Path, name: str, host: str, runs: Path) -> list[str]:
    """Copies ``folder`` into ``runs`` as ``name``, in place of what was there; what was left out, with the reason."""
    target = runs / name
    if target.exists():
        shutil.rmtree(target)
    left_out = []
    for path in sorted(_files(folder)):
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.name == EVIDENCE:
            _evidence(path, copy, host)
        elif path.stat().st_size > MOST_TEXT:
            left_out.append(f"{copy.relative_to(target)}: {path.stat().st_size:,} bytes")
        else:
            copy.write_text(scrubbed(path.read_text("utf-8", errors="replace"), host), "utf-8")
    return left_out


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or LEFT & set(path.relative_to(folder).parts):
            continue
        if path.suffix in KEPT or path.name == EVIDENCE:
            yield path


def _evidence(source: Path, copy: Path, host: str) -> None:
    """The evidence with every text scrubbed, written anew."""
    work = copy.with_suffix(".work")
    shutil.copyfile(source, work)
    for end in ("-wal", "-shm"):
        if (beside := source.with_name(source.name + end)).is_file():
            shutil.copyfile(beside, work.with_name(work.name + end))
    with contextlib.closing(sqlite3.connect(work)) as database:
        database.create_function("scrubbed", 1, lambda text: scrubbed(text, host), deterministic=True)
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            columns = [row[1] for row in database.execute(f"pragma table_info({table})") if row[2].upper() == "TEXT"]
            for column in columns:
                changed = f'"{column}" = scrubbed("{column}") where typeof("{column}") = \'text\''
                database.execute(f'update "{table}" set {changed} and scrubbed("{column}") <> "{column}"')
        database.commit()
        copy.unlink(missing_ok=True)
        database.execute("vacuum into ?", (str(copy),))
    for path in copy.parent.glob(f"{work.name}*"):
        path.unlink()
