"""The facts of the document's infrastructure and pipeline: what a repository says, and what Google's promises come to.
Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import msgspec

from harness.base.message import gettext_noop
from harness.model.manifests import OLD_REGISTRY
from harness.model.message import message
from harness.rehearsals.infrastructure import facts_terraform
from harness.rehearsals.infrastructure.facts_terraform import (
    SettingFound,
    commands,
    counted,
    elsewhere,
    listed,
    unprinted,
    unread,
)
from harness.rehearsals.infrastructure.types import TEMPLATED, InfrastructurePlan, Repository
from harness.rehearsals.infrastructure.workflow import Job, WorkflowStep, branches, jobs, starts, steps_of, tested
from harness.rules.rule import Fact, FactsOf

# What the workflows, commands and images of a repository say of what the document says. Pure.

_PLACE = ("cluster_name", "location")
_AUTH, _CREDENTIALS = "google-github-actions/auth", "google-github-actions/get-gke-credentials"
_BUILDS = re.compile(r"\bgcloud builds submit\b|\bdocker (buildx )?build\b|\bko build\b")
_BUILD_ACTION = "docker/build-push-action"
#: What signs in by the key of a service account: a command, or the input of an action.
_BY_KEY = re.compile(r"\bgcloud auth activate-service-account\b|\b_json_key(_base64)?\b")
_SCANS = re.compile(r"\bgovulncheck\b|^golang/govulncheck-action\b|go list -json[^|]*\|\s*nancy\b")
_SCANNING = "containerscanning.googleapis.com"
#: A word of a command, be it quoted or an expression of GitHub's; what ends the command is none of it.
_WORD = r"[\"']?(\$\{\{.*?\}\}|[^\s;&|)\"']+)[\"']?"
_NAMED = re.compile(
    rf"\bclusters\s+(create-auto|create|get-credentials)\s+{_WORD}.*?--(?:region|location|zone)(?:=|\s+){_WORD}"
)
_IMAGES = {
    "images.floating": gettext_noop("images without a version: {seen} of {of} ({why})"),
    "images.in_old_registry": gettext_noop("images in Container Registry: {seen} of {of} ({names})"),
}
_DOCKERFILES = {
    "dockerfiles.found": gettext_noop("Dockerfiles: {seen}"),
    "dockerfiles.one_stage": gettext_noop("Dockerfiles of one stage: {seen} of {of} ({stages})"),
}
PIPELINE_PHRASES = {
    "workflows.deploying": gettext_noop("workflows that deploy: {seen} ({names})"),
    "trigger.not_by_main": gettext_noop("of these a push to main does not start: {seen} of {of} ({why})"),
    "trigger.untested": gettext_noop("of these without a test before it, or an approval: {seen} of {of} ({why})"),
    "auth.by_key": gettext_noop("sign-ins by a key that is kept as a secret: {seen}"),
    "auth.neither": gettext_noop("sign-ins neither by a key nor by Workload Identity: {seen}"),
    "build.steps": gettext_noop("steps that build an image: {seen}"),
    "build.project_unset": gettext_noop("uses of PROJECT_ID, which nobody sets: {seen}"),
    "build.unset": gettext_noop("variables of the command that nobody sets: {seen} ({names})"),
    **_IMAGES,
    "registry.wrong": gettext_noop(
        "ways to Artifact Registry that are missing: {seen} of {of} (a repository of Artifact Registry is managed: "
        "{managed}; images go to gcr.io: {old})"
    ),
    "scanning.off": gettext_noop("the service {service} is enabled: {on} ({seen} of {of} is missing)"),
    "workflows.steps": gettext_noop("steps of workflows: {seen}"),
    "scan.missing": gettext_noop("scans of what is built that are missing: {seen} of {of} (named: {what})"),
    "dependabot.configured": gettext_noop("configurations of Dependabot: {seen}"),
    **_DOCKERFILES,
    "cluster.ways": gettext_noop("ways that make the cluster: {seen} ({names})"),
    "credentials.commands": gettext_noop("commands gcloud container clusters get-credentials: {seen}"),
    "clusters.named": gettext_noop("clusters named: {seen} ({names})"),
}
_YES = {True: message("yes"), False: message("no")}


def pipeline_facts(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """All on the way from a commit to the cluster."""
    every = {name: jobs(workflow) for name, workflow in found.workflows.items()}
    deploying = {name: of for name, of in every.items() if any(job.deploys for job in of)}
    if deploying or not plan.printed:
        yield fact("workflows.deploying", len(deploying), names=listed(deploying))
    if deploying:
        pushed = {name: branches(found.workflows[name]) for name in deploying}
        by_main = [name for name in deploying if starts(pushed[name], "main")] or [*deploying][:1]
        yield counted(fact, "trigger.not_by_main", [_trigger(pushed[name]) for name in by_main])
        yield counted(fact, "trigger.untested", [_untested(pushed[name], deploying[name]) for name in by_main])
        yield from _auth(fact, steps_of(found.workflows[name] for name in deploying))
        yield from _build(fact, steps_of(found.workflows.values()))
    yield from _images(fact, plan, found)
    yield from _scans(fact, plan, found)
    yield from _files(fact, plan, found)
    yield from _commands(fact, plan, found)


def _trigger(pushed: list[str]) -> SettingFound:
    told = message("a push to {branches} starts it", branches=listed(pushed))
    return SettingFound(not starts(pushed, "main"), (told,))


def _untested(pushed: list[str], of: list[Job]) -> SettingFound:
    bare = [job.name for job in of if job.deploys and not (tested(job, of) or job.approved)]
    return SettingFound(bool(bare) and starts(pushed, "main"), (message("jobs: {jobs}", jobs=listed(bare)),))


def _auth(fact: FactsOf, steps: list[WorkflowStep]) -> Iterator[Fact]:
    found = [step for step in steps if step.uses.startswith(_AUTH)]
    said = [text for step in steps for text in (*step.lines, *step.given.values())]
    by_key = any("credentials_json" in step.given for step in found) or any(map(_BY_KEY.search, said))
    federated = bool(found) and all("workload_identity_provider" in step.given for step in found)
    yield fact("auth.by_key", int(by_key))
    yield fact("auth.neither", int(not by_key and not federated))


def _build(fact: FactsOf, steps: list[WorkflowStep]) -> Iterator[Fact]:
    """One that lacks the project too lacks it first."""
    building = [step for step in steps if _BUILDS.search(step.run) or step.uses.startswith(_BUILD_ACTION)]
    unset = list(dict.fromkeys(name for step in building for name in step.unset))
    project = "PROJECT_ID" in unset
    others = [] if project else unset
    yield fact("build.steps", len(building))
    yield fact("build.project_unset", int(project))
    yield fact("build.unset", len(others), names=listed(others))


def _images(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterable[Fact]:
    images = [each.image for each in found.images]
    if not images and plan.printed:  # the document's own manifests have one
        return fact.none("images.in_old_registry", lacks=(message("there is no Deployment"),))
    if not images:
        return fact.none(*_IMAGES, lacks=(message("there is no Deployment: manifests may lie elsewhere"),))
    told = message("images: {names}", names=listed(images))
    of = [unread("image", each) if TEMPLATED in each else SettingFound(_floats(each), (told,)) for each in images]
    old = [each for each in images if OLD_REGISTRY.match(each)]
    floating = counted(fact, "images.floating", of)
    lacks = () if old else (message("no image lies in Container Registry"),)
    return floating, fact("images.in_old_registry", len(old), of=len(images), lacks=lacks, names=listed(old))


def _floats(image: str) -> bool:
    """Whether it names no version."""
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return not digest and (not colon or tag == "latest")


def _scans(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    steps = steps_of(found.workflows.values())
    runs = [step.run or step.uses for step in steps]
    managed = bool(found.of("google_artifact_registry_repository"))
    old = any(OLD_REGISTRY.search(text) for text in (*runs, *(each.image for each in found.images)))
    on = any(each.attributes.get("service") == _SCANNING for each in found.of("google_project_service"))
    yield fact("registry.wrong", int(not managed) + int(old), of=2, managed=_YES[managed], old=_YES[old])
    yield fact("scanning.off", int(not on), of=1, service=_SCANNING, on=_YES[on])
    if runs or not plan.printed:
        yield fact("workflows.steps", len(runs))
    if runs:
        scans = any(step.runs(_SCANS) or (_SCANS.search(step.uses) and not step.may_fail) for step in steps)
        what = "nancy" if any("nancy" in run for run in runs) else "–"
        yield fact("scan.missing", int(not scans), of=1, what=what)


def _files(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    if plan.printed and not found.dependabot:
        yield from unprinted(fact, ("dependabot.configured",), message("configuration of Dependabot"))
    else:
        yield fact("dependabot.configured", int(found.dependabot))
    if plan.printed and not found.stages:
        yield from unprinted(fact, _DOCKERFILES, message("Dockerfile"))
        return
    stages = listed(f"{name} {count}" for name, count in found.stages.items())
    one = sum(count < 2 for count in found.stages.values())
    yield fact("dockerfiles.found", len(found.stages))
    yield fact("dockerfiles.one_stage", one, of=len(found.stages), stages=stages)


class _Named(msgspec.Struct, frozen=True):
    """A command on a cluster, with the cluster that it names."""

    command: str
    name: str
    place: str

    @property
    def makes(self) -> bool:
        """Whether it makes the cluster."""
        return self.command != "get-credentials"

    @property
    def unread(self) -> str:
        """The variable that names it, or its place, whose value is not read; "" where none does."""
        return next((each for each in (self.name, self.place) if "$" in each), "")


def _named(texts: Iterable[str]) -> Iterator[_Named]:
    for text in texts:
        for found in _NAMED.finditer(text):
            yield _Named(*found.groups())


def _commands(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """Whoever makes the cluster, and whether everybody means the same one."""
    named = [*_named(commands(found))]
    made = next((f"{each.name} in {each.place}" for each in named if each.makes), "")
    ways = [*([made] if made else []), *(["Terraform"] if found.of("google_container_cluster") else [])]
    asking = [each for each in named if not each.makes]
    if ways or not plan.printed:
        yield fact("cluster.ways", len(ways), names=listed(ways))
    if asking or not plan.printed:
        yield fact("credentials.commands", len(asking))
    if not asking:
        return
    used = [step for step in steps_of(found.workflows.values()) if step.uses.startswith(_CREDENTIALS)]
    open_ = [unread(each.command, each.unread) for each in named if each.unread]
    open_ += [unread(name, step.given[name]) for step in used for name in _PLACE if elsewhere(step.given.get(name))]
    places = {(each.name, each.place) for each in named if not each.unread}
    places |= {
        (step.given.get("cluster_name", ""), step.given.get("location", ""))
        for step in used
        if not any(elsewhere(step.given.get(name)) for name in _PLACE)
    }
    names, count = listed(sorted(f"{name} ({where})" for name, where in places)), len(places)
    besides = open_[0].told if open_ else ()
    yield fact("clusters.named", count, high=count + len(open_), of=len(named), names=names, besides=besides)


#: Each fact of a repository, in a sentence.
PHRASES = {
    **facts_terraform.PHRASES,
    **PIPELINE_PHRASES,
    "sla.product_ratio": gettext_noop(
        "{parts}: {product} in series; the document prints {printed} and requires {required}"
    ),
    "sla.printed_ratio": gettext_noop("the document prints {seen}"),
}


def facts(plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """All that was read; and the parts in series, of which a request needs each."""
    fact, of = FactsOf(PHRASES), plan.tables.availability
    yield from facts_terraform.facts(fact, plan, found)
    yield from pipeline_facts(fact, plan, found)
    product = math.prod(each.promise for each in of.parts)
    yield fact(
        "sla.product_ratio", product, parts=", ".join(f"{each.part} {each.promise:.2%}" for each in of.parts),
        product=f"{product:.2%}", printed=f"{of.printed:.2%}", required=f"{of.required:.2%}",
    )  # fmt: skip
    yield fact("sla.printed_ratio", of.printed)
