"""``python -m harness judge RUN``, ``compare RUN RUN`` and ``report RUN``: of any rehearsal."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.report.language import language
from harness.run.arguments import AsJson, InReports, Spoken
from harness.run.command import option

RUN_HELP = "a run's folder, its result.json, a run's id below the reports folder, or latest"


@dataclass(frozen=True, kw_only=True)
class Judge(InReports, Spoken, AsJson):
    """A stored run judged again, without running.

    It says where verdicts differ, and ends as the run would by today's rules.
    """

    name = "judge"
    example = "latest"

    stored: str = option(RUN_HELP, positional=True, metavar="RUN")
    write: bool = option("keep the judgement as judged-<n>.json beside the evidence", default=False)

    def run(self) -> int:
        """Ends as the run would by today's rules."""
        from harness.cli.stored.compare import rejudge
        from harness.cli.stored.folder import read_stored  # NumPy and the judge load when they are needed
        from harness.cli.stored.words import judged_words

        stored = read_stored(self.stored, self.reports)
        judged, say = rejudge(stored), language(self.lang)
        if self.write:
            sys.stderr.write(say("written: {path}", path=str(_write(stored.folder, as_json(judged)))) + "\n")
        sys.stdout.write(as_json(judged).decode() if self.json else judged_words(judged, say))
        return judged.exit_status


@dataclass(frozen=True, kw_only=True)
class Compare(InReports, Spoken, AsJson):
    """What changed between two stored runs, with bounds.

    10 when the second is worse, or when the two cannot be compared; the bounds are of 95 %.
    """

    name = "compare"
    example = "RUN latest"

    a: str = option(RUN_HELP, positional=True, metavar="RUN")
    b: str = option("the run that is set against it", positional=True, metavar="OTHER_RUN")
    across: bool = option(
        "the two are meant to differ, for example in their environment: it is told, and is no 10", default=False
    )

    def run(self) -> int:
        """Says it."""
        from harness.cli.stored.compare import compare
        from harness.cli.stored.folder import read_stored
        from harness.cli.stored.words import compared_words

        a, b = (read_stored(each, self.reports) for each in (self.a, self.b))
        found = compare(a, b, across=self.across)
        sys.stdout.write(as_json(found).decode() if self.json else compared_words(found, language(self.lang)))
        return found.exit_status


@dataclass(frozen=True, kw_only=True)
class ReportCommand(InReports, Spoken, AsJson):
    """A stored run's pages written anew, in a language of choice."""

    name = "report"
    example = "latest --lang ja"

    stored: str = option(RUN_HELP, positional=True, metavar="RUN")

    def run(self) -> int:
        """Names each page."""
        from harness.cli.stored.render import render

        pages = [str(path) for path in render(self.stored, self.reports, language(self.lang))]
        sys.stdout.write(as_json(pages).decode() if self.json else "".join(f"{page}\n" for page in pages))
        return 0


def as_json(document: object) -> bytes:
    """``document`` as indented JSON."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _write(folder: Path, content: bytes) -> Path:
    """Into the first ``judged-<n>.json`` that is free. Raises ``EvidenceNotWritten``."""
    from harness.report.language import not_written

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
