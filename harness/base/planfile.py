"""Plan files: YAML read strictly into a plan's own type. Quantities are declared once, with their unit, in that type.

A field ``window_s: Seconds`` is the key ``window`` of the file, written with its unit (``window: 120s``); a struct with
``of_text`` may be written as one line; ``msgspec.Meta`` beside a type says its range and its examples, ``ReadBy`` which
kinds of a mapping read the key. Whatever is unknown, missing, unitless, impossible or never read is refused by file,
line and key, with an example. ``schema`` is the JSON Schema of the same type, for editors.
"""

from __future__ import annotations

import math
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.base.message import Message, closest, message, nearest, said_by
from harness.base.phase import Said
from harness.base.plantypes import bare_type, example_of, keys_of, note_of, words_of
from harness.base.units import OneOf, Quantity, ReadBy

T = TypeVar("T")
R = TypeVar("R")
_AUTHOR = "yaml-language-server: $schema="


class RuleError(ValueError):
    """What a plan's own rules refuse: ``keys`` are the fields that lead to the value, ``remedy`` says what to write."""

    def __init__(self, what: Said | str, *keys: str | int, remedy: Said | str = "") -> None:
        super().__init__(what)
        self.keys: yamltext.Path_ = keys
        self.remedy = remedy


@contextmanager
def typed(option: str, where: Said | str = "") -> Iterator[None]:
    """What a plan's own rules refuse in the block is ``BadInput`` of ``option``, which was typed."""
    try:
        yield
    except RuleError as error:
        told = message("{option}: {error}", option=option, error=said_by(error))
        raise BadInput(told, where=where or option, remedy=error.remedy) from error


def likeness(data: Any, plan: Any) -> int:
    """How many keys and words of ``data`` are those of the type ``plan``, less those that are not or are missing."""
    bare = bare_type(plan)[0]
    if typing.get_origin(bare) in (tuple, list) and isinstance(data, list):
        return sum(likeness(each, typing.get_args(bare)[0]) for each in data)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct) and isinstance(data, dict):
        known = keys_of(bare)
        missing = sum(field.required and key != "name" and key not in data for key, field in known.items())
        return sum(1 + likeness(data[key], known[key].type) if key in known else -1 for key in data) - missing
    words = words_of(plan)
    return 0 if not words else 1 if data in words else -1


def once(names: Iterable[object]) -> None:
    """Raises ``ValueError`` when two of ``names`` are the same: of a plan's parts, of the pods of a search."""
    for name, count in Counter(map(str, names)).items():
        if count > 1:
            raise ValueError(message("{name} is there twice, and each has one name of its own", name=repr(name)))


def bundled(name: str, plan: type[T]) -> T:
    """The plan ``name`` of scenarios/plans. Raises ``BadInput``."""
    return load(PLANS / f"{name}.yaml", plan)


def load(path: Path, plan: type[T]) -> T:
    """The plan in ``path``; its ``name`` is the file's where the file gives none. Raises ``BadInput``."""
    return parse(yamltext.read(path), str(path), plan, name=path.stem)


def parse(text: str, where: str, plan: type[T], *, name: str = "") -> T:
    """The plan that ``text`` holds; ``where`` is its file in errors. Raises ``BadInput``."""
    return made(text, where, plan, lambda found: found, name=name)


def made(text: str, where: str, plan: type[T], into: Callable[[T], R], *, name: str = "") -> R:
    """What ``into`` makes of the plan that ``text`` holds; what it refuses (``RuleError``) is told by its place, as all
    else. Raises ``BadInput``.
    """
    names = ", ".join(keys_of(typing.cast("Any", plan)))
    data, lines = mapping(text, where, message("the keys are: {names}", names=names))
    if name and "name" in keys_of(typing.cast("Any", plan)):
        data = {"name": name, **data}
    return _converted(data, plan, _Source(where, lines), (), into)


