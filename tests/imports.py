"""What a module of the repository imports, read once a process: several tests follow it through all of the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

#: The fields of a syntax node that hold statements, or what holds some.
_STATEMENTS = ("body", "orelse", "handlers", "finalbody", "cases")


class Imported(NamedTuple):
    """``name`` of ``module`` ("" for ``import module``); ``late``: only when a function runs."""

    module: str
    name: str
    late: bool

    @property
    def whole(self) -> str:
        """Both: the name may be a module or something in one."""
        return f"{self.module}.{self.name}" if self.name else self.module


@cache
def imports(path: Path) -> tuple[Imported, ...]:
    """In the order of a walk. What types alone need is left out."""
    return tuple(_imported(ast.parse(path.read_text("utf-8"))))


def _imported(parent: ast.AST, *, inside: bool = False) -> Iterator[Imported]:
    """Imports are statements: what is no statement is not looked into."""
    for node in chain.from_iterable(getattr(parent, each, ()) for each in _STATEMENTS):
        if isinstance(node, ast.Import):
            yield from (Imported(alias.name, "", inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Imported(node.module or "", alias.name, inside) for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _imported(node, inside=inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
