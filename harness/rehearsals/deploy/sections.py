"""What the page of a deploy shows besides its judgements: each part's course, what users met, the commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.evidence.gathered import Gathered
from harness.model.message import message
from harness.model.section import Block, Blocks, Chart, Lines, Section, Timeline
from harness.rehearsals.deploy.facts import observed
from harness.rehearsals.deploy.types import DeployDetails, DeployPlan, Followed
from harness.report import course as charts
from harness.report.course import stretch
from harness.report.panels import by_version, first_seen
from harness.report.series import axis_of, measured_on
from harness.run.rehearsal import RunRecord


def sections(plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterator[Section]:
    """Of each part its course, what users met, what was seen besides, and the commands with their output."""
    versions = {part.name: part.version.name for part in plan.parts}
    names = _names(seen, versions)
    for followed in seen.details.followed:
        if followed.end_ns:
            yield _course(followed, seen.evidence, names)
        if lines := tuple(observed(followed, seen.evidence.events)):
            yield Lines(title=message("Observed"), lines=lines, part=followed.name)
        if followed.ran:
            yield _commands(followed)


def _names(seen: RunRecord[DeployDetails], versions: Mapping[str, str]) -> dict[str, str]:
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
