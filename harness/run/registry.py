"""All rehearsals and the commands that drive them, by name; each is imported when it is asked for.

Standard library only, as ``harness.cli.main``, of which ``noxfile.py`` makes its sessions before anything is installed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.base.data import ROOT

if TYPE_CHECKING:
    from harness.run.command import Command
    from harness.run.rehearsal import Rehearsal

#: Name -> the module that holds it as ``REHEARSAL``.
MODULES = {
    "rollout_week": "harness.rehearsals.rollout.week",
    "rollout": "harness.rehearsals.rollout.sequence",
    "rollout_one_stack": "harness.rehearsals.one_stack.rehearsal",
    "load_stages": "harness.rehearsals.load_stages.rehearsal",
    "soak": "harness.rehearsals.soak.actions",
    "scaling": "harness.rehearsals.scaling.rehearsal",
    "secret_rotation": "harness.rehearsals.secret_rotation.rehearsal",
    "network": "harness.rehearsals.network.rehearsal",
    "deploy_rehearsal": "harness.rehearsals.deploy.rehearsal",
    "chaos": "harness.rehearsals.chaos.rehearsal",
    "chaos_nightly": "harness.rehearsals.chaos.night",
    "dr_restore": "harness.rehearsals.dr_restore.rehearsal",
    "alert_drill": "harness.rehearsals.alert_drill.rehearsal",
    "mirror_stop": "harness.rehearsals.mirror_stop.rehearsal",
    "migration_drill": "harness.rehearsals.migration_drill.rehearsal",
    "flag_proof": "harness.rehearsals.flag_proof.rehearsal",
    "conformance": "harness.rehearsals.conformance.rehearsal",
    "security": "harness.rehearsals.security.rehearsal",
    "cost": "harness.rehearsals.cost.rehearsal",
    "infrastructure": "harness.rehearsals.infrastructure.rehearsal",
    "runbooks": "harness.rehearsals.runbooks.rehearsal",
    "operations": "harness.rehearsals.operations.rehearsal",
}


@dataclass(frozen=True)
class Entry:
    """A command of ``python -m harness``: its name, the class that declares it as ``module:Class``, and what it is
    listed under."""

    name: str
    at: str
    group: str

    @property
    def told(self) -> str:
        """What the list, the help and ``nox -l`` say of it: its class' first line, read without importing it."""
        module, _, name = self.at.partition(":")
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
        found = next(each for each in ast.parse(source).body if isinstance(each, ast.ClassDef) and each.name == name)
        return (ast.get_docstring(found) or "").partition("\n")[0]

    def load(self) -> type[Command]:
        """The class."""
        module, _, name = self.at.partition(":")
        found: type[Command] = getattr(import_module(module), name)
        return found


_ROLLOUT, _LOAD, _FAULTS = "the rollout", "load and size", "faults, deploys, recovery"
_EDGES = "contract, network, secrets"

#: The commands that rehearse, in the order in which they are listed. Each but ``run`` is a nox session, too.
COMMANDS = (
    Entry("run", "harness.rehearsals.rollout.command:RunCommand", _ROLLOUT),
    Entry("rollout", "harness.rehearsals.rollout.command:Weeks", _ROLLOUT),
    Entry("rollout_one_stack", "harness.rehearsals.one_stack.command:OneStackCommand", _ROLLOUT),
    Entry("flag_proof", "harness.rehearsals.flag_proof.command:FlagProofCommand", _ROLLOUT),
    Entry("mirror_stop", "harness.rehearsals.mirror_stop.command:MirrorStopCommand", _ROLLOUT),
    Entry("migration_drill", "harness.rehearsals.migration_drill.command:Drill", _ROLLOUT),
    Entry("load_stages", "harness.rehearsals.load_stages.command:LoadStagesCommand", _LOAD),
    Entry("soak", "harness.rehearsals.soak.plan:SoakCommand", _LOAD),
    Entry("scaling", "harness.rehearsals.scaling.command:ScalingCommand", _LOAD),
    Entry("cost", "harness.rehearsals.cost.command:CostCommand", _LOAD),
    Entry("zone_loss", "harness.rehearsals.scaling.command:ZoneLossCommand", _LOAD),
    Entry("chaos", "harness.rehearsals.chaos.command:ChaosCommand", _FAULTS),
    Entry("chaos_nightly", "harness.rehearsals.chaos.command:ChaosNightly", _FAULTS),
    Entry("rolling_update", "harness.rehearsals.chaos.rolling:RollingUpdateCommand", _FAULTS),
    Entry("deploy_rehearsal", "harness.rehearsals.deploy.command:DeployRehearsal", _FAULTS),
    Entry("operations", "harness.rehearsals.operations.command:OperationsCommand", _FAULTS),
    Entry("runbooks", "harness.rehearsals.runbooks.command:RunbooksCommand", _FAULTS),
    Entry("dr_restore", "harness.rehearsals.dr_restore.command:DrRestore", _FAULTS),
    Entry("alert_drill", "harness.rehearsals.alert_drill.command:AlertDrillCommand", _FAULTS),
    Entry("conformance", "harness.rehearsals.conformance.command:ConformanceCommand", _EDGES),
    Entry("security", "harness.rehearsals.security.command:SecurityCommand", _EDGES),
    Entry("infrastructure", "harness.rehearsals.infrastructure.command:InfrastructureCommand", _EDGES),
    Entry("network", "harness.rehearsals.network.command:NetworkCommand", _EDGES),
    Entry("secret_rotation", "harness.rehearsals.secret_rotation.command:SecretRotationCommand", _EDGES),
)


def rehearsal(name: str) -> Rehearsal[Any, Any]:
    """The rehearsal of that name. Raises ``KeyError`` for a name that is none."""
    found: Rehearsal[Any, Any] = import_module(MODULES[name]).REHEARSAL
    return found
