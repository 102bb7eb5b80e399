"""The command line: which command is asked for, and the exit status that it ends in (``harness.base.errors.Exit``)."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tomllib
import traceback
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from harness.base import terminal
from harness.base.data import ROOT, SCENARIOS
from harness.base.errors import BadInput, Exit, RehearsalError, more_severe, of_full_disk
from harness.base.progress import Heartbeat
from harness.base.shown import escaping
from harness.base.typed import PROGRAM
from harness.run.registry import COMMANDS, Entry

if TYPE_CHECKING:
    from harness.base.message import Message
    from harness.run.command import Command, Unrecognized

_FIRST = "to begin with"
_FILES, _STORED, _MACHINE, _CLUSTER = "files", "stored runs", "this machine", "cluster and images"
#: The commands that rehearse nothing.
TOOLS = (
    Entry("init", "harness.cli.init:Init", _FIRST),
    Entry("demo", "harness.cli.init:Demo", _FIRST),
    Entry("check", "harness.cli.check:CheckCommand", _FILES),
    Entry("runs", "harness.cli.stored.command:Runs", _STORED),
    Entry("judge", "harness.cli.stored.command:Judge", _STORED),
    Entry("compare", "harness.cli.stored.command:Compare", _STORED),
    Entry("report", "harness.cli.stored.command:ReportCommand", _STORED),
    Entry("export", "harness.cli.stored.command:Export", _STORED),
    Entry("size", "harness.cli.stored.size:SizeCommand", _STORED),
    Entry("observe", "harness.cli.observe.command:Observe", _STORED),
    Entry("claims", "harness.cli.stored.claims:Claims", _STORED),
    Entry("signoff", "harness.cli.stored.signoff:SignOff", _STORED),
    Entry("doctor", "harness.cli.doctor:Doctor", _MACHINE),
    Entry("clean", "harness.cli.clean:Clean", _MACHINE),
    Entry("stack up", "harness.cli.stack_command:StackUp", _MACHINE),
    Entry("stack keep", "harness.cli.stack_command:StackKeep", _MACHINE),
    Entry("stack status", "harness.cli.stack_command:StackStatus", _MACHINE),
    Entry("stack down", "harness.cli.stack_command:StackDown", _MACHINE),
    Entry("undo", "harness.cli.undo:Undo", _MACHINE),
    Entry("migrate", "harness.cli.migrate:Migrate", _MACHINE),
    Entry("reconcile", "harness.cli.reconcile:Reconcile", _MACHINE),
    Entry("bench", "bench.command:Bench", _MACHINE),
    Entry("completion", "harness.cli.completion:Completion", _MACHINE),
    Entry("cluster up", "harness.cli.cluster:ClusterUp", _CLUSTER),
    Entry("cluster down", "harness.cli.cluster:ClusterDown", _CLUSTER),
    Entry("cluster list", "harness.cli.cluster:ClusterList", _CLUSTER),
    Entry("images", "harness.cli.cluster:ImagesCommand", _CLUSTER),
)
#: The commands of two words, by the first.
VERBS = tuple(dict.fromkeys(entry.name.partition(" ")[0] for entry in TOOLS if " " in entry.name))
ALL = {entry.name: entry for entry in (*COMMANDS, *TOOLS)}
_USAGE = f"usage: {PROGRAM} COMMAND [OPTIONS] | COMMAND --help | list | --version"


def listed(entries: Sequence[Entry]) -> str:
    """The commands by group, one line each."""
    lines = []
    for group, of_group in groupby(entries, lambda entry: entry.group):
        lines += ["", f"{group}:", *(f"  {entry.name:<17} {entry.told}" for entry in of_group)]
    return "\n".join(lines[1:]) + "\n"


def parse(words: Sequence[str], tell: Callable[[Message], object] = lambda _: None) -> Command:
    """The command that the words ask for; ``tell`` hears which file set what is run. Raises ``BadInput``;
    ``SystemExit`` once its help is printed."""
    from harness.base.options import working_folder
    from harness.cli.defaults import defaults
    from harness.run import command as declared

    asked = (" ".join(words[:2]).replace("-", "_"), *(word.replace("-", "_") for word in words[:1]))
    name = next((name for name in asked if name in ALL), None)
    if name is None:
        raise _unknown(words)
    try:
        command, typed = ALL[name].load(), words[len(name.split()) :]
        values, said = defaults(command, typed, ALL, working_folder(), os.environ)
        for each in said:
            tell(each)
        return declared.parse(command, typed, values)
    except declared.Unrecognized as error:
        raise BadInput(error.told, where=error.where, remedy=_instead(error)) from None


def _unknown(words: Sequence[str]) -> BadInput:
    from harness.base.message import message, nearest

    if not words:
        told = message("a command is required")
    elif words[0] == "list":
        told = message("list takes --json and nothing else, not {words}", words=shlex.join(words[1:]))
    elif (SCENARIOS / f"{(scenario := words[0].replace('-', '_'))}.yaml").is_file():
        told = message("{name} is no command; did you mean 'run {scenario}'?", name=repr(words[0]), scenario=scenario)
    else:
        asked = " ".join(words[:2]) if words[0] in VERBS else words[0]
        near = nearest(" ".join(words[:2]), list(ALL)) or nearest(words[0], list(ALL))
        told = message("{name} is no command{near}", name=repr(asked), near=near)
    remedy = message("{program} list shows the commands", program=PROGRAM)
    return BadInput(told, where=PROGRAM, remedy=remedy)


def _instead(error: Unrecognized) -> Message | str:
    """What to do about a flag that a command does not take: who takes it, or the nearest that this one takes."""
    from harness.base.message import message, nearest
    from harness.run.command import flags

    if takers := [name for name, entry in ALL.items() if error.flag in flags(entry.load())]:
        return message("{option} is an option of: {commands}", option=error.flag, commands=", ".join(takers))
    near = nearest(error.flag, flags(error.command))
    return message("{help}{near}", help=message("--help shows what it takes"), near=near)


def _answer(words: list[str]) -> str | None:
    """What is said without running a command: the list, the version, the verbs of ``stack`` and ``cluster``."""
    if words in (["list"], ["list", "--help"], ["list", "-h"], ["--help"], ["-h"]):
        return f"{_USAGE}\n\n{listed(tuple(ALL.values()))}"
    if words == ["list", "--json"]:
        found = [{"name": each.name, "group": each.group, "told": each.told} for each in ALL.values()]
        return f"{json.dumps(found, indent=2)}\n"
    if words == ["--version"]:
        return f"tekutoko-rehearsal {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}\n"
    if len(words) == 2 and words[0] in VERBS and words[1] in ("--help", "-h"):
        return listed([entry for entry in TOOLS if entry.name.startswith(f"{words[0]} ")])
    return None


def main(words: Sequence[str]) -> int:
    """Runs one command; every error a person can mend is printed without a traceback, nothing as a terminal's codes."""
    with escaping():
        return _main(words)


