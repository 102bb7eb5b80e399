"""What the type of a plan says of its files: the keys of a mapping; of a value its quantity, words and example."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import msgspec

from harness.base.units import OneOf, Quantity, ReadBy

N = TypeVar("N")


class Field(msgspec.Struct, frozen=True):
    """A field of a plan: its name in JSON and its type, whether a file must have it, and which kinds alone read it."""

    name: str
    type: Any
    required: bool
    read_by: ReadBy | None


@functools.cache
def bare_type(type_: Any) -> tuple[Any, Quantity | None]:
    """A type without its annotation and without ``None``, and the quantity that it is."""
    quantity = note_of(type_, Quantity)
    while (inner := _inner(type_)) is not type_:
        type_ = inner
    return type_, quantity


def note_of(type_: Any, kind: type[N]) -> N | None:
    """The note of ``kind`` that a type has, in itself or beside ``None``."""
    return next((each for each in _all_notes(type_) if isinstance(each, kind)), None)


@functools.cache
def _all_notes(type_: Any) -> tuple[Any, ...]:
    """Worked out once a type: each value of a plan is asked many times."""
    inner = _inner(type_)
    return (*reversed(_notes(type_)), *(() if inner is type_ else _all_notes(inner)))


def _notes(type_: Any) -> tuple[Any, ...]:
    """What stands beside a type in ``Annotated``, which alone has that."""
    notes: tuple[Any, ...] = getattr(type_, "__metadata__", ())
    return notes


def _inner(type_: Any) -> Any:
    """A type without its notes, or without ``None``; itself where it has neither."""
    if _notes(type_):
        return type_.__origin__
    if isinstance(type_, types.UnionType) or getattr(type_, "__origin__", None) is typing.Union:
        rest = [each for each in typing.get_args(type_) if each is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return type_


def words_of(type_: Any) -> tuple[str, ...]:
    """The words that a file may write for ``type_``, () where it may write any."""
    bare, one_of = bare_type(type_)[0], note_of(type_, OneOf)
    if one_of is not None:
        return (*one_of.known(),)
    return _words(bare) if isinstance(bare, type) and issubclass(bare, Enum) else ()


@functools.cache
def _words(enum: type[Enum]) -> tuple[str, ...]:
    return tuple(str(each.value) for each in enum)


@functools.cache
def keys_of(type_: Any) -> Mapping[str, Field]:
    """The keys of a plan's mapping, each with its field; worked out once a type."""
    hints = typing.get_type_hints(type_, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(type_):
        hint, name = hints[field.name], field.encode_name
        _, quantity = bare_type(hint)
        key = name.removesuffix(quantity.suffix) if quantity else name
        found[key] = Field(name=name, type=hint, required=field.required, read_by=note_of(hint, ReadBy))
    return found


def example_of(type_: Any) -> str:
    """A value of ``type_`` as a file writes it."""
    bare, quantity = bare_type(type_)
    meta = note_of(type_, msgspec.Meta)
    if meta is not None and meta.examples:
        return str(meta.examples[0])
    if quantity is not None:
        return quantity.example
    if words := words_of(type_):
        return words[0]
    if typing.get_origin(bare) in (tuple, list):
        return f"[{example_of(typing.get_args(bare)[0])}]"
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        needed = [f"{key}: {example_of(each.type)}" for key, each in keys_of(bare).items() if each.required]
        return "{" + ", ".join(needed) + "}"
    return {int: "1", float: "1.5", bool: "true"}.get(bare, '"..."')
