"""Raw lines of Python, blank ones too, as ``wc -l`` counts them: by rooms of ``harness/`` beside what was planned for
each, of the tests, of the rules' YAML, and the bytes of the stored runs."""

from __future__ import annotations

from pathlib import Path

#: Rooms that are planned together, and their budget (issue 48).
BUDGETS: dict[tuple[str, ...], int] = {
    ("base", "model", "evidence"): 6_000,
    ("cli",): 4_000,
    ("run",): 2_400,
    ("rules",): 5_500,
    ("report",): 4_500,
    ("load",): 4_700,
    ("checks",): 7_500,
    ("migration", "control"): 3_700,
    ("stack",): 23_000,
    ("rehearsals",): 23_000,
}
_CORPUS = "tests/corpus/today"


def lines(folder: Path, pattern: str = "*.py") -> int:
    """Return the raw lines of the files below ``folder``."""
    return sum(path.read_text("utf-8").count("\n") for path in folder.rglob(pattern))


def sizes(root: Path) -> dict[str, int]:
    """Return the figures that have limits."""
    corpus = (path for path in (root / _CORPUS).rglob("*") if path.is_file())
    return {
        "harness_lines": lines(root / "harness"),
        "tests_lines": lines(root / "tests"),
        "corpus_kilobytes": -(-sum(path.stat().st_size for path in corpus) // 1000),
    }


def rooms(root: Path) -> dict[str, tuple[int, int]]:
    """Return lines and budget of each group of rooms; of what stands beside them the budget is 0."""
    found = {
        " ".join(f"{room}/" for room in group): (sum(lines(root / "harness" / room) for room in group), budget)
        for group, budget in BUDGETS.items()
    }
    left = lines(root / "harness") - sum(are for are, _ in found.values())
    return {**found, "elsewhere": (left, 0)}


def table(root: Path) -> list[str]:
    """Return the rooms beside their budgets, and the YAML that has no limit."""
    told = [f"{are:>14} of {budget:>6}  harness: {name}" for name, (are, budget) in rooms(root).items()]
    return [*told, f"{lines(root / 'scenarios', '*.yaml'):>14}            scenarios: YAML"]
