"""The locks: each has what the one before it has; what a run on this machine's processes imports is in the smallest; and
what the levels cost, which README and the doctor tell."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from harness.base import bootstrap
from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.stack.firebase import commands
from harness.stack.kind.images import recipes
from harness.stack.local import postgres_programs
from tests.imports import imports
from tests.session import locks

LOCAL_MIB, WITH_NODE_MIB = 560, 800  # the most that a week of the rollout on `local` may install, Node at hand or not
NPM_MIB = commands.TREE.mib + postgres_programs.TREE.mib
BARE_MIB = 20  # of an environment with pip alone
CLUSTER = ("harness.stack.kind", "harness.stack.kube", "harness.stack.kubernetes")
#: What every run calls of the cluster's folders: what killed runs left is looked for whatever the environment.
ENGINE = "harness.stack.kind.docker"  # which sweeps ask, functions and all
#: What goes on in an environment that has more: ``conformance --fuzz``, and the maintainers' ``nox -s messages``.
OF_A_PART = ("harness.rehearsals.conformance.fuzz_hooks", "harness.cli.messages")
SWEEPS = ("harness.stack.kind.orphans", "harness.stack.kind.keeper", "harness.stack.kind.at_hand")


def pins(level: str) -> dict[str, str]:
    """Each entry's name and version to its hashes."""
    entries = re.findall(r"^([a-z0-9].*?) \\\n((?:    --hash.*\n?)+)", bootstrap.lock(level).read_text(), re.MULTILINE)
    return {head.partition(" ;")[0]: hashes for head, hashes in entries}


def names(level: str) -> set[str]:
    return {Requirement(head).name for head in pins(level)}


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(bootstrap.LEVELS)))
def test_each_level_has_all_of_the_one_before_it_at_the_same_versions(smaller: str, larger: str) -> None:
    few, many = pins(smaller), pins(larger)
    assert few.keys() < many.keys()
    assert all(set(hashes.split()) <= set(many[head].split()) for head, hashes in few.items())


@pytest.mark.parametrize("level", [*bootstrap.LEVELS, *bootstrap.PARTS, *locks.PROGRAMS])
def test_a_lock_has_hashes_and_no_address(level: str) -> None:
    text = bootstrap.lock(level).read_text()
    assert len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) == len(pins(level))
    assert "://" not in text and "index-url" not in text


@pytest.mark.parametrize(("level", "lacks"), [("run", "node"), ("node", "kind"), ("kind", "dev")])
def test_what_tells_a_level_is_in_no_lower_one(level: str, lacks: str) -> None:
    found = distributions(bootstrap.LEVELS[lacks].probe)
    assert found <= names(lacks) and not found & names(level)


# -- imports -----------------------------------------------------------------------------------------------------------


