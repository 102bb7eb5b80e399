"""A conformance run, whole and in one direction: stack up -> checks -> tear down -> leak check -> report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from harness import state
from harness.clock import NS, Clock, utc
from harness.document import manifest_facts
from harness.firebase.documents import Documents
from harness.judge.combine import combine, exit_status
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.manifests.change import without_autoscaler
from harness.model.errors import BadInput, RehearsalError
from harness.model.stack import Rung, Target
from harness.model.verdict import Combined
from harness.options import only_words
from harness.progress import Progress
from harness.rehearsals.conformance.bench import Ground
from harness.rehearsals.conformance.check import Check
from harness.rehearsals.conformance.checks import ALL, NOT_COVERED
from harness.rehearsals.conformance.extras import extras
from harness.rehearsals.conformance.fuzz import fuzz
from harness.rehearsals.conformance.logs import Logs
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.rehearsals.conformance.reach import OnStack
from harness.rehearsals.conformance.report import write_report
from harness.rehearsals.conformance.result import SCHEMA_VERSION, CheckResult, Extra, Fuzz, Report, TargetFacts
from harness.rehearsals.conformance.rules import Rules
from harness.rehearsals.conformance.runner import keep_request, run_checks
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack.local import LocalStack
from harness.state.lease import remove_run_folder


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``target_text`` is ``--target`` as typed; ``only`` are patterns of check ids."""

    target: Target
    target_text: str | None
    seed: int
    reports: Path
    manifests: Path
    rung: Rung = Rung.LOCAL  # the only one with what this needs
    only: tuple[str, ...] = ()
    junit: Path | None = None
    fuzz_s: int = 0
    openapi: Path | None = None  # the team's own file
    lang: str = "en"  # of report.html; everything else is in English

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        words = ["python", "-m", "harness", "conformance", "--seed", str(self.seed)]
        words += ["--target", self.target_text] if self.target_text is not None else []
        words += ["--fuzz", str(self.fuzz_s)] if self.fuzz_s else []
        words += ["--openapi", str(self.openapi)] if self.openapi is not None else []
        return shlex.join([*words, *only_words(self.only)])


def chosen(only: Sequence[str]) -> tuple[Check, ...]:
    """The checks whose ids match a pattern of ``only``; all when there is none. Raises ``BadInput``."""
    if not only:
        return ALL
    for pattern in only:
        if not any(fnmatchcase(check.id, pattern) for check in ALL):
            raise BadInput(
                f"no check matches {pattern!r}",
                where="--only",
                remedy=f"for example --only 'dual_write.*'; the checks begin with: {', '.join(_groups())}",
            )
    return tuple(check for check in ALL if any(fnmatchcase(check.id, pattern) for pattern in only))


def _groups() -> list[str]:
    return list(dict.fromkeys(check.id.partition(".")[0] for check in ALL))


def combined_of(results: Sequence[CheckResult], *, whole: bool) -> Combined:
    """What the checks come to. Advice holds nothing up; ``whole`` says that none of them is still to be made."""
    combined = combine(result.outcome.verdict for result in results)
    if combined is Combined.ALL_PASSED and (not whole or any(result.holds for result in results)):
        return Combined.NOT_ALL_PASSED  # a contract is kept whole: one check that was not made leaves it open
    return combined


class Conformance:
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(self, options: Options, clock: Clock, progress: Progress) -> None:
        self.options = options
        self.clock = clock
        self.progress = progress
        self.started_ns = clock.now_ns()
        self._about_manifests = manifest_facts(manifests_of(options))
        self.checks = chosen(options.only)
        self.plan = None if options.openapi is None else OpenApiPlan(options.openapi)
        self.run_id = run_identity(clock, "conformance", options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        # One replica: what a target keeps in a process (its rate limit) is then the same for every request.
        self.stack = LocalStack(
            run_id=self.run_id,
            manifests=without_autoscaler(manifests_of(options), 1),
            target=options.target,
            folder=self.folder,
            clock=clock,
            use_kept=True,
            progress=progress,
        )
        self.results: list[CheckResult] = []
        self.lifecycle = Lifecycle(progress)
        self.extras: tuple[Extra, ...] = ()
        self.fuzz: Fuzz | None = None
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    async def run(self) -> Report:
        """Runs the checks, tears down whatever came of it, and reports."""
        await self.lifecycle.run(self.flow())
        self.timings["tear_down"] = await self.lifecycle.take_down(self.clock, self.stack.down)
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        return self._report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def flow(self) -> None:
        """Stack up, then every check; a part of the stack that dies ends it."""
        state.sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        self.progress("bringing the stack up")
        await self.stack.up()
        self.timings["stack_up"] = (self.clock.now_ns() - self.started_ns) / NS
        endpoints = self.stack.endpoints()
        self.extras = await extras(endpoints.service, self.stack.metrics(), self.options.target.metrics_path)
        documents = Documents(endpoints.firestore, endpoints.project_id)
        logs = Logs(self.stack, self.folder / "logs", self.clock)
        ground = Ground(
            reach=OnStack(self.stack, self.clock),
            clock=self.clock,
            documents=documents,
            logs=logs,
            seed=self.options.seed,
            run_id=self.run_id,
            rules=Rules() if self.plan is None else self.plan.rules,
        )
        try:
            await with_beside(self._check(ground), logs.follow())
        finally:
            await documents.close()
        self.timings["checks"] = (self.clock.now_ns() - self.started_ns) / NS - self.timings["stack_up"]

    async def _check(self, ground: Ground) -> None:
        answers = None if self.plan is None else self.plan.answers()
        seen = None if answers is None else answers.take
        await run_checks(self.checks, ground, self.folder, self.progress, self.results.append, seen=seen)
        if self.plan is not None and answers is not None:
            self.results += self.plan.differences()
            for result, exchange in answers.results():
                kept = result if exchange is None else keep_request(result, exchange, self.folder)
                self.results.append(kept)
        if self.options.fuzz_s:
            self.progress(f"fuzzing for {self.options.fuzz_s} s")
            self.fuzz, results = await fuzz(
                ground.endpoints,
                self.folder,
                self.run_id,
                self.clock,
                seconds=self.options.fuzz_s,
                seed=self.options.seed,
                plan=self.plan,
            )
            self.results += results

    def _report(self) -> Report:
        report = self._document()
        try:
            write_report(self.folder, report, self.options.junit, language(self.options.lang))
        except RehearsalError as error:
            self.lifecycle.note(error)
            report = self._document()
        return report

    def _document(self) -> Report:
        order = {check.id: place for place, check in enumerate(ALL)}
        results = tuple(sorted(self.results, key=lambda result: order.get(result.id, len(order))))
        whole = len(results) >= len(self.checks) and (self.fuzz is not None or not self.options.fuzz_s)
        combined = combined_of(results, whole=whole)
        broke = [error.exit for error in self.lifecycle.errors]
        target = self.options.target
        return Report(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            started_utc=utc(self.clock.anchor, self.started_ns),
            rung=self.options.rung,
            seed=self.options.seed,
            replay=self.options.replay,
            target=TargetFacts(
                name=target.name,
                bundled=target.bundled,
                command=target.command,
                folder=target.folder,
                environment=tuple(target.environment),
                migrations=target.migrations,
            ),
            conforms=combined is Combined.ALL_PASSED and not broke,
            exit_status=exit_status(combined, broke, leaks=bool(self.leaks)),
            combined=combined,
            **self._about_manifests,
            checks=results,
            not_covered=NOT_COVERED,
            extras=self.extras,
            fuzz=self.fuzz,
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
        )
