"""The bundled experiments, read strictly: Chaos Toolkit's form, with our expectations in the extension ``tekutoko``.

A seed draws from them the schedule of a night: the same seed draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from chaos import actions
from harness.base import planfile, yamltext
from harness.base.errors import BadInput
from harness.base.message import message, nearest
from harness.base.seed import stream
from harness.model.stack import FaultKind
from harness.rehearsals.chaos.types import Expectation, Experiment


def draw(names: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """``count`` of ``names``, each drawn independently, so that faults meet each other's traces."""
    chance = stream(seed, "chaos")
    return tuple(names[int(chance.random() * len(names))] for _ in range(count))


FOLDER = Path(actions.__file__).parent / "experiments"
EXTENSION = "tekutoko"
_FORM = message("see {where} for the form", where=f"{FOLDER.name}/pod_kill.yaml")


class ExperimentFile(msgspec.Struct, frozen=True, kw_only=True, rename={"hypothesis": "steady-state-hypothesis"}):
    """An experiment of Chaos Toolkit, whose own check of it is ``checked``; ours is its extension ``tekutoko``."""

    title: str
    description: str
    extensions: tuple[dict[str, Any], ...]
    hypothesis: dict[str, Any]
    method: tuple[dict[str, Any], ...]
    rollbacks: tuple[dict[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    version: str = ""
    contributions: dict[str, Any] = {}
    configuration: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    controls: tuple[dict[str, Any], ...] = ()
    runtime: dict[str, Any] = {}


def names() -> tuple[str, ...]:
    """Every bundled experiment, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def usual() -> tuple[str, ...]:
    """Those that are run without being named, sorted."""
    return tuple(name for name in names() if not load(name).expects.only_named)


def load(name: str) -> Experiment:
    """The experiment ``name``, or the one in the file ``name``. Raises ``BadInput``."""
    if name.endswith((".yaml", ".yml")):
        return read(Path(name))
    if name not in names():
        there = ", ".join(names())
        remedy = message("the experiments are: {names}; or give the path of a .yaml file", names=there)
        told = message("no experiment {name}{near}", name=repr(name), near=nearest(name, names()))
        raise BadInput(told, where=str(FOLDER), remedy=remedy)
    return read(FOLDER / f"{name}.yaml")


def read(path: Path) -> Experiment:
    """The experiment in ``path``. Raises ``BadInput`` naming the file, the line and the value."""
    where = str(path)
    found = yamltext.documents(yamltext.read(path), where, plain_numbers=True)
    if len(found) != 1:
        raise BadInput("one experiment is wanted", where=where, remedy=_FORM)
    document, lines = found[0]
    file = planfile.at((), document, where, lines, ExperimentFile)
    ours = [number for number, each in enumerate(file.extensions) if each.get("name") == EXTENSION]
    if len(ours) != 1:
        place = yamltext.place(where, lines, ("extensions",))
        wanted = message("one extension {name} is wanted", name=repr(EXTENSION))
        raise BadInput(wanted, where=place, remedy=_FORM)
    extension = {key: value for key, value in file.extensions[ours[0]].items() if key != "name"}
    expects = planfile.at(("extensions", ours[0]), extension, where, lines, Expectation)
    faults: set[FaultKind] = set()
    drains = False
    for number, activity in enumerate(file.method):
        provider = activity.get("provider")
        if not isinstance(provider, dict) or provider.get("module") != actions.__name__:
            continue
        drains = drains or provider.get("func") == actions.drain.__name__
        arguments = provider.get("arguments")
        if isinstance(arguments, dict) and "kind" in arguments:
            at = ("method", number, "provider", "arguments", "kind")
            faults.add(planfile.at(at, arguments["kind"], where, lines, FaultKind))
    if drains or FaultKind.ZONE_LOSS in faults:
        expects = msgspec.structs.replace(
            expects, breaks_nodes=True
        )  # said or not: a cluster that others use is spared
    return Experiment(
        name=path.stem, title=file.title, expects=expects, document=document, faults=tuple(sorted(faults))
    )


def checked(path: Path) -> Experiment:
    """The experiment in ``path``, when Chaos Toolkit takes it too: its activities, and what they call with which
    arguments. Raises ``BadInput``.
    """
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid

    experiment = read(path)
    try:
        ensure_experiment_is_valid(experiment.document)
    except (ChaosException, AttributeError, LookupError, TypeError, ValueError) as error:  # of values it did not expect
        refused = message("Chaos Toolkit does not take it: {error}", error=str(error))
        raise BadInput(refused, where=str(path), remedy=_FORM) from error
    return experiment


def schema(title: str) -> dict[str, Any]:
    """The JSON Schema of an experiment's file: ours is strict, all else is Chaos Toolkit's affair."""
    found = planfile.schema(ExperimentFile, title)
    ours = planfile.schema(Expectation, title)["$defs"]
    ours["Expectation"]["properties"]["name"] = {"const": EXTENSION}
    is_ours = {"properties": {"name": {"const": EXTENSION}}, "required": ["name"]}
    found["$defs"]["ExperimentFile"]["properties"]["extensions"] = {
        "type": "array",
        "items": {"if": is_ours, "then": {"$ref": "#/$defs/Expectation"}},
        "contains": is_ours,
    }
    return found | {"$defs": found["$defs"] | ours}