def mapping(
    text: str, where: str, remedy: Said | str, *, merge_keys: bool = False
) -> tuple[dict[str, Any], yamltext.Lines]:
    """The one mapping that a file is, and its lines; ``remedy`` is for what is none. Raises ``BadInput``."""
    all_of_it = yamltext.documents(text, where, merge_keys=merge_keys, plain_numbers=True)
    found = [each for each in all_of_it if each[0] is not None]  # a bare `---` at the end opens one that says nothing
    if not found:
        raise BadInput(message("{where} is empty", where=where), where=where, remedy=remedy)
    if len(found) > 1:
        raise BadInput("more than one YAML document", where=where, remedy="write each into a file of its own")
    data, lines = found[0]
    if not isinstance(data, dict):
        raise _Source(where, lines).bad((), message("a file is one mapping of keys"), remedy)
    return data, lines


def at(path: yamltext.Path_, data: Any, where: str, lines: yamltext.Lines, plan: type[T]) -> T:
    """``data``, which stands at ``path`` of a document that is no plan itself, as ``plan``. Raises ``BadInput``."""
    return _converted(data, plan, _Source(where, lines), path, lambda found: found)


def _converted(data: Any, plan: type[T], source: _Source, at_: yamltext.Path_, into: Callable[[T], R]) -> R:
    try:
        return into(msgspec.convert(source.plain(data, plan, at_, ()), plan))
    except msgspec.ValidationError as error:
        raise source.invalid(error) from error
    except RuleError as error:
        raise source.refused(error, error.keys) from error


