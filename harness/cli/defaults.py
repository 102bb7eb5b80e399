"""Defaults of options from outside: the nearest ``rehearsal.toml`` upward from the working folder, and over it the
variables ``TEKUTOKO_OPTION_*``. What is typed goes over both.

A key is an option as it is typed, without its dashes: ``signals-at-once = true``. At the top it holds for every command
that reads it, in the table of a command (``[run]``, ``[stack.up]``) for that one, over the top. The variable of
``--signals-at-once`` is ``TEKUTOKO_OPTION_SIGNALS_AT_ONCE``. One that no command reads is an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.base.errors import BadInput
from harness.base.message import Message, gettext_noop, message, nearest, said_by
from harness.base.options import of_option, one_of, unseen
from harness.base.owned import own
from harness.base.phase import Said
from harness.base.shell import shell_words
from harness.base.typed import PROGRAM
from harness.run.command import Command, flag, flags
from harness.run.registry import Entry

# TOML as people write it: its keys, with the line of each for the errors, which tomllib does not tell.


class Key(NamedTuple):
    """A key with its value: ``table`` are the names of the table that it stands in, ``line`` is where it is written
    and ``headed`` where its table's head is; 1 where that is written otherwise than as people do."""

    table: tuple[str, ...]
    name: str
    value: Any
    headed: int
    line: int

    @property
    def is_tables(self) -> bool:
        """Whether it is a list of tables: ``[[name]]``."""
        return isinstance(self.value, list) and any(isinstance(each, dict) for each in self.value)


def keys(path: Path, remedy: str) -> Iterator[Key]:
    """Every key of the file in its order, those of tables too. Raises ``BadInput`` where it cannot be read."""
    try:
        own(path)
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        told = message("it cannot be read: {error}", error=str(error))
        raise BadInput(told, where=str(path), remedy=remedy) from error
    for table, name, value in _flat(document):
        yield Key(table, name, value, *_lines(text, table, name))


def _flat(document: dict[str, Any], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, (*names, key))
        else:
            yield names, key, value


