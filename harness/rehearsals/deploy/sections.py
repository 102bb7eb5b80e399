"""What the page of a deploy shows besides its judgements: each part's course, what users met, the commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.evidence.gathered import Gathered
from harness.model.message import message
from harness.model.section import Block, Blocks, Cell, Chart, Lines, Section, Timeline
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.deploy.facts import View, observed
from harness.rehearsals.deploy.tallies import Tally
from harness.rehearsals.deploy.types import DeployDetails, DeployPlan, Followed
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import by_version, first_seen
from harness.report.series import axis_of, measured_on


def sections(plan: DeployPlan, seen: Seen[DeployDetails]) -> Iterator[Section]:
    """Of each part its course, what users met, what was seen besides, and the commands with their output."""
    versions = {part.name: part.version.name for part in plan.parts}
    names = _names(seen, versions)
    for followed in seen.details.followed:
        if followed.end_ns:
            yield _course(followed, seen.evidence, names)
        lines = _lines(versions[followed.name], followed, met(plan, followed, seen), seen)
        yield Lines(title=message("Observed"), lines=tuple(lines), part=followed.name)
        if followed.ran:
            yield _commands(followed)


def met(plan: DeployPlan, followed: Followed, seen: Seen[DeployDetails]) -> Tally:
    """What users met in a part."""
    return View(plan, followed, seen.details, seen.evidence, seen.facts.seed).met()


def _names(seen: Seen[DeployDetails], versions: Mapping[str, str]) -> dict[str, str]:
    """The version of each revision of the Deployment: the part's in which its first pod came."""
    return {
        revision: versions[part.name]
        for revision, at_ns in first_seen(seen.evidence.events).items()
        for part in seen.details.followed
        if part.begun_ns <= at_ns < part.end_ns
    }


def _course(followed: Followed, evidence: Gathered, names: Mapping[str, str]) -> Timeline:
    axis = axis_of(followed.begun_ns, followed.end_ns, followed.begun_ns)
    measured = measured_on(axis, evidence)
    pods = by_version(evidence.events, axis, names)
    shown: list[Chart] = [] if pods is None else [pods]
    shown += [charts.errors(measured)] if measured.sides else []
    shown += charts.probes(measured)
    return stretch(
        message("Course of the part"), axis, shown, evidence.events, {"deployment", "fault"}, part=followed.name
    )


def _lines(version: str, followed: Followed, met: Tally, seen: Seen[DeployDetails]) -> Iterator[Cell]:
    yield message("manifests {manifests}, version {version}", manifests=followed.manifests, version=version)
    yield message(
        "{failed} of {all} bad, from the first to the last {seconds}",
        failed=str(met.failed),
        all=str(met.calls),
        seconds="–" if met.bad_s is None else f"{met.bad_s:.1f} s",
    )
    yield from observed(followed, seen.evidence.events)


def _commands(followed: Followed) -> Blocks:
    return Blocks(
        title=message("the commands and their output"),
        blocks=tuple(
            Block(
                caption=message("{command} ended in {status}", command=one.command, status=str(one.status)),
                text=one.output.strip(),
            )
            for one in followed.ran
        ),
        part=followed.name,
    )
