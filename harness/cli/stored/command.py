"""``python -m harness runs``, ``export RUN``, ``judge RUN``, ``compare RUN RUN``, ``report RUN``: of any rehearsal."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.report.language import language, padded
from harness.run.arguments import AsJson, InReports, Spoken
from harness.run.command import option

RUN_HELP = "a run's folder, its result.json, a run's id below the reports folder, or latest"
FILE_HELP = f"{RUN_HELP}; also a file that export wrote"


@dataclass(frozen=True, kw_only=True)
class Runs(InReports, Spoken, AsJson):
    """All stored runs, with why they did not end well."""

    name = "runs"
    example = "--failed"

    failed: bool = option("only runs that did not end well", default=False)

    def run(self) -> int:
        """Lists them."""
        from harness.model.judgement import DECISION
        from harness.report.index import recalled

        found, say = [line for line in recalled(self.reports) if not (self.failed and line.good)], language(self.lang)
        width = max((len(line.plan) for line in found), default=0)
        for line in () if self.json else found:
            began, decision = line.started_utc[:16].replace("T", " "), padded(say(DECISION[line.decision]), 12)
            why = "" if line.reason is None else f"{'':18}{say.message(line.reason)}\n"
            sys.stdout.write(f"{began}  {decision}  {line.plan:<{width}}  {line.environment:<5}  {line.run}\n{why}")
        sys.stdout.write(as_json(found).decode() if self.json else say("stored runs: {count}", count=len(found)) + "\n")
        return 0


@dataclass(frozen=True, kw_only=True)
class Export(InReports, AsJson):
    """A stored run in one file, to be judged elsewhere.

    It has plan, manifests without secrets, evidence, facts, digests, versions and replay line; no logs and pages."""

    name = "export"
    example = "latest --to run.zip"

    stored: str = option(RUN_HELP, positional=True, metavar="RUN")
    to: Path | None = option("the file to write (default: the run's id and .zip, here)", Path, metavar="FILE")

    def run(self) -> int:
        """Names the file."""
        from harness.cli.stored.folder import locate
        from harness.cli.stored.travel import pack

        folder = locate(self.stored, self.reports)
        to = str(pack(folder, self.to or Path(f"{folder.name}.zip")))
        sys.stdout.write(as_json(to).decode() if self.json else f"{to}\n")
        return 0


@dataclass(frozen=True, kw_only=True)
class Judge(InReports, Spoken, AsJson):
    """A stored run judged again, without running.

    It says where verdicts differ, and ends as the run would by today's rules. A file that export wrote is judged as
    the run's folder is; what --write keeps of it lies beside the file.
    """

    name = "judge"
    example = "latest"

    stored: str = option(FILE_HELP, positional=True, metavar="RUN")
    write: bool = option("keep the judgement as judged-<n>.json beside the evidence", default=False)

    def run(self) -> int:
        """Ends as the run would by today's rules."""
        from harness.cli.stored.compare import rejudge
        from harness.cli.stored.folder import read_stored  # NumPy and the judge load when they are needed
        from harness.cli.stored.travel import unpacked
        from harness.cli.stored.words import judged_words

        with unpacked(self.stored) as text:
            stored, say = read_stored(text, self.reports), language(self.lang)
            judged = rejudge(stored)
        if self.write:
            into = stored.folder if text == self.stored else Path(self.stored).absolute().parent
            sys.stderr.write(say("written: {path}", path=str(_write(into, as_json(judged)))) + "\n")
        sys.stdout.write(as_json(judged).decode() if self.json else judged_words(judged, say))
        return judged.exit_status


@dataclass(frozen=True, kw_only=True)
class Compare(InReports, Spoken, AsJson):
    """What changed between two stored runs, with bounds.

    10 when the second is worse, or when the two cannot be compared; the bounds are of 95 %.
    """

    name = "compare"
    example = "RUN latest"

    a: str = option(FILE_HELP, positional=True, metavar="RUN")
    b: str = option("the run that is set against it", positional=True, metavar="OTHER_RUN")
    across: bool = option(
        "the two are meant to differ, for example in their environment: it is told, and is no 10", default=False
    )

    def run(self) -> int:
        """Says it."""
        from harness.cli.stored.compare import compare
        from harness.cli.stored.folder import read_stored
        from harness.cli.stored.travel import unpacked
        from harness.cli.stored.words import compared_words

        with unpacked(self.a) as a, unpacked(self.b) as b:
            found = compare(read_stored(a, self.reports), read_stored(b, self.reports), across=self.across)
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
