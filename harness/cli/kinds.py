"""The kinds of files that people write for the harness, each with its loader and the JSON Schema that editors read.

``python -m harness.cli.kinds`` writes the schemas anew after a change of the types; a test holds them current.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.base.message import as_message, gettext_noop, message
from harness.cli.observe.mapping import Naming
from harness.cli.stored.sizing import SizePlan
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables
from harness.rehearsals.deploy import plan as deploy
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.rehearsals.flag_proof.types import FlagPlan
from harness.rehearsals.infrastructure.types import InfrastructureTables as Infrastructure
from harness.rehearsals.load_stages.types import LoadStagesPlan
from harness.rehearsals.network.types import NetworkPlan
from harness.rehearsals.runbooks.types import RunbooksPlan
from harness.rehearsals.scaling.types import ScalingPlan
from harness.rehearsals.secret_rotation.types import RotationPlan
from harness.report.signoff.document import EvidencePlan
from harness.report.signoff.ledger import MonthCalendar
from harness.rules.register import Chapter
from harness.run.scenarios import claims_file
from harness.run.scenarios import load as scenario
from harness.stack.target import targets

SCHEMAS = SCENARIOS / "schemas"
_ENDING = ".schema.json"


class FileKind(msgspec.Struct, frozen=True):
    """A kind of file: ``told`` what it is, ``form`` the type of its keys; ``read`` reads one as a run would where that
    takes more than the type.
    """

    told: str
    form: type[msgspec.Struct]
    read: Callable[[Path], Any] | None = None

    def load(self, path: Path) -> Any:
        """What a run would take from ``path``. Raises ``BadInput``."""
        return planfile.load(path, self.form) if self.read is None else self.read(path)

    def schema(self) -> bytes:
        """The JSON Schema as it is committed."""
        of_chaos = self.form is catalogue.ExperimentFile
        found = catalogue.schema(self.told) if of_chaos else planfile.schema(self.form, self.told)
        return msgspec.json.format(msgspec.json.encode(found, order="deterministic"), indent=2) + b"\n"


def _scenario(path: Path) -> Any:
    return scenario.parse(yamltext.read(path), str(path), path.stem)


#: By the name of the schema's file.
KINDS = {
    "scenario": FileKind(gettext_noop("a scenario"), scenario.ScenarioFile, _scenario),
    "chapter": FileKind(gettext_noop("a chapter of the register"), Chapter),
    "claims": FileKind(gettext_noop("a file of claims"), claims_file.ClaimsFile, claims_file.load),
    "cost": FileKind(gettext_noop("the tables of cost"), CostTables),
    "infrastructure": FileKind(gettext_noop("the tables of infrastructure"), Infrastructure),
    "prices": FileKind(gettext_noop("unit prices for cost"), Prices),
    "deploy": FileKind(gettext_noop("a plan of deploy_rehearsal"), deploy.DeployFile, deploy.load),
    "dr_restore": FileKind(gettext_noop("a plan of dr_restore"), RecoveryPlan),
    "flag_proof": FileKind(gettext_noop("a plan of flag_proof"), FlagPlan),
    "ledger": FileKind(gettext_noop("a calendar of a month"), MonthCalendar),
    "load_stages": FileKind(gettext_noop("a plan of load_stages"), LoadStagesPlan),
    "network": FileKind(gettext_noop("a plan of network"), NetworkPlan),
    "runbooks": FileKind(gettext_noop("a plan of runbooks"), RunbooksPlan),
    "scaling": FileKind(gettext_noop("a plan of scaling"), ScalingPlan),
    "secret_rotation": FileKind(gettext_noop("a plan of secret_rotation"), RotationPlan),
    "size": FileKind(gettext_noop("a plan of size"), SizePlan),
    "observe": FileKind(gettext_noop("a mapping of observe"), Naming),
    "signoff": FileKind(gettext_noop("a plan of signoff --run"), EvidencePlan),
    "chaos": FileKind(gettext_noop("an experiment of chaos"), catalogue.ExperimentFile, catalogue.checked),
}


def kind_of(text: str, where: str) -> tuple[str, str]:
    """The kind of the file that holds ``text``, by its name in ``KINDS``, and what told it. Raises ``BadInput``."""
    named = planfile.modeline(text).rpartition("/")[2].removesuffix(_ENDING)
    if named in KINDS:
        return named, gettext_noop("the schema that its first lines name")
    data, _ = planfile.mapping(text, where, message("write the keys of one of these: {names}", names=", ".join(KINDS)))
    like = {name: planfile.likeness(data, kind.form) for name, kind in KINDS.items()}
    best, second = sorted(like, key=lambda name: -like[name])[:2]
    if targets.likeness(data) > max(like[best], 0):
        remedy = message("a run reads it: --target {file}", file=where)
        raise BadInput("these are the keys of a target file", where=where, remedy=remedy)
    if like[best] <= 0 or like[best] == like[second]:
        kind, other = as_message(KINDS[best].told), as_message(KINDS[second].told)
        what = message("its keys are as much those of {kind} as of {other}", kind=kind, other=other)
        line = f"# yaml-language-server: $schema=KIND{_ENDING}"
        remedy = message("begin it with `{line}`; kinds are {names}", line=line, names=", ".join(KINDS))
        raise BadInput(what if like[best] > 0 else "its keys are those of no kind of file", where=where, remedy=remedy)
    return best, gettext_noop("its keys")


def main() -> None:
    """Writes every schema."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, kind in KINDS.items():
        (SCHEMAS / f"{name}{_ENDING}").write_bytes(kind.schema())


if __name__ == "__main__":
    main()
