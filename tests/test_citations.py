"""What the repository cites is in the repository: documents by their path, sections by their anchor."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {".py", ".md", ".sql", ".yaml", ".yml", ".j2", ".toml", ".sh"}
#: Documents of whoever wrote this, which no reader of the repository has.
OUTSIDE = re.compile(r"\b(facts/|findings/)|(?<![\w/-])(re)?design\.md|\broadmap\b")
#: ``docs/contract/walk-api.md#list``
CITED = re.compile(r"docs/[\w/.-]*?\.md(#[\w-]+)?")
#: A link or picture of Markdown within the repository, to a file, a folder or a section: ``[Walk](walk-api.md#walk)``.
LINKED = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(#[^)\s]*)?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
#: Pages of stored runs, whose logs stayed behind, and of a sign-off, whose runs did.
STORED = ("docs/samples/signoff/", "docs/samples/signoff_go/")
#: What is written out, in a block or between back quotes, is no link.
SPOKEN = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    return frozenset(slug(heading) for heading in HEADING.findall(FENCED.sub("", page.read_text())))


def missing(page: Path, anchor: str) -> str:
    """Why ``page#anchor`` leads nowhere; "" when it leads somewhere."""
    if not page.exists():
        return f"there is no {page.name}"
    return "" if not anchor or anchor[1:] in anchors(page) else f"{page.name} has no section {anchor}"


def dead(name: str, text: str) -> list[str]:
    """What ``text``, the content of the file ``name``, cites and is not there."""
    found = [f"{name} cites a document outside the repository: {hit[0]}" for hit in OUTSIDE.finditer(text)]
    linking = name.endswith(".md") and not name.startswith(STORED)
    for hit in CITED.finditer(LINKED.sub("", text) if linking else text):
        page, _, anchor = hit[0].partition("#")
        if why := missing(ROOT / page, f"#{anchor}" if anchor else ""):
            found.append(f"{name} cites {hit[0]}: {why}")
    here = ROOT / name
    for hit in LINKED.finditer(SPOKEN.sub("", text)) if linking else ():
        page_ = (here.parent / hit[1]).resolve() if hit[1] else here
        if why := missing(page_, hit[2] or ""):
            found.append(f"{name} links to {hit[0]}: {why}")
    return found


@pytest.mark.process
def test_nothing_is_cited_that_is_not_there() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    texts = [name for name in names if Path(name).suffix in TEXTS and name != "tests/test_citations.py"]
    assert len(texts) > 500
    found = [line for name in texts if (ROOT / name).is_file() for line in dead(name, (ROOT / name).read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "# as facts/walk-api.md says"),
        ("a.py", '"""design.md, "Judging"."""'),
        ("a.py", "see redesign.md"),
        ("a.md", "docs/contract/walks.md"),
        ("a.py", "docs/contract/walk-api.md#lists"),
        ("docs/contract/README.md", "[list](walk-api.md#lists)"),
        ("docs/contract/README.md", "[list](#lists)"),
        ("docs/contract/README.md", "[list](walks.md)"),
        ("README.md", "[words](docs/word.md)"),
        ("README.md", "![a picture](docs/pictures/none.svg)"),
        ("README.ja.md", "[道具](docs/ja/options.md#どうぐ)"),
    ],
)
def test_a_dead_citation_is_found(name: str, text: str) -> None:
    assert len(dead(name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "docs/contract/walk-api.md#list; docs/contract/environment.md, docs/judging.md#exit-status."),
        ("docs/contract/README.md", "[Walk](walk-api.md#walk) and [here](#three-grades)"),
        (
            "README.ja.md",
            "[道具](docs/ja/options.md#道具), `[no](link.md)`, [elsewhere](https://example.com/none.md#x)",
        ),
        ("README.md", "![a picture](docs/pictures/terminal.svg) and [a folder](examples/walk-api)"),
    ],
)
def test_a_living_citation_is_none(name: str, text: str) -> None:
    assert dead(name, text) == []
