"""What a result says of its run itself, and of the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from harness.checks.as_printed import missing
from harness.model.judgement import Judgement, observation
from harness.model.manifests import Manifests, PatchNote
from harness.model.message import Message, gettext_noop, message
from harness.model.stack import EnvironmentKind
from harness.stack.manifests.layers import NO_REASON
from harness.stack.manifests.unsupported_features import not_honoured_by_processes

_SIMULATED = gettext_noop("all but the number of replicas (pods are calls within one process, and no controller runs)")


def manifest_facts(manifests: Manifests, rung: EnvironmentKind) -> dict[str, Any]:
    """What every result says of the manifests: the environment, what the layers below a rung's own change, and what
    the rung forced upon them. A person's own patches, which say no reason, are no changes of the rehearsal's.
    """
    below = [patch for patch in manifests.patches if not patch.forced and patch.reason != NO_REASON]
    return {
        "manifests": manifests.folder,
        "environment": _environment(manifests),
        "rung_changes": tuple(_rung_changes(manifests, rung)),
        "manifest_changes": tuple(f"{patch.name}: {patch.reason}" for patch in below),
        "manifest_warnings": manifests.warnings,
        "missing_manifests": missing(manifests.written),
        "repository_errata": manifests.errata,
    }


def _environment(manifests: Manifests) -> str:
    """What the target is told to be."""
    first = manifests.deployment.template.containers[0]
    return next((each.value for each in first.env if each.name == "ENVIRONMENT"), "")


def _rung_changes(manifests: Manifests, rung: EnvironmentKind) -> Iterator[str]:
    """What the rung forced upon the manifests, and what of them it does not honour."""
    if rung is EnvironmentKind.SIM:
        yield f"not honoured: {_SIMULATED}"
        return
    yield from (f"{patch.name}: {patch.reason}" for patch in manifests.patches if patch.forced)
    if rung is EnvironmentKind.LOCAL:
        yield from (f"not honoured: {line}" for line in not_honoured_by_processes(manifests))


class Patched(Protocol):
    """Manifests, or what a rehearsal keeps of them."""

    @property
    def patches(self) -> tuple[PatchNote, ...]:
        """The patches that were applied."""
        ...


def mending(manifests: Manifests) -> tuple[PatchNote, ...]:
    """The patches that mend an erratum, for a rehearsal's details: ``patch_errata`` tells of them."""
    return tuple(patch for patch in manifests.patches if patch.erratum)


def patch_errata(manifests: Patched) -> Iterator[Judgement]:
    """Each erratum that patches mend, as an observation: that the manifests were applied with its patch, and why."""
    seen: dict[str, list[Message]] = {}
    for patch in manifests.patches:
        if patch.erratum:
            why = Message(text=patch.reason)
            why_told = message("the manifests were applied with the patch {name}: {why}", name=patch.name, why=why)
            seen.setdefault(patch.erratum, []).append(why_told)
    for erratum in sorted(seen):
        yield observation(f"patch:{erratum}", tuple(seen[erratum]), erratum=erratum)
