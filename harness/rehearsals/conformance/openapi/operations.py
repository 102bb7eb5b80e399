"""The contract's operations in a team's file: by method and shape of the path, whatever names and servers it has."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from harness.base.yamltext import Path_
from harness.rehearsals.conformance.openapi.file import OpenApiFile

#: Name, method, path with each parameter as {}.
SHAPES = {
    "list": ("get", "/v1/walks"),
    "create": ("post", "/v1/walks"),
    "get": ("get", "/v1/walks/{}"),
    "put": ("put", "/v1/walks/{}"),
    "delete": ("delete", "/v1/walks/{}"),
}
_PARAMETER = re.compile(r"\{[^/}]*\}")
_VERSION = re.compile(r"/v(\d+)/")


class OpenApiOperation(msgspec.Struct, frozen=True):
    """One of ``SHAPES`` in the file: where it stands, and its whole path, the server's own before it."""

    name: str
    path: Path_
    whole: str


def operations(file: OpenApiFile) -> dict[str, OpenApiOperation]:
    """Those that the file has, by name. Of several that fit, the one at the contract's own path, then of version 1."""
    found: dict[str, list[OpenApiOperation]] = {}
    for written, given in (file.data.get("paths") or {}).items():
        item, _ = file.followed(given, ("paths", written))
        whole = _PARAMETER.sub("{}", f"{_server(file, item)}/{written.strip('/')}")
        for name, (method, shape) in SHAPES.items():
            end = shape.removeprefix("/v1")
            if isinstance(item, dict) and method in item and (whole == shape or whole.endswith(end)):
                found.setdefault(name, []).append(OpenApiOperation(name, ("paths", written, method), whole))
    return {name: min(each, key=_distance) for name, each in found.items()}


def _distance(one: OpenApiOperation) -> tuple[bool, bool, int]:
    version = _VERSION.search(f"{one.whole}/")
    return one.whole != SHAPES[one.name][1], version is not None and version[1] != "1", len(one.whole)


def _server(file: OpenApiFile, item: Any) -> str:
    servers = (item.get("servers") if isinstance(item, dict) else None) or file.data.get("servers") or [{"url": "/"}]
    url = str(servers[0].get("url", "/"))
    for name, variable in (servers[0].get("variables") or {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return urlsplit(url).path.rstrip("/")
