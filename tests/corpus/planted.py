"""Runs of before whose findings a test made up, with no facts behind them that a judge could read: they are carried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.base import planfile
from harness.model.command import Ran
from harness.model.judgement import Judgement
from harness.rehearsals.deploy import plan as deploy_plan
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPlan, Followed
from harness.rehearsals.deploy.types import PartKind as DeployKind
from harness.rehearsals.network.types import NetworkDetails, NetworkPlan, Round
from harness.rehearsals.scaling.types import Part, PartKind, ScalingDetails, ScalingPlan
from tests.corpus import again
from tests.corpus.again import Again, Json


def carried(run: str) -> tuple[Judgement, ...]:
    """The findings as they were told."""
    judged = [each for each in again.stored(run)["judgements"] if each["counts"] == "judged"]
    return tuple(msgspec.convert(_judgement(each), Judgement) for each in judged)


def _judgement(old: Json) -> Json:
    kept: dict[str, Any] = {name: old[name] for name in ("part", "id", "verdict", "erratum", "examples")}
    claim = old["claims"][0] if old["claims"] else ""
    if old["verdict"] == "erratum_shown":  # one that is shown is named today
        kept["erratum"] = old["erratum"] or "planted"
    kept |= {"claim": claim, "told": again.words(old["reason"]), "gates": old["verdict"] != "not_exercised"}
    return kept | ({"shown": again.words(old["shown"])} if old["shown"] else {})


def scaling(run: str) -> Again:
    """A part of no kind in particular."""
    part = Part(name="p", kind=PartKind.MANUAL, title="Part", claims=())
    details = ScalingDetails(cpu_factor=again.document(run)["cpu_factor"])
    plan = ScalingPlan(name="scaling", title="Scaling", parts=(part,))
    return Again("scaling", plan, again.seen(run, details), carried(run))


def deploy(run: str) -> Again:
    """A part with what was run."""
    [old] = again.document(run)["parts"]
    version = old["version"]
    part = msgspec.convert(
        {"name": old["name"], "kind": DeployKind.RELEASE, "title": old["title"], "claims": [], "version": version},
        DeployPart,
    )
    found = deploy_plan.load()
    plan: DeployPlan = msgspec.structs.replace(found, title="Deploy", parts=(part,))
    ran = msgspec.convert(old["ran"], tuple[Ran, ...])
    followed = Followed(name=old["name"], manifests=old["manifests"], replicas=2, surge=1, begun_ns=0, ran=ran)
    details = DeployDetails(versions=(version["name"],), followed=[followed])
    return Again("deploy_rehearsal", plan, again.seen(run, details), carried(run))


def network(run: str) -> Again:
    """A round of one attempt."""
    [old] = again.document(run)["rounds"]
    details = NetworkDetails(rounds={"before": msgspec.convert(old, Round)})
    plan = msgspec.structs.replace(planfile.bundled("network", NetworkPlan), title="Network")
    return Again("network", plan, again.seen(run, details), carried(run))


RUNS: dict[str, Callable[[str], Again]] = {
    "scaling_all_kinds": scaling,
    "deploy_all_kinds": deploy,
    "network_all_kinds": network,
}
