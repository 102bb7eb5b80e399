"""The bundled experiments, read strictly: Chaos Toolkit's form, with our expectations in the extension ``tekutoko``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.base.errors import BadInput
from harness.rehearsals.chaos.types import Expectation, Experiment

FOLDER = Path(__file__).parent / "experiments"
EXTENSION = "tekutoko"


def names() -> tuple[str, ...]:
    """Every bundled experiment, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def usual() -> tuple[str, ...]:
    """Those that are run without being named, sorted."""
    return tuple(name for name in names() if not load(name).expects.only_named)


def load(name: str) -> Experiment:
    """The experiment ``name``, or the one in the file ``name``. Raises ``BadInput``."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        remedy = f"the experiments are: {', '.join(names())}; or give the path of a .yaml file"
        raise BadInput(f"no experiment {name!r}: {error.strerror}", where=str(path), remedy=remedy) from error
    except yaml.YAMLError as error:
        raise BadInput(f"not YAML: {error}", where=str(path), remedy="correct it") from error
    return parse(document, path)


def parse(document: Any, path: Path) -> Experiment:
    """The experiment in ``document``; ``path`` is its file, in errors. Raises ``BadInput``."""
    remedy = f"see {FOLDER.name}/pod_kill.yaml for the form"
    if not isinstance(document, dict):
        raise BadInput("an experiment is a mapping", where=str(path), remedy=remedy)
    ours = [each for each in document.get("extensions") or [] if each.get("name") == EXTENSION]
    if len(ours) != 1:
        raise BadInput(f"one extension {EXTENSION!r} is wanted", where=str(path), remedy=remedy)
    try:
        expects = msgspec.convert({k: v for k, v in ours[0].items() if k != "name"}, Expectation)
        return Experiment(name=path.stem, title=document["title"], expects=expects, document=document)
    except (msgspec.ValidationError, KeyError) as error:
        raise BadInput(f"{error}", where=str(path), remedy=remedy) from error
