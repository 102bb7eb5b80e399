"""The source of a checkout as its syntax trees: modules, classes with their fields, what a name in a module means.

Nothing is imported, so that any commit can be counted, also one whose packages are not installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

#: The package that is counted.
PACKAGE = "harness"


@dataclass(frozen=True, eq=False)
class Class:
    """A class as it is written. ``fields`` are its own annotated ones: name and annotation."""

    module: Module
    node: ast.ClassDef

    @property
    def place(self) -> str:
        """Where it stands, for a person: ``harness/model/judgement.py:37 CriterionResult``."""
        return f"{self.module.path}:{self.node.lineno} {self.node.name}"

    @cached_property
    def fields(self) -> dict[str, ast.expr]:
        """The annotated names of its body."""
        return {
            each.target.id: each.annotation
            for each in self.node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        }

    @cached_property
    def values(self) -> list[str]:
        """The texts that are assigned in its body: the members of an enum."""
        return [
            each.value.value
            for each in self.node.body
            if isinstance(each, ast.Assign)
            and isinstance(each.value, ast.Constant)
            and isinstance(each.value.value, str)
        ]

    @property
    def methods(self) -> set[str]:
        """The names of its functions."""
        return {each.name for each in self.node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}

    @property
    def data(self) -> bool:
        """Whether it says itself that it is a record: a dataclass, or a msgspec struct."""
        return any("dataclass" in ast.unparse(each) for each in self.node.decorator_list) or any(
            ast.unparse(base).endswith("Struct") for base in self.node.bases
        )


@dataclass(frozen=True, eq=False)
class Module:
    """A module. ``path`` is relative to the checkout, with ``/``; ``name`` is dotted."""

    path: str
    name: str
    text: str
    package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def inside(self) -> list[tuple[ast.AST, ast.AST]]:
        """Every node with the innermost function it stands in (the module outside of all); a function in itself."""
        found: list[tuple[ast.AST, ast.AST]] = []
        waiting: list[tuple[ast.AST, ast.AST]] = [(self.tree, self.tree)]
        while waiting:
            function, node = waiting.pop()
            inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if not isinstance(node, ast.Name | ast.Constant | ast.expr_context):
                found.append((inner, node))
                waiting += [(inner, child) for child in ast.iter_child_nodes(node)]
        return found

    @cached_property
    def lines(self) -> int:
        """How many lines it has."""
        return self.text.count("\n")

    @cached_property
    def classes(self) -> dict[str, Class]:
        """Its classes by name."""
        return {each.name: Class(self, each) for _, each in self.inside if isinstance(each, ast.ClassDef)}

    @cached_property
    def imported(self) -> dict[str, tuple[str, str]]:
        """What a name that was imported means: the module, and the name in it ("" for the module itself)."""
        found: dict[str, tuple[str, str]] = {}
        for _, node in self.inside:
            if isinstance(node, ast.ImportFrom):
                base = self._from(node)
                found.update({each.asname or each.name: (base, each.name) for each in node.names})
            elif isinstance(node, ast.Import):
                found.update({each.asname or each.name: (each.name, "") for each in node.names})
        return found

    def _from(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.package]
        return ".".join([*parts, *([node.module] if node.module else [])])


@dataclass(frozen=True, eq=False)
class Source:
    """A checkout's modules of ``PACKAGE`` by their dotted names."""

    root: Path
    modules: dict[str, Module] = field(default_factory=dict)

    @cached_property
    def classes(self) -> list[Class]:
        """All classes, in the order of their places."""
        return [each for module in self.modules.values() for each in module.classes.values()]

    def methods(self, of: Class) -> set[str]:
        """The names of its functions and of those that it has from classes of ours."""
        return of.methods.union(*map(self.methods, self.bases(of)))

    def meant(self, module: Module, name: str) -> Class | None:
        """The class that ``name`` means in ``module``; ``None`` when it is none of ours."""
        if name in module.classes:
            return module.classes[name]
        base, original = module.imported.get(name, ("", ""))
        other = self.modules.get(base)
        if other is None or other is module:
            return None
        return other.classes.get(original) or (self.meant(other, original) if original in other.imported else None)

    def named_in(self, module: Module, annotation: ast.expr) -> Iterator[Class]:
        """Our classes that an annotation names, in quotes too."""
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from self.named_in(module, ast.parse(node.value, mode="eval").body)
            elif isinstance(node, ast.Name) and (found := self.meant(module, node.id)) is not None:
                yield found

    def bases(self, of: Class) -> list[Class]:
        """Its direct bases that are ours."""
        return [
            found
            for base in of.node.bases
            for node in [base.value if isinstance(base, ast.Subscript) else base]
            if isinstance(node, ast.Name) and (found := self.meant(of.module, node.id)) is not None and found is not of
        ]

    def ancestry(self, of: Class) -> list[Class]:
        """The class itself and all of ours that it inherits from."""
        return [of, *(each for base in self.bases(of) for each in self.ancestry(base))]

    def record(self, of: Class) -> bool:
        """Whether it is a record: a dataclass or a struct, by itself or by what it inherits from."""
        return any(each.data for each in self.ancestry(of))

    def fields(self, of: Class) -> dict[str, tuple[Class, ast.expr]]:
        """Its fields, inherited ones too: the class that has it, and the annotation."""
        return {name: (each, said) for each in reversed(self.ancestry(of)) for name, said in each.fields.items()}


def read(root: Path) -> Source:
    """The checkout at ``root``."""
    source = Source(root)
    for path in sorted((root / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root)
        parts = relative.with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        source.modules[name] = Module(relative.as_posix(), name, path.read_text("utf-8"), package)
    return source
