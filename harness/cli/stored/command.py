"""``python -m harness judge RUN``, ``compare RUN RUN`` and ``report RUN``: of any rehearsal."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

from harness.report.language import LANGUAGES, language

RUN_HELP = "a run's folder, its result.json, a run's id below the reports folder, or latest"


def add_commands(commands: Any, reports: Path) -> None:
    """Adds the commands to the subparsers of the command line."""
    judge = commands.add_parser("judge", help="judge a stored run again, without running", allow_abbrev=False)
    judge.add_argument("run", metavar="RUN", help=RUN_HELP)
    judge.add_argument("--write", action="store_true", help="keep the judgement as judged-<n>.json beside the evidence")
    judge.set_defaults(handler=_judge)
    compare = commands.add_parser("compare", help="say what changed between two stored runs", allow_abbrev=False)
    compare.add_argument("a", metavar="RUN", help=RUN_HELP)
    compare.add_argument("b", metavar="RUN", help="the run that is set against it")
    compare.set_defaults(handler=_compare)
    report = commands.add_parser("report", help="write a stored run's pages anew", allow_abbrev=False)
    report.add_argument("run", metavar="RUN", help=RUN_HELP)
    report.set_defaults(handler=_report)
    report.add_argument("--reports", type=Path, default=reports, help="where reports are (default: reports/)")
    add_lang(report)
    for command in (judge, compare):
        command.add_argument("--reports", type=Path, default=reports, help="where reports are (default: reports/)")
        add_lang(command)
        command.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def add_lang(command: argparse.ArgumentParser) -> None:
    """``--lang``: the language of the reports and the closing words."""
    command.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the reports (default: en)")


def _judge(arguments: argparse.Namespace) -> int:
    from harness.cli.stored.folder import read_stored  # NumPy and the judge load when they are needed
    from harness.cli.stored.rejudge import rejudge
    from harness.cli.stored.words import judged_words

    stored = read_stored(arguments.run, arguments.reports)
    judged = rejudge(stored)
    if arguments.write:
        sys.stderr.write(f"written: {_write(stored.folder, _json(judged))}\n")
    sys.stdout.write(_json(judged).decode() if arguments.json else judged_words(judged, language(arguments.lang)))
    return judged.exit_status


def _compare(arguments: argparse.Namespace) -> int:
    from harness.cli.stored.compare import compare
    from harness.cli.stored.folder import read_stored
    from harness.cli.stored.words import compared_words

    a, b = (read_stored(text, arguments.reports) for text in (arguments.a, arguments.b))
    found = compare(a, b)
    say = language(arguments.lang)
    sys.stdout.write(_json(found).decode() if arguments.json else compared_words(found, say))
    return found.exit_status


def _report(arguments: argparse.Namespace) -> int:
    from harness.cli.stored.render import render

    for path in render(arguments.run, arguments.reports, language(arguments.lang)):
        sys.stdout.write(f"{path}\n")
    return 0


def _json(document: object) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _write(folder: Path, content: bytes) -> Path:
    """Into the first ``judged-<n>.json`` that is free. Raises ``EvidenceNotWritten``."""
    from harness.report.files import not_written

    for number in itertools.count(1):
        path = folder / f"judged-{number}.json"
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise not_written(path, error) from error
        return path
    raise AssertionError("unreachable")
