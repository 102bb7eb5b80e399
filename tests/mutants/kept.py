"""What is known of each function's mutants, and the score that it makes."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("kept.json")
REASONS = Path(__file__).with_name("reasons.json")
#: What is measured together, by the functions' full names.
PACKAGES = {
    "harness.control": re.compile(r"harness\.control\."),
    "harness.rules": re.compile(r"harness\.rules\.(?!objectives\.)"),
    "harness.checks": re.compile(r"harness\.checks\.(?!contract\.)"),
}
#: The tests in process that the rules' functions may be reached by.
TESTS = (
    "rules", "control", "checks", "alert_drill", "chaos", "conformance/test_grades.py",
    "corpus/test_today.py", "cost", "deploys", "flag_proof", "infrastructure", "migration", "mirror_stop", "network",
    "one_stack", "operations", "reconcile", "recovery", "rollout", "runbooks", "scaling", "secret_rotation",
    "security/test_judge.py", "stages", "stored", "test_invariants.py",
)  # fmt: skip
#: How a mutant ended for which no test was run, and how that is kept: by which tests there were to choose from.
NO_TESTS = "no tests"
BY_NONE = f"{NO_TESTS} of {hashlib.sha256(' '.join(TESTS).encode()).hexdigest()[:8]}"
#: The tests noticed these; a mutant that never ends is noticed by its time limit.
NOTICED = frozenset({"killed", "timeout"})


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """Of one function's ``mutants``, those that no test noticed: the mutant's number and how it ended."""

    digest: str
    mutants: int
    left: dict[str, str] = {}


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Of a package. ``percent`` is noticed of all that are not excluded; ``None`` where nothing was measured."""

    functions: int
    unmeasured: int
    mutants: int
    noticed: int
    excluded: int
    percent: float | None


class Kept(msgspec.Struct, kw_only=True):
    """The file: scores by package when it was written, and every function that was measured, as it was then."""

    mutmut: str = ""
    scores: dict[str, Score] = {}
    functions: dict[str, Function] = {}


def read(file: Path = FILE) -> Kept:
    """Raises ``msgspec.DecodeError`` when it is of another form."""
    return msgspec.json.decode(file.read_bytes(), type=Kept) if file.exists() else Kept()


def write(kept: Kept, file: Path = FILE) -> None:
    """In the order of the names, so that two machines' files can be merged."""
    kept.functions = dict(sorted(kept.functions.items()))
    file.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")


def reasons(file: Path = REASONS) -> dict[str, str]:
    """Why a mutant, ``FUNCTION:NUMBER``, is excluded: it changes nothing that anybody promised."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str])


def write_reasons(excluded: Mapping[str, str], file: Path = REASONS) -> None:
    """As they are read."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(excluded)) + b"\n")


def digests(root: Path = ROOT) -> dict[str, str]:
    """Of each function and method of the packages, as it is now; comments and layout do not count."""
    found = {}
    for module, path in modules(root).items():
        for name, node in _functions(ast.parse(path.read_text())):
            found[f"{module}.{name}"] = hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:16]
    return found


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The files of the packages, by their modules' names."""
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((root / "harness").rglob("*.py"))
    }
    return {module: path for module, path in found.items() if package_of(module + ".")}


def package_of(name: str) -> str:
    """Which of ``PACKAGES`` a function belongs to; "" for none of them."""
    return next((package for package, names in PACKAGES.items() if names.match(name)), "")


def moved(kept: Kept, now: Mapping[str, str]) -> dict[str, str]:
    """Today's name by the kept one, of functions that went to another module as they were. Where two could be it,
    neither is.
    """
    fresh: dict[tuple[str, str], list[str]] = {}
    for name in now.keys() - kept.functions.keys():
        fresh.setdefault((name.rpartition(".")[2], now[name]), []).append(name)
    found: dict[str, str] = {}
    for name in kept.functions.keys() - now.keys():
        if len(to := fresh.pop((name.rpartition(".")[2], kept.functions[name].digest), [])) == 1:
            found[name] = to[0]
    return found


def follow(kept: Kept, excluded: Mapping[str, str], moves: Mapping[str, str]) -> dict[str, str]:
    """Renames the functions that moved in ``kept``, and returns ``excluded`` with their new names."""
    kept.functions = {moves.get(name, name): each for name, each in kept.functions.items()}
    renamed = {}
    for mutant, reason in excluded.items():
        name, _, number = mutant.rpartition(":")
        renamed[f"{moves.get(name, name)}:{number}"] = reason
    return dict(sorted(renamed.items()))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{each.name}", each


def measured(kept: Kept, now: Mapping[str, str]) -> dict[str, Function]:
    """The functions whose kept result is of today's code, but those for which no test was run when there were others to
    choose from: of them nothing is known.
    """
    found = {name: each for name, each in kept.functions.items() if now.get(name) == each.digest}
    return {name: each for name, each in found.items() if not any(map(_by_others, each.left.values()))}


def _by_others(how: str) -> bool:
    return how.startswith(NO_TESTS) and how != BY_NONE


def scores(kept: Kept, now: Mapping[str, str], excluded: Mapping[str, str]) -> dict[str, Score]:
    """By package, of what is measured as it is now."""
    valid = measured(kept, now)
    return {package: _score(package, valid, now, excluded) for package in PACKAGES}


def _score(package: str, valid: Mapping[str, Function], now: Mapping[str, str], excluded: Mapping[str, str]) -> Score:
    names = [name for name in now if package_of(name) == package]
    known = {name: valid[name] for name in names if name in valid}
    mutants = sum(each.mutants for each in known.values())
    left = [f"{name}:{number}" for name, each in known.items() for number in each.left]
    out = sum(mutant in excluded for mutant in left)
    noticed = mutants - len(left)
    return Score(
        functions=len(names),
        unmeasured=len(names) - len(known),
        mutants=mutants,
        noticed=noticed,
        excluded=out,
        percent=round(100.0 * noticed / (mutants - out), 1) if mutants > out else None,
    )


def lines(kept: Kept, now: Mapping[str, str], excluded: Mapping[str, str]) -> list[str]:
    """For people: the scores, and each survivor that no reason excludes."""
    told = []
    for package, score in scores(kept, now, excluded).items():
        percent = "not measured" if score.percent is None else f"{score.percent:.1f} %"
        told.append(
            f"{package}: {percent}; {score.noticed} of {score.mutants} mutants noticed, {score.excluded} excluded with "
            f"a reason; {score.unmeasured} of {score.functions} functions unmeasured or changed since"
        )
    for name, each in sorted(measured(kept, now).items()):
        told += [f"  {name}:{n} {how}" for n, how in each.left.items() if f"{name}:{n}" not in excluded]
    return told
