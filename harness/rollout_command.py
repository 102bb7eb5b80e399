"""``python -m harness rollout``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.clock import Clock, MachineClock
from harness.lifecycle import run_to_end
from harness.model.errors import BadInput
from harness.model.rollout_run import Rollout
from harness.options import RunOptions
from harness.progress import Progress
from harness.report.language import ENGLISH, Language, language
from harness.report.published import ROLLOUT, ROLLOUT_JSON
from harness.report.rollout_view import NOT_ENTERED, stopped_words
from harness.report.words import DECISION, report_line
from harness.targets import ROOT

OptionsOf = Callable[[argparse.Namespace], RunOptions]
Parse = Callable[[Sequence[str]], argparse.Namespace]

#: What a resume may be given: the rest is the rollout's own, as it was begun.
_FREE = {"resume", "yes_use_this_cluster", "reports", "json", "lang", "handler", "command"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options that a rollout has beside those of a run."""
    command.add_argument("--weeks", default="1-4", metavar="FROM-TO", help="which weeks, e.g. 2-3 (default: 1-4)")
    command.add_argument(
        "--resume", metavar="ROLLOUT", help="continue a stopped rollout (its id, its folder, or latest) as it was begun"
    )


def run(arguments: argparse.Namespace, options_of: OptionsOf, parse: Parse) -> int:
    """Runs the command. ``options_of`` reads a week's arguments, ``parse`` a rollout's words. Raises ``BadInput``."""
    clock = MachineClock()
    progress = Progress(clock)
    from harness.rollout import RealWeeks, RolloutRehearsal  # SciPy and psutil load here

    say = language(arguments.lang)
    rollout, folder, weeks = plan(arguments, options_of, parse, clock)
    progress.plain(
        f"seed {rollout.seed}, environment {rollout.rung}, target {rollout.target}; replay: {rollout.replay}"
    )
    total_s = sum(options.scenario.window_s for options in weeks.values())
    progress.plain(
        f"weeks {', '.join(map(str, weeks))}: measuring windows of {total_s:g} s in all, each with its own stack"
    )
    rehearsal = RolloutRehearsal(
        rollout, weeks=weeks, folder=folder, runner=RealWeeks(clock, progress), clock=clock, progress=progress, say=say
    )

    return run_to_end(
        lambda: rehearsal,
        progress,
        lambda ended, folder: conclusion(ended, Path(folder), say),
        printed=ROLLOUT_JSON if arguments.json else None,
    )


def plan(
    arguments: argparse.Namespace, options_of: OptionsOf, parse: Parse, clock: Clock
) -> tuple[Rollout, Path, dict[int, RunOptions]]:
    """The rollout, new or resumed, its folder, and the options of each week still to be entered."""
    from harness.rollout import new_rollout, resumable, weeks_of

    reports = arguments.reports.absolute()
    if arguments.resume is not None:
        _nothing_else(arguments, parse([]))
        folder = _folder(arguments.resume, reports)
        rollout = resumable(ROLLOUT.read(folder / ROLLOUT_JSON))
        begun = parse(rollout.options)
        begun.yes_use_this_cluster = arguments.yes_use_this_cluster
        weeks = _options(begun, rollout.weeks_asked, options_of)
        weeks = {week: msgspec.structs.replace(each, lang=arguments.lang) for week, each in weeks.items()}
        left = {week: options for week, options in weeks.items() if week >= (rollout.next_week or 1)}
        return rollout, folder, left
    asked = weeks_of(arguments.weeks)
    weeks = _options(arguments, asked, options_of)
    first = weeks[asked[0]]
    words = ["--on", str(first.rung), "--seed", str(first.seed), *first.changed]
    words += ["--weeks", arguments.weeks] if arguments.weeks != parse([]).weeks else []
    replay = shlex.join(["python", "-m", "harness", "rollout", *words])
    # Beside the replay's: what belongs to this machine.
    words += ["--service-port", str(arguments.service_port)] if arguments.service_port is not None else []
    words += ["--manifests", str(arguments.manifests.absolute())] if arguments.manifests is not None else []
    rollout = new_rollout(first, asked, tuple(words), replay, clock)
    return rollout, reports / rollout.rollout_id, weeks


def conclusion(rollout: Rollout, folder: Path, say: Language = ENGLISH) -> str:
    """The closing lines: each week's latest decision, where the rollout stands, where the report lies."""
    decision = say(DECISION[rollout.decision])
    lines = [say("rollout: {decision}. {stopped}", decision=decision, stopped=stopped_words(rollout, say))]
    latest = rollout.latest()
    for week in rollout.weeks_asked:
        ended = latest.get(week)
        told = say(NOT_ENTERED)
        if ended is not None:
            told = say(
                "{decision} in {seconds} s", decision=say(DECISION[ended.decision]), seconds=f"{ended.seconds:.0f}"
            )
        lines.append(f"  {say('Week {week}', week=str(week))}: {told}")
    lines += [say("error: {error}", error=error) for error in rollout.errors]
    if rollout.exit_status is not None:  # None while it is under way
        lines.append(report_line(str(folder), rollout.exit_status, say))
    return "\n".join(lines)


def _options(arguments: argparse.Namespace, weeks: Sequence[int], options_of: OptionsOf) -> dict[int, RunOptions]:
    """Each week's options, all read before the first week begins, so that a mistake costs no time."""
    return {
        week: options_of(argparse.Namespace(**{**vars(arguments), "scenario": f"rollout_week{week}"})) for week in weeks
    }


def _nothing_else(arguments: argparse.Namespace, defaults: argparse.Namespace) -> None:
    given = {name for name, value in vars(arguments).items() if value != getattr(defaults, name, None)} - _FREE
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise BadInput(
            f"--resume goes with neither of {named}: it continues with the seed and the options of the beginning",
            where="--resume",
            remedy="leave them out, or begin a new rollout, with --weeks if need be",
        )


def _folder(named: str, reports: Path) -> Path:
    """The rollout's folder, by its id (or ``latest``) in the reports folder or by its path."""
    by_id = reports / named
    for path in (by_id, Path(named).absolute(), ROOT / named):
        if (path / ROLLOUT_JSON).exists():
            return path.resolve()
    return by_id.resolve()  # the reader says what is missing
