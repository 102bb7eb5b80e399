"""The kinds of files that people write for the harness, each with its loader and the JSON Schema that editors read.

``python -m harness.cli.kinds`` writes the schemas anew after a change of the types; a test holds them current.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from chaos import catalogue
from harness.base import planfile, yamltext
from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.rehearsals.deploy import plan as deploy
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.rehearsals.flag_proof.types import FlagPlan
from harness.rehearsals.load_stages.types import LoadStagesPlan
from harness.rehearsals.network.types import NetworkPlan
from harness.rehearsals.scaling.types import ScalingPlan
from harness.rehearsals.secret_rotation.types import RotationPlan
from scenarios import claims_file
from scenarios import load as scenario

SCHEMAS = SCENARIOS / "schemas"
_ENDING = ".schema.json"


class FileKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file: ``told`` what it is, ``form`` the type of its keys; ``read`` reads one as a run would where
    that takes more than the type; ``held`` is what there is in what that returns, ``of`` what those are called, one and
    several.
    """

    told: str
    form: type[msgspec.Struct]
    read: Callable[[Path], Any] | None = None
    held: Callable[[Any], Sized] = attrgetter("parts")
    of: tuple[str, str] = ("part", "parts")

    def load(self, path: Path) -> Any:
        """What a run would take from ``path``. Raises ``BadInput``."""
        return planfile.load(path, self.form) if self.read is None else self.read(path)

    def schema(self) -> bytes:
        """The JSON Schema as it is committed."""
        of_chaos = self.form is catalogue.ExperimentFile
        found = catalogue.schema(self.told) if of_chaos else planfile.schema(self.form, self.told)
        return msgspec.json.format(msgspec.json.encode(found, order="deterministic"), indent=2) + b"\n"

    def what(self, loaded: Any) -> str:
        """``a plan of scaling with 7 parts``."""
        count = len(self.held(loaded))
        return f"{self.told} with {count} {self.of[count != 1]}"


#: By the name of the schema's file.
KINDS = {
    "scenario": FileKind(
        told="a scenario",
        form=scenario.ScenarioFile,
        read=lambda path: scenario.parse(yamltext.read(path), str(path), path.stem),
        held=attrgetter("criteria"),
        of=("criterion", "criteria"),
    ),
    "claims": FileKind(
        told="a file of claims",
        form=claims_file.ClaimsFile,
        read=claims_file.load,
        held=dict.keys,
        of=("claim", "claims"),
    ),
    "deploy": FileKind(told="a plan of deploy_rehearsal", form=deploy.DeployFile, read=deploy.load),
    "dr_restore": FileKind(
        told="a plan of dr_restore",
        form=RecoveryPlan,
        held=attrgetter("disasters"),
        of=("disaster", "disasters"),
    ),
    "flag_proof": FileKind(
        told="a plan of flag_proof",
        form=FlagPlan,
        held=attrgetter("cases"),
        of=("fetch interval", "fetch intervals"),
    ),
    "load_stages": FileKind(
        told="a plan of load_stages",
        form=LoadStagesPlan,
        held=attrgetter("stages"),
        of=("stage", "stages"),
    ),
    "network": FileKind(
        told="a plan of network",
        form=NetworkPlan,
        held=attrgetter("paths"),
        of=("path", "paths"),
    ),
    "scaling": FileKind(told="a plan of scaling", form=ScalingPlan),
    "secret_rotation": FileKind(told="a plan of secret_rotation", form=RotationPlan),
    "chaos": FileKind(
        told="an experiment of chaos",
        form=catalogue.ExperimentFile,
        read=catalogue.checked,
        held=lambda experiment: experiment.document["method"],
        of=("activity", "activities"),
    ),
}


def kind_of(text: str, where: str) -> tuple[str, str]:
    """The kind of the file that holds ``text``, by its name in ``KINDS``, and what told it. Raises ``BadInput``."""
    named = planfile.modeline(text).rpartition("/")[2].removesuffix(_ENDING)
    if named in KINDS:
        return named, "the schema that its first lines name"
    documents = [data for data, _ in yamltext.documents(text, where)]
    like = {name: sum(planfile.likeness(each, kind.form) for each in documents) for name, kind in KINDS.items()}
    best, second = sorted(like, key=lambda name: -like[name])[:2]
    if like[best] <= 0 or like[best] == like[second]:
        what = f"its keys are as much those of {KINDS[best].told} as of {KINDS[second].told}"
        raise BadInput(
            what if like[best] > 0 else "its keys are those of no kind of file",
            where=where,
            remedy=f"begin it with `# yaml-language-server: $schema=KIND{_ENDING}`; kinds are {', '.join(KINDS)}",
        )
    return best, "its keys"


def main() -> None:
    """Writes every schema."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, kind in KINDS.items():
        (SCHEMAS / f"{name}{_ENDING}").write_bytes(kind.schema())


if __name__ == "__main__":
    main()
