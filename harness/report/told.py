"""What a result says of its run and of the manifests, in words: the facts of the page and of the summary alike."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.judgement import CAPABILITY
from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.result import Result, RunInfo
from harness.model.stack import Capability, EnvironmentKind
from harness.report import words
from harness.report.language import Language


def status_words(result: Result, say: Language) -> str:
    """The run's id, its plan, and the exit status."""
    status = say("under way or killed")
    if result.exit_status is not None:
        status = say("exit status {status}", status=str(result.exit_status))
    return say("{run}, plan {plan}, {status}", run=result.run_id, plan=result.plan, status=status)


def timings(found: RunInfo, say: Language) -> Iterator[str]:
    """Each timing with its name; one that this report does not know yet under its own."""
    return (f"{say(words.TIMING.get(name, name))} {seconds:.1f} s" for name, seconds in found.timings.items())


def target(found: RunInfo, say: Language) -> str:
    """The target, and that the bundled one is not the Go backend; of our sample its name says whose the figures are."""
    name = say(found.target)
    return say("{target} (bundled as a reference; not the Go backend)", target=name) if found.target_bundled else name


def place(found: RunInfo, say: Language) -> Iterator[tuple[str, str]]:
    """Where the run was, and what it ran, each with its name."""
    yield say("Environment"), f"{found.rung}: {say(words.RUNG[found.rung])}"
    yield say("Target"), target(found, say)
    if not (found.target_digest or found.target_bundled):
        yield say("Program or image"), say("could not be told, and no evidence counts: {ask}", ask=say(words.ASK))


def capabilities(found: RunInfo, say: Language) -> tuple[list[str], list[str]]:
    """What the environment could do, and what it could not; nothing of either where no stack was asked for."""
    if not found.capabilities:
        return [], []
    has = [say(CAPABILITY[each]) for each in Capability if each in found.capabilities]
    return has, [say(CAPABILITY[each]) for each in Capability if each not in found.capabilities]


def _placed(text: str, each: ManifestWarning | RepositoryErratum) -> str:
    place = f"{each.file}:{each.line}" if each.line else each.file
    return f"{text} ({place})" if place else text


def about_manifests(found: RunInfo, say: Language) -> list[tuple[str, list[str]]]:
    """Headed lists: what a folder of somebody's own carries."""
    risks = [_placed(say.message(each.told), each) for each in found.manifest_warnings]
    errata = [
        _placed(f"{each.id}: {say(words.STATE[each.state])}: {say.message(each.told)}", each)
        for each in found.repository_errata
    ]
    parts = (
        (say("Risks of the folder of manifests"), risks),
        (say("The document's errata in the folder of manifests"), errata),
    )
    return [(head, lines) for head, lines in parts if lines]


def stand_ins(found: RunInfo, say: Language) -> list[str]:
    """What stands in for production."""
    return [say(each) for each in (words.SIMULATED if found.rung is EnvironmentKind.SIM else words.STAND_INS)]