def _lines(text: str, names: tuple[str, ...], key: str) -> tuple[int, int]:
    table: tuple[str, ...] = ()
    headed = 1
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[?)\[([^\[\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            headed = number if table == names else headed
            if header[1] and table == (*names, key):
                return number, number
        elif table == names and wanted.match(line):
            return headed, number
    return headed, 1


FILE, VARIABLE = "rehearsal.toml", "TEKUTOKO_OPTION_"
#: What says which program runs and where it writes is told when a file set it.
_RUN = frozenset({"--target", "--manifests", "--reports"})
_SWITCH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_UNREAD = gettext_noop("write TOML in UTF-8; --no-defaults leaves it unread")
_HELP = gettext_noop("--help shows what it takes")
_WHAT_IT_IS = gettext_noop("a key is an option of a command, without its dashes")


class Given(NamedTuple):
    """What was written for an option: its words, and where. Paths are ``folder``'s."""

    texts: tuple[str, ...]
    where: Said | str
    folder: Path


def defaults(
    command: type[Command], typed: Sequence[str], entries: Mapping[str, Entry], folder: Path, environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Message]]:
    """The values of options of ``command``, which typed ones go over, and which file set what is run. Raises
    ``BadInput``."""
    if {"--no-defaults", "--help", "-h"} & set(typed):
        return {}, []
    given = {**_of_file(command, entries, folder), **_of_environment(command, entries, folder, environ)}
    fields = {flag(field.name): field for field in dataclasses.fields(command)}
    taken = {fields[name]: each for name, each in given.items() if command.takes_default(fields[name].name, typed)}
    left = _RUN - {word.partition("=")[0] for word in typed}
    said = [
        message("{option} is {value}, as {where} says", option=name, value=" ".join(each.texts), where=each.where)
        for name, each in given.items()
        if name in left and isinstance(each.where, str)  # the file's, and no variable's
    ]
    return {field.name: _value(field, each) for field, each in taken.items()}, said


def _of_file(command: type[Command], entries: Mapping[str, Entry], folder: Path) -> dict[str, Given]:
    path = next((p for at in (folder, *folder.parents) if unseen(p := at / FILE) is None and p.is_file()), None)
    if path is None:
        return {}
    of_all: dict[str, Given] = {}
    of_one: dict[str, Given] = {}
    for each in keys(path, _UNREAD):
        key, where, table = each.name, f"{path}:{each.line}", " ".join(each.table)
        if each.is_tables and " ".join((*each.table, key)) in entries:
            written = ".".join((*each.table, key))
            told = message("[[{table}]] is a list of tables, and a command has one table", table=written)
            raise BadInput(told, where=where, remedy=message("write [{table}]", table=written))
        if table and table not in entries:
            told = message("[{table}]: no such command{near}", table=table, near=nearest(table, list(entries)))
            remedy = message("{program} list shows the commands", program=PROGRAM)
            raise BadInput(told, where=f"{path}:{each.headed}", remedy=remedy)
        _check(key, [entries[table]] if table else entries.values(), command, where)
        if f"--{key}" in flags(command) and table in ("", command.name):
            texts = tuple(map(_text, each.value if isinstance(each.value, list) else [each.value]))
            (of_one if table else of_all)[f"--{key}"] = Given(texts, where, path.parent)
    return {**of_all, **of_one}


def _of_environment(
    command: type[Command], entries: Mapping[str, Entry], folder: Path, environ: Mapping[str, str]
) -> dict[str, Given]:
    found = {}
    fields = {flag(field.name): field for field in dataclasses.fields(command)}
    for variable in sorted(name for name in environ if name.startswith(VARIABLE)):
        key = variable.removeprefix(VARIABLE).lower().replace("_", "-")
        where = message("the variable {variable}", variable=variable)
        _check(key, entries.values(), command, where)
        if f"--{key}" in flags(command):
            text = environ[variable]
            texts = tuple(shell_words(text, where)) if fields[f"--{key}"].default == () else (text,)
            found[f"--{key}"] = Given(texts, where, folder)
    return found


def _check(key: str, entries: Iterable[Entry], command: type[Command], where: Said | str) -> None:
    """Raises ``BadInput`` where no command of ``entries`` reads the option ``key``."""
    listed = list(entries)
    if f"--{key}" in flags(command) and any(entry.name == command.name for entry in listed):
        return  # without loading the others
    known = {name.removeprefix("--") for entry in listed for name in flags(entry.load())}
    if key not in known:
        near, one = nearest(key, sorted(known)), message("{command} does not read it", command=listed[0].name)
        readers = one if len(listed) == 1 else message("no command reads it")
        told = message("{key}: {readers}{near}", key=key, readers=readers, near=near)
        raise BadInput(told, where=where, remedy=_WHAT_IT_IS)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(field: dataclasses.Field[Any], given: Given) -> Any:
    """The option's value. Raises ``BadInput`` saying where it was written."""
    name, first = flag(field.name), given.texts[0] if given.texts else ""
    if field.metadata["consent"]:
        told = message("{option} is a consent, and no default", option=name)
        raise BadInput(told, where=given.where, remedy="type it each time")
    if field.default != () and len(given.texts) != 1:
        raise BadInput(message("{option} takes one value", option=name), where=given.where, remedy=_HELP)
    if field.default is False:
        if first.lower() not in _SWITCH:
            told = message("{option} is true or false, not {value}", option=name, value=repr(first))
            raise BadInput(told, where=given.where, remedy="write true or false")
        return _SWITCH[first.lower()]
    values = tuple(_read(field, text, given) for text in given.texts)
    return values if field.default == () else values[0]


def _read(field: dataclasses.Field[Any], text: str, given: Given) -> Any:
    said = field.metadata["argparse"]
    try:
        value = said["type"](_placed(given.folder, text, path=field.metadata["read"] is Path))
    except argparse.ArgumentTypeError as error:
        raise BadInput(of_option(flag(field.name), said_by(error)), where=given.where, remedy=_HELP) from error
    if value not in said.get("choices", [value]):
        near = nearest(text, [*map(str, said["choices"])])
        told = of_option(flag(field.name), message("{value} is none{near}", value=repr(text), near=near))
        raise BadInput(told, where=given.where, remedy=one_of(said["choices"]))
    return value


def _placed(folder: Path, text: str, *, path: bool) -> str:
    """A path of the file's folder: what an option takes as one, and a program that is there (``./walk-api``)."""
    if path:
        return str(folder / text)
    first, space, rest = text.partition(" ")
    return f"{folder / first}{space}{rest}" if "/" in first and (folder / first).exists() else text
