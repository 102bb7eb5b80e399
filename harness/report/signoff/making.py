"""Which commands make the evidence of a sign-off, which of them a stored run already holds, what is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from harness.base.planfile import RuleError, once
from harness.base.shell import shell_words
from harness.model.claim import Claim, Dependency
from harness.model.message import Message, Told, message
from harness.model.scenario import Span
from harness.report.signoff.counting import about, commands, left_out, unproven
from harness.report.signoff.types import EvidenceWanted, StoredResult


class CommandStep(msgspec.Struct, frozen=True, kw_only=True):
    """A command line behind ``python3 -m harness``, and about how long it takes on two cores. ``reviews``: it reads the
    results of the commands before it, and is made again behind each of them."""

    run: str
    takes_s: Span
    reviews: bool = False

    @property
    def words(self) -> list[str]:
        """The command line's words. Raises ``BadInput``."""
        return shell_words(self.run, message("the step {run}", run=self.run))


class EvidencePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The commands in their order; together they take at most ``within_s`` seconds."""

    name: str
    title: str
    within_s: Span
    steps: tuple[CommandStep, ...]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a command that is there twice, and for a plan that takes longer than it may."""
        once(step.run for step in self.steps)
        takes_s = sum(step.takes_s for step in self.steps)
        if takes_s > self.within_s:
            given = {"minutes": minutes(takes_s), "limit": minutes(self.within_s)}
            what = message("the commands take {minutes} min, and {limit} are there", **given)
            raise RuleError(what, "within_s", remedy="leave one out, or give it more time")


class CommandDue(msgspec.Struct, frozen=True, kw_only=True):
    """A command of the plan on this machine. ``replay`` is the line by which its run names itself; ``held`` the folder
    of a whole run that counts, "" where there is none; ``because`` why the newest one does not count any more;
    ``cannot`` why it cannot be run here, ``None`` where it can.
    """

    replay: str
    words: tuple[str, ...]
    environment: str
    takes_s: float
    held: str = ""
    because: Told = ()
    cannot: Message | None = None

    @property
    def left(self) -> bool:
        """Whether it is to be run."""
        return not self.held and self.cannot is None


def minutes(seconds: float) -> str:
    """As people read it."""
    return f"{seconds / 60:.0f}"


def held(
    stored: Sequence[StoredResult],
    asked: EvidenceWanted,
    replay: str,
    behind: Iterable[str] = (),
    register: Mapping[str, Claim] = MappingProxyType({}),
) -> str:
    """The folder of the newest run of that line that counts for every claim that it judges, and ended as it should; ""
    where there is none, or none later than those of the lines ``behind`` which it comes. What it found does not matter:
    run again, it would find the same."""

    def newest(line: str) -> tuple[str, str]:
        found = newest_of((each for each in stored if not lacking(each, asked, register)), line)
        return ("", "") if found is None else (found.result.facts.started_utc, found.folder)

    started_utc, folder = newest(replay)
    return folder if all("" < newest(line)[0] <= started_utc for line in behind) else ""


def lacking(stored: StoredResult, asked: EvidenceWanted, register: Mapping[str, Claim]) -> Told:
    """Why a run does not count, or not for each claim that its command is to judge; () where it does."""
    ours = commands(stored.result)
    claims = [each for each in about(stored.result, register) if not ours.isdisjoint(each.judged_by)]
    on = {each for claim in claims for each in claim.rests_on} if claims else {*Dependency}
    return left_out(stored, asked, on) or unproven(stored)


def newest_of(stored: Iterable[StoredResult], replay: str) -> StoredResult | None:
    """The newest run of that line, whether or not it counts; ``None`` where there is none."""
    of_it = [each for each in stored if _what(each.result.facts.replay) == _what(replay)]
    return max(of_it, key=lambda each: each.result.facts.started_utc, default=None)


def _what(replay: str) -> str:
    """What a line runs, whoever typed it: behind the name of the Python, and whether or not it says that nothing is
    read from outside, for any line says all that was in effect."""
    return replay.partition(" ")[2].replace(" --no-defaults", "")


def told(plan: EvidencePlan, due: Sequence[CommandDue]) -> Iterator[Message]:
    """The plan before anything is begun: what is run, about how long, in which environment, and what is not."""
    left_s = sum(each.takes_s for each in due if each.left)
    yield message(
        "{title}: {left} of {all} commands are to be run, about {minutes} min",
        title=Message(text=plan.title),
        left=str(sum(each.left for each in due)),
        all=str(len(due)),
        minutes=minutes(left_s),
    )
    for each in due:
        words = {"command": each.replay, "environment": each.environment, "minutes": minutes(each.takes_s)}
        if each.held:
            yield message("  {command}: held by {folder}", command=each.replay, folder=each.held)
        elif each.cannot is not None:
            yield message("  {command}: cannot be run here, {why}", command=each.replay, why=each.cannot)
        else:
            yield message("  {command}: {environment}, about {minutes} min", **words)
            yield from (message("    its last run does not count: {why}", why=why) for why in each.because)
