"""Risks that a folder carries as it is, with file and line: told in the report, never a reason to refuse it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from harness.model.manifests import ManifestWarning
from harness.model.message import message
from harness.stack.manifests.folder import Folder, at, listed, tag_of
from harness.stack.manifests.kustomize import Rendered

#: What a shell would put in; Kubernetes and kustomize hand it on as it stands. ``$(NAME)`` is Kubernetes' own.
_SHELL = re.compile(r"\$\{[A-Za-z_]\w*[^}\n]*\}|\$\([^()\n]*[ /|][^()\n]*\)|`[^`\n]+`")
_REFERENCE = re.compile(r"\$\([A-Za-z_][\w.-]*\)")


def warnings(rendered: Rendered, folder: Folder) -> tuple[ManifestWarning, ...]:
    """What is to be told of the folder."""
    return (*_passed_over(rendered), *_images(folder), *_shell(folder), *_secrets(folder))


def _passed_over(rendered: Rendered) -> Iterator[ManifestWarning]:
    for note in rendered.notes:
        if note.nothing_changed:
            told = message("the patch {name} changes nothing: its target selects no resource", name=note.name)
            yield ManifestWarning(told=told, file=str(rendered.layers[-1].file))


def _images(folder: Folder) -> Iterator[ManifestWarning]:
    for each in folder.containers():
        if each.image and tag_of(each.image) in ("", "latest"):
            file, line = folder.place(each.key, *each.path, "image")
            told = message("container {name} of {resource} runs {image}, which names no version", name=each.name,
                           resource=each.key, image=each.image)  # fmt: skip
            yield ManifestWarning(told=told, file=file, line=line)


def _shell(folder: Folder) -> Iterator[ManifestWarning]:
    for kind in ("ConfigMap", "Secret"):
        for key, document in folder.of_kind(kind):
            for holder in ("data", "stringData"):
                for name, value in (at(document, holder) or {}).items():
                    literal = kind == "ConfigMap" or holder == "stringData"
                    text = _decoded(value, literal)
                    if "\n" not in text.strip() and (found := _SHELL.search(text) or _REFERENCE.search(text)):
                        file, line = folder.place(key, holder, name)
                        told = message("{name} of {resource} is the text {words}: nobody puts a value in its place",
                                       name=name, resource=key, words=found[0])  # fmt: skip
                        yield ManifestWarning(told=told, file=file, line=line)
    for each in folder.containers():
        for index, variable in enumerate(listed(each.says.get("env"))):
            found = _SHELL.search(str(variable.get("value", "")))
            if found is not None:
                file, line = folder.place(each.key, *each.path, "env", index, "value")
                told = message("{name} of {resource} is the text {words}: nobody puts a value in its place",
                               name=str(variable.get("name")), resource=each.key, words=found[0])  # fmt: skip
                yield ManifestWarning(told=told, file=file, line=line)


def _decoded(value: Any, literal: bool) -> str:
    if literal:
        return str(value)
    try:
        return base64.b64decode("".join(str(value).split()), validate=True).decode()
    except ValueError:
        return ""


def _secrets(folder: Folder) -> Iterator[ManifestWarning]:
    for key, document in folder.of_kind("Secret"):
        names = [*(at(document, "data") or {}), *(at(document, "stringData") or {})]
        if names:
            holder = "data" if at(document, "data") else "stringData"
            file, line = folder.place(key, holder, names[0])
            told = message("{resource} stands in the folder in plain text: {keys}", resource=key, keys=", ".join(names))
            yield ManifestWarning(told=told, file=file, line=line)
