"""What is counted, each by a rule that reads the source and knows no module by its name.

Every count gives the places that it counted, so that a person sees what would have to go.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.shape.source import PACKAGE, Class, Module, Source

#: Fields that say which claim or thing a verdict is about, and those that say why it is so.
_ABOUT = frozenset({"claim", "id", "name", "check"})
_WHY = frozenset({"reason", "detail", "told"})
MOST_LINES = 600
#: What a tool names its statuses to: a command that judges no rehearsal.
_OF_TOOLS = "tool_status"


def verdict_enums(source: Source) -> list[Class]:
    """Enums with a member ``pass`` or ``passed``, and at least two others."""
    return [
        each
        for each in source.classes
        if any("Enum" in ast.unparse(base) for base in each.node.bases)
        and len(each.values) >= 3
        and {"pass", "passed"} & set(each.values)
    ]


def verdict_shapes(source: Source) -> list[Class]:
    """Records that hold a claim and what became of it: a verdict, what it is about, and why it is so."""
    enums = set(verdict_enums(source))
    found = []
    for each in source.classes:
        if not source.record(each):
            continue
        fields = source.fields(each)
        if not (_ABOUT & set(fields) and _WHY & set(fields)):
            continue
        if any(enums & set(source.named_in(of.module, said)) for of, said in fields.values()):
            found.append(each)
    return found


def result_documents(source: Source) -> list[Class]:
    """Records that are published as a run's result: a version of their schema, the exit status, and how to replay it
    (itself, or in a record that is one of its fields). A base that several extend is none itself.
    """
    records = [each for each in source.classes if source.record(each)]
    extended = [base for each in records for base in source.bases(each)]
    found = []
    for each in records:
        fields = source.fields(each)
        if not {"schema_version", "exit_status"} <= set(fields) or extended.count(each) > 1:
            continue
        parts = [part for of, said in fields.values() for part in source.named_in(of.module, said)]
        if "replay" in fields or any("replay" in source.fields(part) for part in parts if source.record(part)):
            found.append(each)
    return found


def option_classes(source: Source) -> list[Class]:
    """Records named ``Options`` or ``...Options`` that have a seed: what a command was asked for."""
    named = [each for each in source.classes if source.record(each) and each.node.name.endswith("Options")]
    return [each for each in named if "seed" in source.fields(each)]


def exit_rules(source: Source) -> list[str]:
    """Functions that say in which exit status something ends: those whose answer is some document's ``exit_status=``
    (given there itself, by a name or by a call, however wrapped) and that weigh outcomes by ``more_severe``; and those
    that choose between statuses, in an expression or by what they return.

    A tool judges no rehearsal: it names what each finding ends in to ``tool_status``, which is a rule anywhere else.
    """
    found: dict[str, None] = {}
    for module in source.modules.values():
        for function, node in module.inside:
            if _chooses(node) or (function is node and len(_returned(node)) > 1):
                found[_place(module, function)] = None
            if not isinstance(node, ast.Call):
                continue
            if _called(node) == _OF_TOOLS and room(module.name) != "cli":
                found[_place(module, function)] = None
            for given in node.keywords:
                if given.arg == "exit_status":
                    found |= dict.fromkeys(_weighed(source, module, function, given.value, set()))
    return sorted(found)


def admissions(source: Source) -> list[str]:
    """Places that start a load and wait until its users are admitted: who drives one. What a load is made of, its
    environment says (processes, the harness' own loop), and whoever drives it does not ask.
    """
    return [
        f"{module.path}:{node.lineno}"
        for module in source.modules.values()
        for _, node in _calls(module)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "admitted"
    ]


def loose_modules(source: Source) -> list[str]:
    """Modules beside the folders of the package, other than the program itself."""
    return [
        module.path
        for name, module in source.modules.items()
        if name.count(".") == 1 and not module.package and not name.endswith(".__main__")
    ]


def names_twice(source: Source) -> list[str]:
    """Public class names that stand for more than one class."""
    places: dict[str, list[str]] = {}
    for each in source.classes:
        if not each.node.name.startswith("_"):
            places.setdefault(each.node.name, []).append(each.place)
    return [f"{name}: {', '.join(of)}" for name, of in sorted(places.items()) if len(of) > 1]


def long_modules(source: Source) -> list[str]:
    """Modules above ``MOST_LINES`` lines."""
    return [f"{each.path}: {each.lines}" for each in source.modules.values() if each.lines > MOST_LINES]


def room(name: str) -> str:
    """The folder (or loose module) right below the package that a module lies in; "" for the package itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == PACKAGE else ""


def _calls(module: Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Every call, with the innermost function it stands in."""
    return ((function, node) for function, node in module.inside if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _weighs(function: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) and _called(each) == "more_severe" for each in ast.walk(function))


def _weighed(source: Source, module: Module, function: ast.AST, said: ast.expr, seen: set[ast.AST]) -> Iterator[str]:
    """Where what an expression in ``function`` says was weighed: through the names that it was given, and calls."""
    for node in ast.walk(said):
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, ast.Name):
            for given in _given(function, node.id):
                yield from _weighed(source, module, function, given, seen)
        elif isinstance(node, ast.Call) and _called(node) == "more_severe":
            yield _place(module, function)
        elif isinstance(node, ast.Call) and _called(node) != _OF_TOOLS:
            where, rule = _function(source, module, node) or (module, None)
            if rule is not None and _weighs(rule):
                yield _place(where, rule)
            for answer in _answers(rule):
                yield from _weighed(source, where, rule or function, answer, seen)


def _given(function: ast.AST, name: str) -> Iterator[ast.expr]:
    """What a local name of a function is given."""
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if isinstance(value, ast.expr) and any(isinstance(each, ast.Name) and each.id == name for each in targets):
                yield value


def _answers(function: ast.AST | None) -> list[ast.expr]:
    """What a function returns, but for what it makes of an exception."""
    found, waiting = [], list(ast.iter_child_nodes(function)) if function is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            found.append(node.value)
        if not isinstance(node, ast.ExceptHandler | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def _status(node: ast.expr) -> str:
    """The exit status that is written there, such as ``Exit.HOLD``, as a number too; "" where none is."""
    if isinstance(node, ast.Call) and _called(node) == "int" and node.args:
        return _status(node.args[0])
    named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Exit"
    return ast.unparse(node) if named else ""


def _chooses(node: ast.AST) -> bool:
    return isinstance(node, ast.IfExp) and bool(_status(node.body) and _status(node.orelse))


def _returned(function: ast.AST) -> set[str]:
    """The statuses that a function returns as they are written."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    return {status for each in _answers(function) if (status := _status(each))}


def _function(source: Source, module: Module, call: ast.Call) -> tuple[Module, ast.AST] | None:
    """The function that is called, where it is one of this module (a method too) or imported from one of ours."""
    name = _called(call)
    base, original = module.imported.get(name, ("", ""))
    for where, wanted in ((module, name), (source.modules.get(base), original)):
        if where is None:
            continue
        for _, node in where.inside:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == wanted:
                return where, node
    return None


def _place(module: Module, node: ast.AST) -> str:
    return f"{module.path}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', '')}".rstrip()
