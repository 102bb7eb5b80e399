"""``docs/reference.md``: every key of every file that people write, from ``scenarios/schemas/``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.cli.kinds import KINDS, SCHEMAS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference.md"
HEAD = """# Reference of files

Every key of every file that people write, made of `scenarios/schemas/` by `nox -s manual`; a test holds it current. What the files are,
and how `check` reads one: [files of your own](plans.md). **Bold** keys must be given. Quantities have their unit.
"""
#: A list of more words than this is told by where it is from, not written out.
MOST_WORDS = 24


def page() -> str:
    """The page as it is committed."""
    parts = [HEAD]
    for name in KINDS:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        parts.append("\n".join(_kind(name, schema)))
    return "\n".join(parts)


def _kind(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    title, defined = schema["title"], schema["$defs"]
    first = _named(schema["$ref"])
    yield f"## {title[0].upper()}{title[1:]}"
    yield ""
    yield f"Schema: `scenarios/schemas/{name}.schema.json`."
    for each in (first, *(other for other in defined if other != first)):
        mapping, line = _mapping(defined[each])
        if mapping is None:
            continue
        yield ""
        if each != first:
            yield f"### {name}: {each}"
            yield ""
        yield _cell(mapping.get("description", "")) + (" It may be one line of text." if line else "")
        yield ""
        yield "| key | is | example |"
        yield "|---|---|---|"
        for key, value in mapping["properties"].items():
            must = key in mapping.get("required", ())
            yield f"| {f'**`{key}`**' if must else f'`{key}`'} | {_is(value, defined)} | {_example(value, defined)} |"
    yield ""


def _mapping(found: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
    """The mapping that a definition is, and whether one line may stand for it; ``None`` for one that is none."""
    if "properties" in found:
        return found, False
    of_lines = [each for each in found.get("anyOf", ()) if "properties" in each]
    return (of_lines[0], True) if of_lines else (None, False)


def _named(reference: str) -> str:
    return reference.rpartition("/")[2]


def _is(value: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    """What a value is, in a few words."""
    if "$ref" in value:
        name = _named(value["$ref"])
        target = defined[name]
        return (
            f"the mapping `{name}`, below"
            if _mapping(target)[0] is not None
            else _words(target, name.replace("_", " "))
        )
    if "enum" in value:
        return _words(value, "word")
    if value.get("type") == "array":
        least = ", at least one" if value.get("minItems") == 1 else ""
        return f"a list{least} of: {_is(value['items'], defined)}"
    if value.get("type") == "object":
        more = value.get("additionalProperties")
        return f"a mapping; each value: {_is(more, defined)}" if isinstance(more, dict) else "a mapping"
    return _plain(value)


def _words(target: Mapping[str, Any], what: str) -> str:
    words = target.get("enum", ())
    if len(words) > MOST_WORDS:
        return f"the id of {_article(what)} ({_cell(target.get('description', ''))})"
    return "one of " + ", ".join(f"`{word}`" for word in words)


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _plain(value: Mapping[str, Any]) -> str:
    said = _cell(value.get("description", ""))
    kind = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}
    told = kind.get(value.get("type", ""), "any value")
    if value.get("type") == "string" and (unit := _unit(value.get("pattern", ""))):
        told = unit
    bounds = ((f"from {value['minimum']:,}" if "minimum" in value else ""),
              (f"above {value['exclusiveMinimum']:,}" if "exclusiveMinimum" in value else ""),
              (f"to {value['maximum']:,}" if "maximum" in value else ""))  # fmt: skip
    limits = " ".join(filter(None, bounds))
    return "; ".join(filter(None, (f"{told} {limits}".strip(), said)))


def _unit(pattern: str) -> str:
    """The kind of a quantity, by the units that its pattern ends in."""
    units = re.search(r"\(([^()]*)\)\$$", pattern)
    if units is None:
        return "a percentage" if pattern.endswith("%$") else "a rate" if pattern.endswith("/s$") else ""
    return "a duration" if "min" in units[1] else "a size" if "MiB" in units[1] else ""


def _example(value: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    while "items" in value:
        value = value["items"]
    examples = value.get("examples") or (defined[_named(value["$ref"])].get("examples") if "$ref" in value else None)
    return f"`{_cell(str(examples[0]))}`" if examples else ""


def _cell(text: str) -> str:
    """Text of a docstring as a cell of a Markdown table has it."""
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


def write() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