class _Source:
    """A file under reading: quantities become numbers, keys the fields' names; errors name file, line and key."""

    def __init__(self, where: str, lines: yamltext.Lines) -> None:
        self._where = where
        self._lines = lines
        self._written: dict[yamltext.Path_, tuple[yamltext.Path_, Any]] = {}
        self._one_line: set[yamltext.Path_] = set()

    def bad(self, path: yamltext.Path_, what: Said | str, remedy: Said | str = "") -> BadInput:
        """The error for the value at ``path`` of the file."""
        return BadInput(what, where=yamltext.place(self._where, self._lines, path), remedy=remedy)

    def plain(self, data: Any, type_: Any, at: yamltext.Path_, now: yamltext.Path_) -> Any:
        """``data`` as ``msgspec`` takes it for ``type_``. ``at`` is its path in the file, ``now`` in what is made."""
        self._written[now] = at, type_
        meta, declared = note_of(type_, msgspec.Meta), type_
        type_, quantity = bare_type(type_)
        if quantity is not None and data is not None:
            return self._number(data, quantity, meta, at)
        if typing.get_origin(type_) in (tuple, list) and isinstance(data, list):
            inner = typing.get_args(type_)[0]
            return [self.plain(each, inner, (*at, n), (*now, n)) for n, each in enumerate(data)]
        if typing.get_origin(type_) is dict and isinstance(data, dict):
            inner = typing.get_args(type_)[1]
            return {key: self.plain(each, inner, (*at, key), (*now, key)) for key, each in data.items()}
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self._struct(data, type_, at, now)
        if isinstance(data, str):
            self._text(data, declared, meta, at)
            self._known(data, note_of(declared, OneOf), at)
        return data

    def _text(self, data: str, type_: Any, meta: msgspec.Meta | None, at: yamltext.Path_) -> None:
        """Refuses a word that is none of its type's, and text that is not as its type has it."""
        known = words_of(bare_type(type_)[0])
        if known and data not in known:
            near, right = nearest(data, known), closest(data, known) or example_of(type_)
            what = message("{value} is none of {names}{near}", value=repr(data), names=", ".join(known), near=near)
            remedy = message("write {right}", right=_told(at, right)) if near else _for_example(at, right)
            raise self.bad(at, what, remedy)
        if meta is not None and meta.pattern and not re.search(meta.pattern, data):
            told = Message(text=meta.description or meta.pattern)
            what = message("{value} is not {what}", value=repr(data[:40]), what=told)
            raise self.bad(at, what, _for_example(at, example_of(type_)))

    def _known(self, data: str, words: OneOf | None, at: yamltext.Path_) -> None:
        if words is not None and data not in (known := [*words.known()]):
            near = nearest(data, known)
            what = message("unknown {kind} {value}{near}", kind=Message(text=words.what), value=repr(data), near=near)
            raise self.bad(at, what, message("see {where}", where=words.where))

    def _number(self, data: Any, quantity: Quantity, meta: msgspec.Meta | None, at: yamltext.Path_) -> float:
        if not isinstance(data, str):
            what = message("{value} is not {what}", value=repr(data), what=Message(text=quantity.what))
            told = message("write it with its unit, for example {example}", example=_told(at, quantity.example))
            raise self.bad(at, what, told)
        try:
            value = quantity.read(data)
        except ValueError as error:
            raise self.bad(at, units.without_example(error), _for_example(at, quantity.example)) from error
        if not math.isfinite(value) or not _within(value, meta):
            described = meta.description if meta is not None else None
            limits = message(" ({range})", range=Message(text=described)) if described else ""
            what = message("{value} is out of range{limits}", value=repr(data[:20]), limits=limits)
            raise self.bad(at, what, _for_example(at, quantity.example))
        return value

    def _struct(self, data: Any, type_: type[msgspec.Struct], at: yamltext.Path_, now: yamltext.Path_) -> Any:
        if isinstance(data, str) and hasattr(type_, "of_text"):
            self._one_line.add(now)
            try:
                return msgspec.to_builtins(type_.of_text(data))
            except ValueError as error:
                raise self.refused(error, now) from error
        if not isinstance(data, dict):
            told = message("the keys are: {names}", names=", ".join(keys_of(type_)))
            raise self.bad(at, message("a mapping of keys is wanted here"), told)
        known = keys_of(type_)
        for key in data:
            if key not in known:
                what = message("unknown key {key}{near}", key=repr(key), near=nearest(key, list(known)))
                raise self.bad((*at, key), what, message("the keys here are: {names}", names=", ".join(known)))
        for key, field in known.items():
            if field.required and key not in data:
                missing = message("key {key} is missing", key=repr(key))
                raise self.bad(at, missing, _for_example((key,), example_of(field.type)))
        found = {
            known[key].name: self.plain(value, known[key].type, (*at, key), (*now, known[key].name))
            for key, value in data.items()
        }
        self._all_read(data, type_, at)
        return found

    def _all_read(self, data: dict[str, Any], type_: type[msgspec.Struct], at: yamltext.Path_) -> None:
        """Refuses a key that a mapping of its ``kind`` never reads."""
        kind, by = data.get("kind"), {key: field.read_by for key, field in keys_of(type_).items()}
        read = [key for key, kinds in by.items() if kinds is None or kind in kinds.kinds]
        for key in data:
            if key not in read:
                told = message("kind {kind} does not read {key}", kind=repr(kind), key=repr(key))
                raise self.bad((*at, key), told, message("it reads: {names}", names=", ".join(read)))

    def invalid(self, error: msgspec.ValidationError) -> BadInput:
        """msgspec's error at its line: it ends in `` - at `$.population.audiences[0].users` ``."""
        what, _, trail = str(error).partition(" - at `$")
        path: yamltext.Path_ = tuple(
            int(part[1:-1]) if part.startswith("[") else part.lstrip(".")
            for part in re.findall(r"\.\w+|\[[0-9]+\]", trail.rstrip("`"))
        )
        cause = error.__cause__
        if isinstance(cause, RuleError):
            return self.refused(cause, (*path, *cause.keys))
        return self.refused(RuleError(what), path)

    def refused(self, error: ValueError, path: yamltext.Path_) -> BadInput:
        """What is wrong with the value at ``path`` of what is made, at its line, with an example of the right form."""
        known = path
        while known and known not in self._written:
            known = known[:-1]
        at, type_ = self._written.get(known, ((), None))
        if known not in self._one_line:
            at = (*at, *path[len(known) :])
        remedy = getattr(error, "remedy", "")
        if not remedy and known == path and type_ is not None:
            remedy = _for_example(at, example_of(type_))
        return self.bad(at, said_by(error), remedy)