@cache
def by_module() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def distributions(module: str) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in by_module().get(module, [])}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for folder in ("harness", "api", "chaos"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def of_a_cluster(name: str) -> bool:
    return any(name == folder or name.startswith(folder + ".") for folder in CLUSTER)


def reached(roots: list[str], *, at_once: bool = False) -> dict[str, set[str]]:
    """Every package from elsewhere that is imported, with who imports it. A cluster's modules count by what they import
    at once: what their functions import is for who has a cluster. With ``at_once`` all do."""
    return walked(roots, at_once=at_once)[1]


def walked(roots: list[str], *, at_once: bool = False) -> tuple[set[str], dict[str, set[str]]]:
    """Our modules as well."""
    outside: dict[str, set[str]] = {}
    seen, queue = set(roots), list(roots)
    while queue:
        name = queue.pop()
        for each in imports(modules()[name]):
            wanted, late = each.whole, each.late
            if late and (at_once or (name != ENGINE and (of_a_cluster(name) or of_a_cluster(wanted)))):
                continue
            ours = next((found for found in (wanted, wanted.rpartition(".")[0]) if found in modules()), None)
            if ours is None and wanted.partition(".")[0] not in sys.stdlib_module_names | {"__future__"}:
                outside.setdefault(wanted.partition(".")[0], set()).add(name)
            elif ours is not None and ours not in seen:
                seen.add(ours)
                queue.append(ours)
    return seen, outside


def test_what_a_local_run_imports_is_in_the_lock_of_run() -> None:
    locked = names("run")
    found = reached([*(name for name in modules() if not of_a_cluster(name) and name not in OF_A_PART), *SWEEPS])
    lacking = {module: sorted(by) for module, by in found.items() if not distributions(module) & locked}
    assert lacking == {}
    assert {"asyncpg", "docker", "fastapi", "locust", "msgspec"} <= found.keys()


def test_the_walk_finds_a_package_of_a_higher_level() -> None:
    """Without this the test above could be green because it sees nothing."""
    found = reached(["harness.stack.kube.tunnel_process"])
    assert not distributions("kubernetes") & names("run")
    assert found["kubernetes"] == {"harness.stack.kubernetes.port_forward"}


def test_what_is_imported_before_the_environment_is_there_is_the_standard_library() -> None:
    """By ``noxfile.py`` and ``python3 -m harness``, which any Python begins."""
    assert reached(["harness.base.bootstrap", "harness.cli.main"], at_once=True) == {}
    assert "msgspec" in reached(["harness.base.message"], at_once=True)


@pytest.mark.parametrize("part", bootstrap.PARTS)
def test_a_part_agrees_with_the_tests_environment_and_no_run_has_what_tells_it(part: str) -> None:
    few, many = pins(part), pins("dev")
    assert few.keys() <= many.keys() and len(few) > 0
    assert distributions(bootstrap.PARTS[part].probe) <= names(part) and not (
        distributions(bootstrap.PARTS[part].probe) & names("run")
    )


def test_what_the_api_imports_is_in_its_image() -> None:
    inside = set(locks.closure(locks.IMAGES["api"]))
    found = reached([name for name in modules() if name.partition(".")[0] == "api"])
    assert {module for module in found if not distributions(module) & inside} == set()
    assert {"h11", "prometheus_client", "uvicorn"} <= found.keys()


def test_what_the_load_s_processes_import_is_in_their_image() -> None:
    ours, found = walked(["harness.load.agent_main", "harness.load.locust_main", "harness.load.stages.worker_main"])
    inside = set(locks.closure(locks.IMAGES["load"]))
    assert {module for module in found if not distributions(module) & inside} == set()
    parts = [ROOT / part.at for part in recipes.load(MachineClock()).parts]
    files = [modules()[name] for name in ours]
    assert [path for path in files if not any(path.is_relative_to(part) for part in parts)] == []
    assert {"gevent", "locust", "psutil"} <= found.keys()


@pytest.mark.parametrize("image", locks.IMAGES)
def test_an_image_has_what_the_locks_say(image: str) -> None:
    assert locks.of_image(image).read_text() == locks.locked(locks.closure(locks.IMAGES[image])), "nox -s lock"


def test_what_a_cluster_imports_is_in_the_lock_of_kind() -> None:
    locked = names("kind")
    wanted = {each.whole for name, path in modules().items() if name not in OF_A_PART for each in imports(path)}
    found = {
        name.partition(".")[0] for name in wanted if name not in modules() and name.rpartition(".")[0] not in modules()
    }
    assert [each for each in found - sys.stdlib_module_names - {"__future__"} if not distributions(each) & locked] == []


# -- sizes -------------------------------------------------------------------------------------------------------------


@cache
def installed() -> dict[str, int]:
    """The bytes of each installed package, by its record, which names each file's size."""
    return {
        re.sub(r"[-_.]+", "-", each.name).lower(): sum(file.size or 0 for file in each.files or ())
        for each in metadata.distributions()
    }


def mib(level: str) -> float:
    wanted = names(level)
    return sum(size for name, size in installed().items() if name in wanted) / 2**20 + BARE_MIB


@pytest.mark.parametrize("level", bootstrap.LEVELS)
def test_the_size_that_is_told_is_the_size(level: str) -> None:
    """The disk rounds each file up to its blocks: some 8 %."""
    assert 0.85 * bootstrap.LEVELS[level].mib < mib(level) < 1.05 * bootstrap.LEVELS[level].mib


def test_the_main_job_installs_no_more_than_it_may() -> None:
    assert bootstrap.LEVELS["run"].mib + NPM_MIB <= LOCAL_MIB
    assert bootstrap.LEVELS["node"].mib + NPM_MIB <= WITH_NODE_MIB


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_readme_says_how_much(readme: str) -> None:
    text = (ROOT / readme).read_text()
    for level in ("run", "node"):
        assert f"{bootstrap.LEVELS[level].mib + NPM_MIB} MiB" in text
    options = (ROOT / ("docs/ja/options.md" if readme.endswith(".ja.md") else "docs/options.md")).read_text()
    for level in ("kind", "dev"):
        assert f"{bootstrap.LEVELS[level].mib} MiB" in options
