"""Which claims and errata the code, plans and patches of each command name: what the register is held to.

What of ``harness.checks`` and ``harness.rules`` a rehearsal imports counts as its own; of ``harness.run``, which
every rehearsal imports, what looks at a whole run under load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path

import msgspec

from harness.base.data import CLAIMS, KUBERNETES, PLANS, ROOT, SCENARIOS
from harness.report.signoff import gather
from harness.run.registry import COMMANDS, MODULES, rehearsal
from tests import register as claims
from tests.imports import imports

FOLDERS = {entry.name: entry.at.split(".")[2] for entry in COMMANDS}
SHOWN_BY = CLAIMS / gather.SHOWN_BY
_FOLLOWED = ("harness.checks.", "harness.rules.", "harness.run.closing")
_ID = re.compile(r"(?<![\w.])[a-z0-9_]+(?:\.[a-z0-9_]+)+(?!\.?\w)")
#: What tells of the errata that the patches of the base mend.
_TELLS = re.compile(r"\bpatch_errata\b")
#: Commands that do no more than another one of their folder.
_PARTS_OF_OTHERS = ("run", "chaos_nightly", "rolling_update", "zone_loss")

#: The line that shows an erratum which its commands do not show without options, or not in each environment; () where
#: none does with the bundled stacks.
LINES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("cost.priced_by_limits", "cost.cloud_sql_without_ha", "cost.total_from_wrong_parts"),
        ("cost --seed 1 --prices FILE",),  # of the document's region: by the bundled list nothing is known of these
    ),
    "deploy.downtime_without_prestop": ("deploy_rehearsal --on kind --seed 1",),
    "dr.restored_instance_unmanaged": (),  # their PostgreSQL archives nothing before it is lost, either
    "manifest.sidecar_stops_at_once": (
        "run rollout_week3 --on local --seed 1 --manifests deploy/kubernetes/overlays/local-graceful",
    ),
    "rollout.week2.rate_without_margin": ("run rollout_week2 --on local --seed 1 --pace 50s",),
    "security.load_balancer_ends_no_tls": ("network --on kind --seed 1 --ingress",),
}


@cache
def _words(path: Path) -> frozenset[str]:
    return frozenset(_ID.findall(path.read_text("utf-8")))


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The modules of ``_FOLLOWED`` that a module imports."""
    names = {name for each in imports(path) for name in (each.module, each.whole) if name.startswith(_FOLLOWED)}
    files = (ROOT / f"{name.replace('.', '/')}.py" for name in names)
    return frozenset(file for file in files if file.is_file())


def closure(files: Iterable[Path]) -> frozenset[Path]:
    """The modules, and what they import, and so on."""
    found, waiting = set[Path](), set(files)
    while waiting:
        found |= waiting
        waiting = set(chain.from_iterable(_imported(path) for path in waiting if path.suffix == ".py")) - found
    return frozenset(found)


@cache
def files_of(command: str) -> frozenset[Path]:
    """What a command's rehearsal is made of: its code with what it imports, its plans, its rules, its experiments."""
    folder = FOLDERS[command]
    code = [*(ROOT / "harness/rehearsals" / folder).rglob("*.py")]
    files = [*PLANS.glob(f"{command}.yaml"), *PLANS.glob(f"{folder}.yaml")]
    of_folder = (name for name, module in MODULES.items() if module.split(".")[2] == folder)
    files += chain.from_iterable(rehearsal(name).rule_files for name in of_folder)
    files += SCENARIOS.glob("rollout_*.yaml") if folder == "rollout" else ()
    files += (ROOT / "chaos/experiments").glob("*.yaml") if folder == "chaos" else ()
    if any(_TELLS.search(path.read_text("utf-8")) for path in code):
        files += (KUBERNETES / "base").rglob("patches/*.yaml")
    return closure(code) | frozenset(files)


def named(files: Iterable[Path]) -> frozenset[str]:
    """Every dotted word of the files."""
    return frozenset(chain.from_iterable(map(_words, files)))


@cache
def errata_of(command: str) -> frozenset[str]:
    """The errata that the command's rehearsal can show."""
    return named(files_of(command)) & claims.ERRATA.keys()


@cache
def claims_of(command: str) -> frozenset[str]:
    """The claims that the command's rehearsal can judge, by their own id or by one of their errata; what a person
    decides stays so whatever erratum of it is shown."""
    owned = {claims.ERRATA[erratum][0] for erratum in errata_of(command)}
    owners = {claim.id for claim in owned if not claim.by_person}
    return named(files_of(command)) & claims.REGISTER.keys() | owners


def shown_by() -> dict[str, tuple[str, ...]]:
    """The commands that can show each erratum: of those that can, the ones that its claim is judged by, where there
    are any; or the line that does (``LINES``)."""

    def commands(erratum: str) -> tuple[str, ...]:
        if erratum in LINES:
            return LINES[erratum]
        can = [name for name in FOLDERS if erratum in errata_of(name)]
        said = [name for name in can if name in claims.ERRATA[erratum][0].judged_by]
        return tuple(said or [name for name in can if name not in _PARTS_OF_OTHERS] or can)

    return {erratum: found for erratum in claims.ERRATA if (found := commands(erratum))}


def encoded() -> bytes:
    """What ``scenarios/claims/shown_by.json`` holds."""
    lines = ",\n".join(f"  {msgspec.json.encode(name).decode()}: {msgspec.json.encode(found).decode()}"
                       for name, found in shown_by().items())  # fmt: skip
    return f"{{\n{lines}\n}}\n".encode()


def write() -> None:
    """Writes it anew."""
    SHOWN_BY.write_bytes(encoded())