def _within(value: float, meta: msgspec.Meta | None) -> bool:
    if meta is None:
        return True
    above = meta.gt is None or value > meta.gt
    return above and (meta.ge is None or value >= meta.ge) and (meta.le is None or value <= meta.le)


def _for_example(path: yamltext.Path_, example: str) -> Message:
    return message("for example {example}", example=_told(path, example))


def _told(path: yamltext.Path_, example: str) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return f"`{key}: {example}`" if key else f"`{example}`"


# -- for editors -------------------------------------------------------------------------------------------------


def schema(plan: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the files of ``plan``, from its type."""
    defined: dict[str, Any] = {}
    body = _schema_of(plan, defined)
    defs = {"$defs": dict(sorted(defined.items()))} if defined else {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **body, **defs}


def _schema_of(type_: Any, defined: dict[str, Any]) -> dict[str, Any]:
    bare, quantity = bare_type(type_)
    if quantity is not None:
        return {"type": "string", "pattern": quantity.pattern, "examples": [quantity.example]}
    noted = _schema_noted(note_of(type_, msgspec.Meta)) | _schema_known(note_of(type_, OneOf), defined)
    if typing.get_origin(bare) in (tuple, list):
        return {"type": "array", "items": _schema_of(typing.get_args(bare)[0], defined), **noted}
    if typing.get_origin(bare) is dict:
        return {"type": "object", "additionalProperties": _schema_of(typing.get_args(bare)[1], defined)}
    if words := words_of(bare):
        return {"enum": list(words)}
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        if bare.__name__ not in defined:
            defined[bare.__name__] = {}  # a struct that holds itself ends here
            defined[bare.__name__] = _mapping(bare, defined)
        return {"$ref": f"#/$defs/{bare.__name__}"}
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": names[bare], **noted} if bare in names else noted


def _schema_known(words: OneOf | None, defined: dict[str, Any]) -> dict[str, Any]:
    if words is None:
        return {}
    name = words.what.replace(" ", "_")
    defined[name] = {"description": f"see {words.where}", "enum": list(words.known())}
    return {"$ref": f"#/$defs/{name}"}


def _schema_noted(meta: msgspec.Meta | None) -> dict[str, Any]:
    """Range, pattern and examples of a type, as JSON Schema has them."""
    if meta is None:
        return {}
    noted = {
        "minimum": meta.ge,
        "exclusiveMinimum": meta.gt,
        "maximum": meta.le,
        "pattern": meta.pattern,
        "minItems": meta.min_length,
        "description": meta.description,
        "examples": meta.examples,
    }
    return {key: value for key, value in noted.items() if value is not None}


def _mapping(type_: type[msgspec.Struct], defined: dict[str, Any]) -> dict[str, Any]:
    keys = keys_of(type_)
    mapping = {
        "type": "object",
        "description": " ".join((type_.__doc__ or "").split()),
        "properties": {key: _property(each.type, defined) for key, each in keys.items()},
        "required": sorted(key for key, each in keys.items() if each.required and key != "name"),
        "additionalProperties": False,
    }
    return {"anyOf": [{"type": "string"}, mapping]} if hasattr(type_, "of_text") else mapping


def _property(type_: Any, defined: dict[str, Any]) -> dict[str, Any]:
    found, by = _schema_of(type_, defined), note_of(type_, ReadBy)
    if by is None:
        return found
    said = (found.get("description", ""), f"read by kind {', '.join(by.kinds)}")
    return {**found, "description": "; ".join(filter(None, said))}


def modeline(text: str) -> str:
    """The schema that the first lines of a file name for editors, "" when they name none."""
    for line in _head(text):
        _, found, named = line.partition(_AUTHOR)
        if found:
            return named.strip()
    return ""


def _head(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line
