"""ConfigMaps and Secrets that kustomize makes: of literals, files and env files, created, merged or replaced."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.kustomize import form
from harness.stack.manifests.kustomize.resource import Resource
from harness.stack.manifests.kustomize.tree import Map, Place

_LINE = 70  # of base64 in what kustomize writes
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
MAX_BYTES = 1_000_000  # of one file; the API server takes no more in a ConfigMap

#: A key, its value, where it stands.
Pair = tuple[str, bytes, Place]


class Of(NamedTuple):
    """Whose generator it is: the folder, its ``generatorOptions``, where the entry stands."""

    shared: form.Options
    folder: Path
    place: Place


def generate(generator: form.Generator, kind: str, of: Of, resources: list[Resource]) -> None:
    """Adds what ``generator`` makes to ``resources``, or changes there what it merges into or replaces.

    Raises ``BadInput`` naming file, line and key.
    """
    place = of.place
    options = _options(of.shared, generator.options)
    made = Resource(_body(generator, kind, options, of.folder, place), generator.behavior, _hashed(options))
    where = f"{place[0]}:{place[1]}"
    if generator.behavior not in ("", "create", "merge", "replace"):
        what = message(
            "behavior {behavior} of {resource} is not known", behavior=repr(generator.behavior), resource=made.key
        )
        raise BadInput(what, where=where, remedy="write create, merge or replace")
    there = [each for each in resources if made.id in each.ids]
    if generator.behavior in ("", "create"):
        if there:
            what = message("{resource} is defined twice", resource=made.key)
            raise BadInput(what, where=where, remedy="write behavior: merge, or rename one")
        resources.append(made)
        return
    if len(there) != 1:
        here = ", ".join(dict.fromkeys(each.ids[0].name for each in resources if each.kind == kind)) or message("none")
        what = message(
            "{resource} has behavior {behavior}, and no base makes it",
            resource=made.key,
            behavior=generator.behavior,
        )
        remedy = message("{kind}s of the bases: {names}", kind=kind, names=here)
        raise BadInput(what, where=where, remedy=remedy)
    resources[resources.index(there[0])] = _over(made, there[0], generator.behavior == "merge")


def _options(shared: form.Options, own: form.Options) -> form.Options:
    return msgspec.structs.replace(
        own,
        labels=shared.labels | own.labels,
        annotations=shared.annotations | own.annotations,
        disable_name_suffix_hash=shared.disable_name_suffix_hash or own.disable_name_suffix_hash,
        immutable=shared.immutable or own.immutable,
    )


def _hashed(options: form.Options) -> bool:
    return not options.disable_name_suffix_hash


def _over(made: Resource, old: Resource, merge: bool) -> Resource:
    """``made`` in the place of ``old``: its name and labels stay; with ``merge`` its data too."""
    body, before = made.body, old.body
    for key in ("labels", "annotations"):
        for name, value in before["metadata"].get(key, {}).items():
            group = body["metadata"].under(key, before["metadata"].place(key))
            if name not in group:
                group.put(name, value, before["metadata"][key].place(name))
    for key in ("name", "namespace"):
        if key in before["metadata"]:
            body["metadata"].put(key, before["metadata"][key], before["metadata"].place(key))
    for key in ("data", "binaryData") if merge else ():
        for name, value in before.get(key, {}).items():
            group = body.under(key, before.place(key))
            if name not in group:
                group.put(name, value, before[key].place(name))
    made.previous, made.prefixes, made.suffixes = old.previous, old.prefixes, old.suffixes
    made.variables = old.variables
    made.hashed = made.hashed and old.hashed  # what has a name that stays keeps it
    return made


def _body(generator: form.Generator, kind: str, options: form.Options, folder: Path, place: Place) -> Map:
    body = Map(place, [("apiVersion", "v1"), ("kind", kind), ("metadata", Map(place, [("name", generator.name)]))])
    if generator.namespace:
        body["metadata"].put("namespace", generator.namespace, place)
    if kind == "Secret":
        body.put("type", generator.type or "Opaque", place)
        body.under("data", place)
    for key, value, at in sorted(_pairs(generator, folder, place)):
        holder, text = _stored(kind, value)
        body.under(holder, place).put(key, text, at)
    for name in ("labels", "annotations"):
        for key, value in sorted(getattr(options, name).items()):
            body["metadata"].under(name, place).put(key, value, place)
    if options.immutable:
        body.put("immutable", True, place)
    return body


def _stored(kind: str, value: bytes) -> tuple[str, str]:
    if kind == "ConfigMap":
        try:
            return "data", value.decode()
        except UnicodeDecodeError:
            return "binaryData", _base64(value)
    return "data", _base64(value)


def _base64(value: bytes) -> str:
    text = base64.b64encode(value).decode()
    if len(text) < _LINE:
        return text
    return "".join(f"{text[at : at + _LINE]}\n" for at in range(0, len(text), _LINE))


def _pairs(generator: form.Generator, folder: Path, place: Place) -> list[Pair]:
    found: dict[str, Pair] = {}
    where = f"{place[0]}:{place[1]}, {generator.name}"
    envs = [*generator.envs, *([generator.env] if generator.env else [])]
    for pair in (
        *(pair for name in envs for pair in _env_file(folder / name, where)),
        *(_literal(each, where, place) for each in generator.literals),
        *(_file(each, folder, where) for each in generator.files),
    ):
        if not _KEY.fullmatch(pair[0]):
            at = f"{pair[2][0]}:{pair[2][1]}"
            what = message("{key} is no key", key=repr(pair[0]))
            raise BadInput(what, where=at, remedy="keys have letters, digits, '-', '_' and '.'")
        if pair[0] in found:
            raise BadInput(message("key {key} is given twice", key=repr(pair[0])), where=where, remedy="keep one")
        found[pair[0]] = pair
    return list(found.values())


def _literal(text: str, where: str, place: Place) -> Pair:
    key, equals, value = text.partition("=")
    if not key or not equals:
        what = message("literal {literal} is no KEY=value", literal=repr(text))
        raise BadInput(what, where=where, remedy="write KEY=value")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return key, value.encode(), place


def _file(text: str, folder: Path, where: str) -> Pair:
    key, equals, name = text.partition("=")
    if not equals:
        key, name = Path(text).name, text
    if not key or not name or "=" in name:
        what = message("file {file} is no FILE and no KEY=FILE", file=repr(text))
        raise BadInput(what, where=where, remedy="write KEY=FILE")
    return key, _read(folder / name, where), (str(folder / name), 0)


def _env_file(file: Path, where: str) -> Iterator[Pair]:
    for number, line in enumerate(_read(file, where).removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        at = f"{file}:{number}"
        try:
            text = line.decode().lstrip()
        except UnicodeDecodeError as error:
            raise BadInput("a line that is no UTF-8 text", where=at, remedy="save the file as UTF-8") from error
        key, _equals, value = text.partition("=")
        if not text or text.startswith("#"):
            continue
        if not _VARIABLE.fullmatch(key):
            raise BadInput(
                message("{name} is no name of a variable", name=repr(key)), where=at, remedy="write NAME=value"
            )
        yield key, value.encode(), (str(file), number)


def _read(file: Path, where: str) -> bytes:
    try:
        with file.open("rb") as opened:
            found = opened.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        what = message("cannot read {path}: {reason}", path=str(file), reason=reason)
        raise BadInput(what, where=where, remedy="add the file, or correct its path") from error
    if len(found) > MAX_BYTES:
        what = message("{path} is larger than {max_bytes} bytes", path=str(file), max_bytes=str(MAX_BYTES))
        raise BadInput(what, where=where, remedy="a ConfigMap holds 1 MiB")
    return found
