"""The scaffold: what every rehearsal needs and none is about. Counted in lines, as ``wc -l`` does, blank ones too.

Frames that run one, commands, reports, types of plans and results, loaders, engines of load, the import contracts and
the JSON Schemas. A kind names files by what they are called, wherever they lie, and the folders that are scaffold
whole; in those, what is left out is listed and anything new counts. ``*`` stands for folders too. Names of files that
are gone stay: by them the counter gives the figures of the tree before its moves, and none of them comes back unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

#: Where files are looked for.
_PLACES = ("harness/**/*.py", "harness/**/*.j2", "harness/**/*.schema.json", "scenarios/*.py", "noxfile.py")
#: A folder's own marker is no scaffold, and Kubernetes' rules have names of their own (a rollout, its progress).
_NEVER = (
    "*/__init__.py", "harness/control/*", "harness/stack/*", "harness/judge/*",
    "harness/rehearsals/*/*/*",  # what a rehearsal is about has folders of its own
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of scaffold: the patterns of its files, and of those that look like one and are not."""

    name: str
    files: tuple[str, ...]
    but: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        """Whether a file, relative to the checkout, is one of them."""
        return _any(path, self.files) and not _any(path, (*_NEVER, *self.but))


KINDS = (
    Kind(
        "run frames",
        (
            "harness/run.py", "harness/rollout.py", "harness/stack_run.py", "harness/*under_load.py",
            "harness/*lifecycle.py", "harness/*collect.py", "harness/*collector.py", "harness/*progress.py",
            "harness/*standing.py", "harness/*/flow.py", "harness/*/night.py", "harness/rehearsals/*/week.py",
            "harness/rehearsals/*/rehearsal.py", "harness/rehearsal/*",
        ),
    ),
    Kind(
        "commands",
        (
            "harness/cli/main.py", "harness/*/command.py", "harness/*/rolling.py", "harness/*/undo.py",
            "harness/rollout_command.py", "harness/cli/stack_command.py", "harness/rehearsal/own_cluster.py", "harness/options.py",
            "harness/rehearsals/*/options.py", "harness/cli/*", "noxfile.py",
        ),
        # What stored runs are judged and compared by, and tools that rehearse nothing.
        ("harness/model/*", "harness/cli/stored/*", "harness/cli/doctor.py", "harness/cli/machine.py", "harness/cli/cluster.py",
         "harness/cli/completion.py", "harness/cli/bootstrap.py", "harness/cli/messages.py",
         "harness/rehearsal/*"),
    ),
    Kind(
        "reports",
        (
            "harness/report/*", "harness/document.py", "harness/*/report.py", "harness/*/night_report.py",
            "harness/*/sections.py", "harness/*/chart.py", "harness/conformance/page.py", "harness/rehearsals/*/page.py",
        ),
        # The charts of a week, its queries, translation, and the writing of files.
        (
            *(f"harness/report/{name}.py" for name in (
                "course", "panels", "scale", "series", "queries", "files", "language", "latest", "messages",
                "templates",
            )),
            "*.schema.json", "harness/rehearsal/*",
        ),
    ),
    Kind(
        "types of results and plans",
        (
            *(f"harness/model/{name}.py" for name in (
                "chaos", "deploy", "flag_proof", "ingress", "load_stages", "network", "recovery", "rollout",
                "rollout_run", "scaling", "secret_rotation", "run", "run_report", "verdict", "judgement", "result",
            )),
            "harness/*/result.py", "harness/*/results.py", "harness/*/stack_result.py",
            "harness/rehearsals/*/types*.py", "harness/rehearsals/*/details.py",
        ),
        ("harness/load/*", "harness/rehearsal/*"),
    ),
    Kind(
        "loaders of plans",
        (
            "scenarios/*.py", "harness/rehearsals/*/plan.py",
        ),
        ("scenarios/claim*.py", "scenarios/index.py"),
    ),
    Kind(
        "engines of load",
        ("harness/load/*",),
        # The phone and what it speaks to, the probes, the population.
        (
            *(f"harness/load/{name}.py" for name in (
                "admission", "answers", "api_side", "auth", "connection", "documents", "errors", "firestore_side",
                "flag", "greenlets", "http1", "known", "memory", "patched", "phone", "probe", "probes_main",
                "recorder", "rest", "runtime", "storage_side", "time",
            )),
            "harness/load/sim/greenlets.py", "harness/load/sim/runtime.py", "harness/load/sim/firestore.py",
            "harness/load/stages/board.py", "harness/load/stages/photos.py", "harness/load/population/*",
            "harness/load/*under_load.py", "harness/load/*progress.py",
        ),
    ),
    Kind("JSON Schemas", ("*.schema.json",)),
)  # fmt: skip
CONTRACTS = "import contracts"


def _any(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def files(root: Path) -> dict[str, dict[str, int]]:
    """The lines of each file by its kind. A file is of the first kind that has it."""
    found: dict[str, dict[str, int]] = {kind.name: {} for kind in KINDS}
    for path in sorted({path for place in _PLACES for path in root.glob(place)}):
        name = path.relative_to(root).as_posix()
        kind = next((kind for kind in KINDS if kind.has(name)), None)
        if kind is not None:
            found[kind.name][name] = path.read_text("utf-8").count("\n")
    found[CONTRACTS] = {"pyproject.toml": _contracts((root / "pyproject.toml").read_text("utf-8"))}
    return found


def _contracts(text: str) -> int:
    """The lines of import-linter's sections."""
    count, inside = 0, False
    for line in text.splitlines():
        if line.startswith("["):
            inside = line.strip("[]").startswith("tool.importlinter")
        count += inside
    return count
