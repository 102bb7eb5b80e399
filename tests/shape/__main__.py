"""``nox -s shape``: the figures of the house beside the most that is allowed, which may only fall.

``python -m tests.shape`` prints them and ends in 1 when one is above its limit; ``--places`` says what was counted,
``--json`` prints all of it as JSON, ``--root`` counts another checkout, ``--lower`` writes today's figures into
``limits.json`` where they are lower than what stands there. Counted are the places that ``harness/`` has each idea in
(``count.py`` has the rules), and lines and bytes (``sizes.py``), room by room beside the budgets of the design.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.shape import count, sizes
from tests.shape.source import Class, Source, read

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Path(__file__).with_name("limits.json")
Rule = Callable[[Source], "list[Class] | list[str]"]

#: What is counted by its places, and in what words.
RULES: dict[str, tuple[str, Rule]] = {
    "verdict_shapes": ("types that hold a claim and what became of it", count.verdict_shapes),
    "verdict_enums": ("enums of verdicts", count.verdict_enums),
    "result_documents": ("documents of a result", count.result_documents),
    "option_classes": ("types of a command's options", count.option_classes),
    "exit_rules": ("rules for the exit status", count.exit_rules),
    "admissions": ("places that start a load and admit its users", count.admissions),
    "loose_modules": ("modules beside the folders, other than __main__", count.loose_modules),
    "names_twice": ("names of more than one class", count.names_twice),
    "long_modules": (f"modules above {count.MOST_LINES} lines", count.long_modules),
}
#: Figures of size, in words.
SIZES = {
    "harness_lines": "raw lines of Python in harness/",
    "tests_lines": "raw lines of Python in tests/",
    "corpus_kilobytes": "kilobytes of stored runs",
}
#: What there is once: neither twice nor never.
ONE_EACH = ("verdict_shapes", "verdict_enums", "result_documents", "option_classes", "exit_rules", "admissions")


def places(root: Path) -> dict[str, list[str]]:
    """Everything that is counted by its places."""
    source = read(root)
    found = {name: rule(source) for name, (_, rule) in RULES.items()}
    return {name: [each.place if isinstance(each, Class) else each for each in of] for name, of in found.items()}


def figures(counted: dict[str, list[str]], sized: dict[str, int]) -> dict[str, int]:
    """The figures alone."""
    return {name: len(of) for name, of in counted.items()} | sized


def above(found: dict[str, int], limits: dict[str, int]) -> list[str]:
    """The figures that are above their limits, or have none."""
    return [
        f"{name}: {value}, limit {limits.get(name)}" for name, value in found.items() if value > limits.get(name, -1)
    ]


def blind(found: dict[str, int]) -> list[str]:
    """The ideas that the house has in one place, and of which the counter sees none: then it no longer counts."""
    return [f"{name}: none is seen" for name in ONE_EACH if not found.get(name)]


def lowered(found: dict[str, int], limits: dict[str, int]) -> dict[str, int]:
    """The limits with today's figures where those are lower; none ever rises."""
    return {name: min(value, found.get(name, value)) for name, value in limits.items()}


def text(counted: dict[str, list[str]], sized: dict[str, int], limits: dict[str, int], *, all_: bool) -> str:
    """For a terminal."""
    found = figures(counted, sized)
    told = []
    for name, (words, _) in RULES.items():
        told.append(f"{found[name]:>6} of at most {limits.get(name, 0):>6}  {words} ({name})")
        told += [f"{'':8}{place}" for place in counted[name]] if all_ else []
    told += [f"{found[name]:>6} of at most {limits.get(name, 0):>6}  {words} ({name})" for name, words in SIZES.items()]
    return "\n".join(told)


def main(words: list[str] | None = None) -> int:
    """Counts, prints, and compares with the limits."""
    parser = argparse.ArgumentParser(prog="nox -s shape --", description="the shape of the house, in figures")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--places", action="store_true", help="say what was counted, too")
    parser.add_argument("--lower", action="store_true", help="write lower figures into limits.json")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout; it has no limits")
    given = parser.parse_args(words)
    counted, sized = places(given.root), sizes.sizes(given.root)
    found = figures(counted, sized)
    limits: dict[str, int] = json.loads(LIMITS.read_text()) if given.root == ROOT else found
    if given.lower:
        limits = lowered(found, limits)
        LIMITS.write_text(json.dumps(limits, indent=2) + "\n")
    if given.json:
        print(
            json.dumps(
                {"figures": found, "limits": limits, "places": counted, "rooms": sizes.rooms(given.root)}, indent=2
            )
        )
    else:
        print(text(counted, sized, limits, all_=given.places))
        print("\n".join(sizes.table(given.root)))
    broken = [f"above its limit: {line}" for line in above(found, limits)]
    broken += [f"the counter is blind: {line}" for line in blind(found)] if given.root == ROOT else []
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
