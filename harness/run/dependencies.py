"""What the evidence of a run rests on besides its program: as it was when the run was made, and as it is today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.data import CLAIMS, DOCUMENT, OVERLAYS, PLANS
from harness.base.errors import BadInput
from harness.model.claim import Dependency
from harness.model.message import Message, message, of_error
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.signoff.gather import gather
from harness.report.signoff.types import StoredResult
from harness.rules.register import read
from harness.run.registry import MODULES, rehearsal
from harness.run.rehearsal import Rehearsal
from harness.stack.environments.identity import of_files
from harness.stack.environments.stand_ins import KUBERNETES, versions
from harness.stack.manifests.digest import written


def rests_on(of: Rehearsal[Any, Any], manifests: Path, cluster: str) -> dict[Dependency, str]:
    """What the evidence of a run rests on that begins now; ``cluster`` is the version of its cluster, "" without one.
    Raises ``BadInput`` for manifests that cannot be read."""
    found = {
        Dependency.MANIFESTS: written(manifests),
        Dependency.CLUSTER: cluster,
        Dependency.DOCUMENT: _document(of.document),
        Dependency.RULES: _rules(of),
    }
    return {kind: value for kind, value in found.items() if value}


def _document(register: Path) -> str:
    """The digest of what a document says, by the quotations of its register, and of what the bundled one prints."""
    said = [(each.place, each.quotation) for each in read(register).claims.values()]
    printed = sorted(path for path in DOCUMENT.rglob("*") if path.is_file()) if register == CLAIMS else []
    return of_files(((path.relative_to(DOCUMENT).as_posix(), path) for path in printed), msgspec.json.encode(said))


def _rules(of: Rehearsal[Any, Any]) -> str:
    return of_files((path.name, path) for path in (*of.rule_files, *(PLANS / f"{each}.yaml" for each in of.figures)))


def gathered(reports: Path) -> tuple[tuple[StoredResult, ...], tuple[str, ...]]:
    """Every result below ``reports`` with what is another than it rests on, and the folders that cannot be read."""
    stored, unreadable = gather(reports)
    return since(stored), unreadable


def since(stored: Sequence[StoredResult]) -> tuple[StoredResult, ...]:
    """The same with what has changed since each run. Of a team's own cluster its newest run tells the version."""
    theirs = [each.result.facts for each in stored if each.result.facts.rung is EnvironmentKind.KUBE]
    newest = max(theirs, key=lambda facts: facts.started_utc, default=None)
    clusters = {
        EnvironmentKind.KIND: versions(EnvironmentKind.KIND, every_program=True).get(KUBERNETES, ""),
        EnvironmentKind.KUBE: "" if newest is None else newest.rests_on.get(Dependency.CLUSTER, ""),
    }
    read_: dict[Path, str | BadInput] = {}
    return tuple(
        msgspec.structs.replace(each, changed=dict(_changed(each.result, clusters, read_)))
        if each.result.facts.rests_on
        else each
        for each in stored
    )


def _changed(
    result: Result, clusters: Mapping[EnvironmentKind, str], read_: dict[Path, str | BadInput]
) -> Iterator[tuple[Dependency, Message]]:
    facts, then = result.facts, result.facts.rests_on
    ours = OVERLAYS / Path(facts.manifests).name
    folder = ours if ours.is_dir() and not facts.own_manifests else Path(facts.manifests)
    if folder not in read_:
        try:
            read_[folder] = written(folder)
        except BadInput as error:
            read_[folder] = error
    now = read_[folder]
    if isinstance(now, BadInput):
        unread = message("the manifests in {folder} cannot be read: {why}", folder=facts.manifests, why=of_error(now))
        yield Dependency.MANIFESTS, unread
    elif then.get(Dependency.MANIFESTS, now) != now:
        told = message("the manifests in {folder} have changed since the run", folder=facts.manifests)
        yield Dependency.MANIFESTS, told
    was = then.get(Dependency.CLUSTER, "")
    version = clusters.get(facts.rung, "")
    if was and version and was != version:
        told = message("the cluster is Kubernetes {now} today, and was {then} in the run", now=version, then=was)
        yield Dependency.CLUSTER, told
    if result.rehearsal in MODULES:
        of = rehearsal(result.rehearsal)
        if then.get(Dependency.DOCUMENT, "") not in ("", _document(of.document)):
            yield Dependency.DOCUMENT, message("what the document says has changed since the run")
        if then.get(Dependency.RULES, "") not in ("", _rules(of)):
            told = message("the rules or figures of {rehearsal} have changed since the run", rehearsal=result.rehearsal)
            yield Dependency.RULES, told
