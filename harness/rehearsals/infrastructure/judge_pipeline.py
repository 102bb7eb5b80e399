"""What the workflows, commands and images of a repository say, against what the document says of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from harness.judge.claimed import held, not_exercised, shown_as
from harness.model.judgement import Judgement
from harness.model.manifests import OLD_REGISTRY
from harness.model.message import message
from harness.rehearsals.infrastructure.judge_terraform import absent, commands, elsewhere, left_open, worst
from harness.rehearsals.infrastructure.types import TEMPLATED, InfrastructurePlan, Repository
from harness.rehearsals.infrastructure.workflow import Job, Step, branches, jobs, starts, steps_of, tested

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


def pipeline(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    """Each claim on the way from a commit to the cluster."""
    every = {name: jobs(workflow) for name, workflow in found.workflows.items()}
    deploying = {name: of for name, of in every.items() if any(job.deploys for job in of)}
    claims = ("cicd.auth", "cicd.build", "strategy.versus.pipeline")
    if not deploying:
        yield from absent(plan, "cicd.trigger", message("workflow that deploys"), *claims)
    else:
        pushed = {name: branches(found.workflows[name]) for name in deploying}
        by_main = [name for name in deploying if starts(pushed[name], "main")] or [*deploying][:1]
        yield worst([_trigger(pushed[name], deploying[name]) for name in by_main])
        yield _auth(steps_of(found.workflows[name] for name in deploying))
        yield _build(steps_of(found.workflows.values()))
        told = message("workflows that deploy: {names}", names=", ".join(deploying))
        yield held("", "strategy.versus.pipeline", len(deploying) == 1, told)
    yield from _images(plan, found)
    yield from _scans(plan, found)
    yield from _commands(plan, found)


def _trigger(pushed: list[str], of: list[Job]) -> Judgement:
    claim, told = "cicd.trigger", message("a push to {branches} starts it", branches=", ".join(pushed) or "–")
    if not starts(pushed, "main"):
        return held("", claim, False, told)
    bare = [job.name for job in of if job.deploys and not (tested(job, of) or job.approved)]
    if bare:
        why = message("without a test before it, or an approval: {jobs}", jobs=", ".join(bare))
        return shown_as("", "cicd.no_tests", told, why, claim=claim)
    return held("", claim, True, told)


def _auth(steps: list[Step]) -> Judgement:
    claim = "cicd.auth"
    found = [step for step in steps if step.uses.startswith(_AUTH)]
    said = (text for step in steps for text in (*step.lines, *step.given.values()))
    if any("credentials_json" in step.given for step in found) or any(map(_BY_KEY.search, said)):
        return shown_as(
            "", "cicd.long_lived_key", message("it signs in by a key that is kept as a secret"), claim=claim
        )
    if found and all("workload_identity_provider" in step.given for step in found):
        return held("", claim, True, message("it signs in by Workload Identity, without a key"))
    return held("", claim, False, message("it signs in neither by a key nor by Workload Identity"))


def _build(steps: list[Step]) -> Judgement:
    claim = "cicd.build"
    building = [step for step in steps if _BUILDS.search(step.run) or step.uses.startswith(_BUILD_ACTION)]
    if not building:
        return held("", claim, False, message("no step builds an image"))
    unset = list(dict.fromkeys(name for step in building for name in step.unset))
    if not unset:
        return held("", claim, True, message("every variable of the command is set"))
    told = message("nobody sets {names}, which the command uses", names=", ".join(unset))
    if "PROJECT_ID" in unset:
        return shown_as("", "cicd.project_id_unset", told, claim=claim)
    return held("", claim, False, told)


def _images(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    claim = "manifest.deployment.image"
    if not found.images:
        if not plan.printed:  # which stands beside the document's own manifests
            yield not_exercised("", claim, message("there is no Deployment: manifests may lie elsewhere"))
        return
    told = message("images: {names}", names=", ".join(each.image for each in found.images))
    unread = [each.image for each in found.images if TEMPLATED in each.image]
    if any(_floats(each.image) for each in found.images if each.image not in unread):
        yield shown_as("", "manifest.deployment.image_latest", told, claim=claim)
    elif unread:
        yield left_open(claim, "image", unread[0])
    else:
        yield held("", claim, True, told)
    if any(OLD_REGISTRY.match(each.image) for each in found.images):
        yield shown_as("", "manifest.gcr_shut_down", told)


def _floats(image: str) -> bool:
    """Whether it names no version."""
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return not digest and (not colon or tag == "latest")


def _scans(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    steps = steps_of(found.workflows.values())
    runs = [step.run or step.uses for step in steps]
    yield _container_scan(found, runs)
    claim, also = "security.scan.go_modules", ("checklist.security.scan",)
    if any(step.runs(_SCANS) or (_SCANS.search(step.uses) and not step.may_fail) for step in steps):
        yield held("", claim, True, message("a workflow scans what is built"), also=also)
    elif runs:
        what = "nancy" if any("nancy" in run for run in runs) else "–"
        why = message("no workflow scans what is built; named: {what}", what=what)
        yield shown_as("", "security.nancy_input", why, claim=claim, also=also)
    else:
        yield from absent(plan, claim, message("workflow"), *also)
    yield from _files(plan, found)


def _files(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    if found.dependabot:
        yield held("", "security.scan.dependabot", True, message("Dependabot is configured"))
    else:
        yield from absent(plan, "security.scan.dependabot", message("configuration of Dependabot"))
    if not found.stages:
        yield from absent(plan, "phase2.dockerfile", message("Dockerfile"))
        return
    told = message("stages: {counts}", counts=", ".join(f"{name} {n}" for name, n in found.stages.items()))
    yield held("", "phase2.dockerfile", all(count > 1 for count in found.stages.values()), told)


def _container_scan(found: Repository, runs: list[str]) -> Judgement:
    claim = "security.scan.container"
    managed = bool(found.of("google_artifact_registry_repository"))
    old = any(OLD_REGISTRY.search(text) for text in (*runs, *(each.image for each in found.images)))
    if not managed or old:
        told = message(
            "a repository of Artifact Registry is managed: {managed}; images go to gcr.io: {old}",
            managed=_YES[managed],
            old=_YES[old],
        )
        return shown_as("", "security.scan_needs_artifact_registry", told, claim=claim)
    on = any(each.attributes.get("service") == _SCANNING for each in found.of("google_project_service"))
    return held("", claim, on, message("the service {name} is enabled: {on}", name=_SCANNING, on=_YES[on]))


_YES = {True: message("yes"), False: message("no")}


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


def _commands(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    """Whoever makes the cluster, and whether everybody means the same one."""
    named = [*_named(commands(found))]
    claim, managed = "operations.create_cluster", bool(found.of("google_container_cluster"))
    made = next((each for each in named if each.makes), None)
    if made and managed:
        why = message("made by a command, {name} in {region}, and by Terraform", name=made.name, region=made.place)
        yield shown_as("", "operations.cluster_twice", why, claim=claim)
    elif made or managed:
        yield held("", claim, True, message("one way alone makes the cluster"))
    else:
        yield from absent(plan, claim, message("command or resource that makes the cluster"))
    claim = "operations.credentials"
    if all(each.makes for each in named):
        yield from absent(plan, claim, message("command gcloud container clusters get-credentials"))
        return
    used = [step for step in steps_of(found.workflows.values()) if step.uses.startswith(_CREDENTIALS)]
    unread = [(each.command, each.unread) for each in named if each.unread]
    unread += [(name, step.given[name]) for step in used for name in _PLACE if elsewhere(step.given.get(name))]
    places = {(each.name, each.place) for each in named if not each.unread}
    places |= {
        (step.given.get("cluster_name", ""), step.given.get("location", ""))
        for step in used
        if not any(elsewhere(step.given.get(name)) for name in _PLACE)
    }
    if len(places) < 2 and unread:
        yield left_open(claim, *unread[0])
        return
    told = message("clusters named: {names}", names=", ".join(sorted(f"{name} ({where})" for name, where in places)))
    yield held("", claim, len(places) == 1, told)
