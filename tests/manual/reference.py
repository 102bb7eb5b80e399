"""``docs/reference.md``: every option of every command, and every key of every file that people write, each with its default
and its meaning: of the commands' declarations, the types of the files, their docstrings, and ``meanings.yaml`` beside this.
"""

from __future__ import annotations

import json
import re
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.base.plantypes import bare_type, keys_of
from harness.base.units import Quantity
from harness.cli.kinds import KINDS, SCHEMAS
from harness.cli.main import ALL
from harness.rehearsals.chaos.types import Expectation
from harness.run import command

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference.md"
MEANINGS: dict[str, str] = yaml.safe_load((Path(__file__).parent / "meanings.yaml").read_text("utf-8"))
HEAD = """# Reference

Every option and every key of every file that people write, made by `nox -s manual` of the commands' declarations and the types of the
files; a test holds it current. What the files are, how quantities are written, and how `check` reads a file: [files of your own](plans.md).
**Bold** keys must be given.

## Options

| option | takes | default | meaning | commands |
|---|---|---|---|---|
"""
#: Of more words than this it is told where they are from; of more commands than this the first.
MOST_WORDS, MOST_COMMANDS = 24, 6


def _structs(type_: Any) -> Iterator[type[msgspec.Struct]]:
    """The type of a file, and those of the mappings in it."""
    bare = bare_type(type_)[0]
    for inner in typing.get_args(bare):
        yield from _structs(inner)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        yield bare
        for field in keys_of(bare).values():
            yield from _structs(field.type)


#: The type of each mapping of each kind of file, by its name; the last is an extension of an experiment.
STRUCTS = {
    each.__name__: each for form in (*(kind.form for kind in KINDS.values()), Expectation) for each in _structs(form)
}


def page() -> str:
    """The page as it is committed."""
    parts = [HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _options())]
    parts += ("\n".join(_kind(name, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))) for name in KINDS)
    return "\n".join(parts)


def _options() -> Iterator[tuple[str, ...]]:
    """A row for each option as it is declared, with the commands that take it so."""
    taken = defaultdict[tuple[str, ...], list[str]](list)
    for name, entry in ALL.items():
        for said in command.parser(entry.load())._actions:
            long = [word for word in said.option_strings if word.startswith("--")]
            if long and said.help and said.help != "==SUPPRESS==" and "--help" not in long:
                told, _, default = said.help.replace("%%", "%").replace(f"{ROOT}/", "").partition(" (default: ")
                takes = said.metavar or "|".join(map(str, said.choices or ())) or ("" if said.nargs == 0 else "TEXT")
                default, _, rest = default.partition(")")
                row = (f"`{', '.join(said.option_strings)}`", str(takes), default, told + rest)
                taken[row].append(f"`{name}`")
    for cells, names in sorted(taken.items()):
        more = f" and {len(names) - MOST_COMMANDS} more" if len(names) > MOST_COMMANDS else ""
        yield (*map(_cell, cells), ", ".join(names[:MOST_COMMANDS]) + more)


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
        told = _sentences(STRUCTS[each])
        if intro := [*told.get("", ()), *(["It may be one line of text."] if line else [])]:
            yield f"{_cell(' '.join(intro))}\n"
        yield "| key | is | default | meaning |"
        yield "|---|---|---|---|"
        for key, value in mapping["properties"].items():
            must, default = _default(STRUCTS[each], key)
            if key == "name" and each == first and must:
                must, default = False, "the file's name"
            meaning = MEANINGS.get(f"{each}.{key}") or " ".join(told.get(key, ())) or MEANINGS[key]
            cells = (f"**`{key}`**" if must else f"`{key}`", _is(value, defined), default, _cell(meaning))
            yield f"| {' | '.join(cells)} |"
    yield ""


def _sentences(struct: type[msgspec.Struct]) -> dict[str, list[str]]:
    """The sentences of a docstring by the keys that they name, or that the one before named; under "" what heads all."""
    keys = keys_of(struct)
    text = " ".join((struct.__doc__ or "").replace(" Times in seconds.", "").split())
    in_code = {each.encode_name: each.name for each in msgspec.structs.fields(struct)}
    for key, field in keys.items():
        text = text.replace(f"``{field.name}``", f"``{key}``").replace(f"``{in_code[field.name]}``", f"``{key}``")
    found, last = defaultdict[str, list[str]](list), [""]
    for sentence in re.split(r"(?<=[.])\s+(?=[A-Z`])|(?<=;)\s+(?=``\w+``:)", text):
        named = [key for key in keys if f"``{key}``" in sentence]
        last = ["", *named] if not found and not sentence.startswith("``") else named or last
        for key in last:
            found[key].append(re.sub(rf"^``{key}``: |;$", "", sentence) if len(named) == 1 else sentence)
    return found


def _default(struct: type[msgspec.Struct], key: str) -> tuple[bool, str]:
    """Whether a key must be given, and what it is where it is not, as a file would write that."""
    if (known := keys_of(struct).get(key)) is None:
        return True, ""
    (field,) = (each for each in msgspec.structs.fields(struct) if each.encode_name == known.name)
    if field.required:
        return True, ""
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if isinstance(default, msgspec.Struct):
        return False, "its defaults"
    return False, ("" if default in (None, "", (), {}) else f"`{_written(default, bare_type(known.type)[1])}`")


def _written(value: Any, quantity: Quantity | None) -> str:
    if quantity is not None:
        unit = {"_s": "s", "_ms": "ms", "_per_s": "/s", "": "%"}[quantity.suffix]
        return f"{value * 100 if unit == '%' else value:g}{unit}"
    if isinstance(value, tuple):
        return ", ".join(_written(each, None) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


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
        return _words(defined[name]) if _mapping(defined[name])[0] is None else f"the mapping `{name}`, below"
    if "enum" in value:
        return _words(value)
    if value.get("type") == "array":
        least = ", at least one" if value.get("minItems") == 1 else ""
        return f"a list{least} of: {_is(value['items'], defined)}"
    if value.get("type") == "object":
        more = value.get("additionalProperties")
        return f"a mapping; each value: {_is(more, defined)}" if isinstance(more, dict) else "a mapping"
    return _plain(value)


def _words(target: Mapping[str, Any]) -> str:
    words = target.get("enum", ())
    return (
        "one of " + ", ".join(f"`{word}`" for word in words)
        if len(words) <= MOST_WORDS
        else "an id of `scenarios/claims`"
    )


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
    if told == "text" and (examples := value.get("examples")):
        told = f"text, as `{_cell(str(examples[0]))}`"
    return "; ".join(filter(None, (f"{told} {limits}".strip(), said)))


def _unit(pattern: str) -> str:
    """The kind of a quantity, by the units that its pattern ends in."""
    units = re.search(r"\(([^()]*)\)\$$", pattern)
    if units is None:
        ends = {"%$": "a percentage", "/s$": "a rate", ")?$": "an amount of dollars"}
        return next((told for end, told in ends.items() if pattern.endswith(end)), "")
    return "a duration" if "min" in units[1] else "a size" if "MiB" in units[1] else ""


def _cell(text: str) -> str:
    """Text of a docstring as a cell of a Markdown table has it."""
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


def write() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
