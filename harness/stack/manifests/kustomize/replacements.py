"""``replacements``: a value of one resource copied into fields of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.model.message import marked, message
from harness.stack.manifests.kustomize import form, tree
from harness.stack.manifests.kustomize.resource import Resource, Selector
from harness.stack.manifests.kustomize.tree import Map, Place, Seq

_DOT = re.compile(r"(?<!\\)\.")
_LIST_ITEM = re.compile(r"\[([^=\]]*)=(.*)\]")
#: A mapping and its key, or a list and an index.
Field = tuple[Any, Any]


def replace(replacement: form.Replacement, place: Place, resources: list[Resource]) -> None:
    """Copies the value. Raises ``BadInput`` when source or target is not there."""
    where = f"{place[0]}:{place[1]}, replacements"
    if (replacement.source is None) == (replacement.source_value is None) or not replacement.targets:
        raise BadInput("a replacement has a source and targets", where=where, remedy="add source: and targets:")
    if replacement.source_value is not None:
        value: Any = replacement.source_value
    else:
        assert replacement.source is not None  # one of the two
        value, place = _value(replacement.source, resources, where, place)
    for target in replacement.targets:
        for resource in resources:
            if _chosen(target, resource, where):
                for path in target.field_paths:
                    _set(resource, path, target.options, value, place=place, where=where)


def _value(source: form.Source, resources: list[Resource], where: str, place: Place) -> tuple[Any, Place]:
    selector = Selector(
        group=source.group, version=source.version, kind=source.kind, name=source.name, namespace=source.namespace
    )
    found = [each for each in resources if any(selector.exactly(one) for one in each.ids)]
    if len(found) != 1:
        here = ", ".join(dict.fromkeys(each.key for each in resources))
        what = (
            message("the source {selector} is more than one of the resources", selector=str(selector))
            if found
            else message("the source {selector} is not among the resources", selector=str(selector))
        )
        raise BadInput(what, where=where, remedy=message("there are: {names}", names=here))
    node: Any = found[0].body
    for part in split(source.field_path):
        item = _LIST_ITEM.fullmatch(part)
        if isinstance(node, Map) and part in node:
            place, node = node.place(part), node[part]
        elif isinstance(node, Seq) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Seq) and item and any(_is(each, item[1], item[2]) for each in node):
            node = next(each for each in node if _is(each, item[1], item[2]))
        else:
            what = message("{resource} has no {path}", resource=found[0].key, path=source.field_path)
            remedy = message("{part} leads nowhere: correct fieldPath", part=repr(part))
            raise BadInput(what, where=where, remedy=remedy)
    if not source.options.delimiter:
        return node, place
    parts = _text(node, where).split(source.options.delimiter)
    if not 0 <= source.options.index < len(parts):
        what = message(
            "{resource}, {path} has no part {index}",
            resource=found[0].key,
            path=source.field_path,
            index=str(source.options.index),
        )
        raise BadInput(what, where=where, remedy=message("its parts: {parts}", parts=", ".join(parts)))
    return parts[source.options.index], place


def _is(each: Any, name: str, value: str) -> bool:
    return isinstance(each, Map) and str(each.get(name)) == value


def _chosen(target: form.TargetFields, resource: Resource, where: str) -> bool:
    def named(selector: Selector) -> bool:
        is_empty = not any((selector.group, selector.version, selector.kind, selector.name, selector.namespace))
        return not is_empty and any(selector.exactly(one) for one in resource.ids)

    try:
        if not target.select.by_labels(resource):
            return False
        for each in target.reject:
            if (each.label_selector or each.annotation_selector) and each.by_labels(resource):
                return False
            if named(each):
                return False
    except ValueError as error:
        raise BadInput(said_by(error), where=where, remedy="correct the target's selector") from error
    return any(target.select.exactly(one) for one in resource.ids)


def _set(resource: Resource, path: str, options: form.Delimited, value: Any, *, place: Place, where: str) -> None:
    try:
        fields = list(_fields(resource.body, split(path), options.create, place))
    except (ValueError, LookupError) as error:
        what = message("{resource}, {path}: {error}", resource=resource.key, path=path, error=said_by(error))
        raise BadInput(what, where=where, remedy="correct fieldPaths") from error
    if not fields:
        what = message("{resource} has no {path}", resource=resource.key, path=path)
        remedy = marked("correct fieldPaths, or add `options: {create: true}`")
        raise BadInput(what, where=where, remedy=remedy)
    for holder, key in fields:
        there = holder[key]
        new = tree.copied(value)
        if options.delimiter:
            new = _part(_text(there, where), options, _text(value, where))
        if there is not None and not isinstance(there, (Map, Seq)):
            new = _as(there, new)
        if isinstance(holder, Map):
            holder.put(key, new, place)
        else:
            holder[key] = new


def _as(there: Any, new: Any) -> Any:
    """A scalar keeps the type that it has: a number put in the place of a text is text."""
    if isinstance(new, (Map, Seq)) or type(new) is type(there):
        return new
    text = _text(new, "")
    if isinstance(there, str):
        return text
    try:
        return type(there)(text) if not isinstance(there, bool) else {"true": True, "false": False}[text]
    except (ValueError, KeyError):
        return text


def _text(value: Any, where: str) -> str:
    if isinstance(value, (Map, Seq)):
        raise BadInput("a delimiter splits text only", where=where, remedy="name a field that is text")
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _part(text: str, options: form.Delimited, value: str) -> str:
    parts = text.split(options.delimiter)
    if options.index < 0:
        parts.insert(0, value)
    elif options.index >= len(parts):
        parts.append(value)
    else:
        parts[options.index] = value
    return options.delimiter.join(parts)


def split(path: str) -> list[str]:
    """``metadata.annotations.[a.b/c]`` as its parts: dots in brackets, or behind a backslash, do not part."""
    parts: list[str] = []
    for part in _DOT.split(path):
        opened = parts and parts[-1].startswith("[") and not parts[-1].endswith("]")
        if opened:
            parts[-1] = f"{parts[-1]}.{part}"
        else:
            parts.append(part.replace(r"\.", "."))
    return [part if "=" in part or not part.startswith("[") else part.strip("[]") for part in parts]


def _fields(node: Any, parts: list[str], create: bool, place: Place) -> Iterator[Field]:
    """The fields that ``parts`` leads to; what is missing is made with ``create``.

    Raises ``ValueError`` or ``LookupError``.
    """
    part, rest = parts[0], parts[1:]
    for holder, key in _here(node, part, rest, create, place):
        if not rest:
            yield holder, key
        else:
            yield from _fields(holder[key], rest, create, place)


def _here(node: Any, part: str, rest: list[str], create: bool, place: Place) -> Iterator[Field]:
    item = _LIST_ITEM.fullmatch(part)
    if part.isdigit() or (part == "-" and create):
        if not isinstance(node, Seq):
            raise ValueError(message("{part} is an index, and there is no list", part=part))
        index = len(node) if part == "-" else int(part)
        if index == len(node) and create:
            node.append(_made(rest, place))
        if index >= len(node):
            raise LookupError(
                message("there is no element {index}, only {count}", index=str(index), count=str(len(node)))
            )
        yield node, index
    elif item is not None:
        if not isinstance(node, Seq):
            raise ValueError(message("{part} names an element, and there is no list", part=part))
        yield from _named(node, item[1], item[2], create, place)
    elif part == "*":
        if not isinstance(node, Seq):
            raise ValueError(marked("* stands for the elements of a list, and there is none"))
        yield from ((node, index) for index in range(len(node)))
    elif isinstance(node, Map):
        if part not in node and create:
            node.put(part, _made(rest, place), place)
        if part in node:
            yield node, part
    else:
        raise ValueError(message("{part} is a key, and there is no mapping", part=part))


def _named(node: Seq, name: str, pattern: str, create: bool, place: Place) -> Iterator[Field]:
    try:
        sought = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            message("{pattern} is no pattern: {error}", pattern=repr(pattern), error=str(error))
        ) from error
    found = False
    for index, each in enumerate(node):
        value = each.get(name) if isinstance(each, Map) else each if not name else None
        if value is not None and sought.search(_text(value, "")):
            found = True
            yield node, index
    if not found and create:
        node.append(Map(place, [(name, pattern)]) if name else pattern)
        yield node, len(node) - 1


def _made(rest: list[str], place: Place) -> Any:
    """What a missing field is made as: what leads on, or an absent value that the replacement fills."""
    if not rest:
        return None
    return Seq(place) if rest[0].isdigit() or rest[0].startswith("[") or rest[0] == "-" else Map(place)
