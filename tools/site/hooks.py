"""Hooks of mkdocs for the manual as a site: which files are its pages, its menu, and the language of each page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: By the menu's name of a language: the first page, and the manual's page that lists the others.
LANGUAGES = {"English": ("README.md", "docs/README.md"), "日本語": ("README.ja.md", "docs/ja/README.md")}


def on_config(config: Any) -> Any:
    """Make the menu of the lists in the two indexes of the manual."""
    config.nav = [{name: [first, index, *_sections(index)]} for name, (first, index) in LANGUAGES.items()]
    return config


def _sections(index: str) -> list[dict[str, list[dict[str, str]]]]:
    """Return the headings of an index, each with the pages of its own language that its list links to."""
    _, *sections = re.split(r"^## ", (ROOT / index).read_text("utf-8"), flags=re.MULTILINE)
    folder = PurePosixPath(index).parent
    found = []
    for section in sections:
        links = re.findall(r"\[([^\]]+)\]\(([^):#]+\.md)\)", section)
        pages = [{name: str(folder / page)} for name, page in links if not page.startswith("../")]
        found.append({section.partition("\n")[0]: pages})
    return found


def on_files(files: Any, config: Any) -> Any:
    """Take the files that git knows: the pages beside README.md, and all of docs/."""
    from mkdocs.structure.files import File, Files

    command = ["git", "ls-files", "-z", "--", ":(glob)*.md", "deploy/*.md", "docs"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    ours = [File.generated(config, name, abs_src_path=str(ROOT / name)) for name in filter(None, listed)]
    theirs = [each for each in files if each.src_dir != config.docs_dir]
    return Files([*theirs, *ours])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leave out the links of a sample to runs that are not kept, and set apart a list that follows its paragraph."""
    if page.file.src_uri.startswith("docs/samples/"):
        return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)
    if page.file.name == "claims":
        return re.sub(r"^([^\s*>|#-].*)\n(?=- )", r"\1\n\n", markdown, flags=re.MULTILINE)
    return markdown


def on_page_context(context: Any, page: Any, config: Any, nav: Any) -> Any:
    """Give the page's frame its language, and the way to the same page in the other one."""
    name = page.file.src_uri
    urls = {each.file.src_uri: each.file.url for each in nav.pages}
    japanese = name.startswith("docs/ja/") or name.endswith(".ja.md")
    english_name, japanese_name = name.replace("/ja/", "/").replace(".ja.", "."), name.replace("docs/", "docs/ja/")
    if "/" not in name:
        japanese_name = "README.ja.md"
    config.theme["language"] = "ja" if japanese else "en"
    config.extra["alternate"] = [
        {"name": "English", "lang": "en", "link": urls.get(english_name, urls["docs/README.md"])},
        {
            "name": "日本語",
            "lang": "ja",
            "link": urls.get(name if japanese else japanese_name, urls["docs/ja/README.md"]),
        },
    ]
    return context