def _main(words: Sequence[str]) -> int:
    if (answer := _answer(list(words))) is not None:
        sys.stdout.write(answer)
        return Exit.OK
    from harness.model.message import gettext_noop, whole
    from harness.report.language import asked_for, language

    lang, where = asked_for(words, os.environ), PROGRAM
    try:
        command = parse(words, lambda said: sys.stderr.write(language(lang).message(said) + "\n"))
        lang, where = getattr(command, "lang", lang), f"{PROGRAM} {command.name}"
        with Heartbeat(command.name):
            return int(command.run())
    except SystemExit as ended:  # 0 of argparse, which has printed a command's help; else what a command needs lacks
        return int(ended.code or Exit.OK)
    except KeyboardInterrupt:
        sys.stderr.write(language(lang)(gettext_noop("interrupted")) + "\n")
        return Exit.INTERRUPTED
    except Exception as error:
        if (found := error if isinstance(error, RehearsalError) else of_full_disk(error)) is not None:
            found = found.met(where) if found.exit is Exit.USAGE else found
            sys.stderr.write(language(lang)("error: {error}", error=whole(found)) + "\n")
            if found.exit is Exit.USAGE and where.removeprefix(f"{PROGRAM} ") not in {each.name for each in TOOLS}:
                sys.stderr.write("  " + language(lang)(gettext_noop("nothing was run")) + "\n")
            return found.exit
        traceback.print_exc()
        what = gettext_noop("internal error: please keep the report's folder and tell the maintainers")
        sys.stderr.write(language(lang)(what) + "\n")
        return Exit.INTERNAL


def with_output(status: int) -> int:
    """``status``, or the more severe 31 when the disk under standard output took less than was said."""
    lost = terminal.output_lost()
    if lost is None:
        return status
    sys.stderr.write(f"error: standard output could not be written: {lost.strerror}\n  to do: free some space\n")
    return more_severe(Exit(status), Exit.RUN_BROKEN) if status in set(Exit) else status
