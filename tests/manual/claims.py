"""``docs/claims.md`` and the same in Japanese: every claim, what decides it, and its errata, as ``claims ID`` has them."""

from __future__ import annotations

from pathlib import Path

from harness.cli.stored import claim_page
from harness.report.language import language
from harness.rules.register import bundled

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs" / "claims.md", "ja": ROOT / "docs" / "ja" / "claims.md"}
HEADS = {
    "en": """[日本語](ja/claims.md)

# Claims

Every claim of the design document, what decides it, and its errata, made of `scenarios/claims` and `scenarios/rules` by `nox -s manual`; a test
holds it current. `python3 -m harness claims ID` prints one, and what the stored runs say of it. In a rule, … stands for what a run measures.
`python3 -m harness claims --against FILE` sets the quotations against a new revision of the document ([sign-off](signoff.md#the-register)).
""",
    "ja": """[English](../claims.md)

# 記述

設計書の全記述、それを決める規則、要訂正箇所。`nox -s manual`が`scenarios/claims`と`scenarios/rules`から作り、テストが最新であることを確かめる。
`python3 -m harness claims ID`は一つの記述を、保存された実行の結果とともに表示する。規則の「…」には、実行の測定結果が入る。
`python3 -m harness claims --against FILE`は、引用を設計書の新しい版と比べる（[承認](signoff.md#登録簿)）。
""",
}


def page(code: str) -> str:
    """The page as it is committed."""
    say, parts = language(code), [HEADS[code]]
    for title, of_chapter in bundled().chapters.items():
        parts.append(f"## {say(title)}\n")
        parts += (claim_page.text(claim_page.page(claim), say, 3) + "\n" for claim in of_chapter)
    return "\n".join(parts)


def write() -> None:
    """Writes the pages."""
    for code, path in PAGES.items():
        path.write_text(page(code), encoding="utf-8")
