"""The proof, whole and in one direction: virtual cases -> stack up -> stories -> real cases -> tear down -> report."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from harness import state
from harness.clock import NS, Clock, utc
from harness.document import manifest_facts
from harness.judge.combine import combine, exit_status
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.model.errors import RehearsalError
from harness.model.stack import Rung, Target
from harness.model.verdict import Combined
from harness.progress import Progress
from harness.rehearsals.flag_proof.continuity import Stories
from harness.rehearsals.flag_proof.judging import virtual_cases
from harness.rehearsals.flag_proof.real import RealCase, course
from harness.rehearsals.flag_proof.report import write_report
from harness.rehearsals.flag_proof.types import FlagPlan, FlagProof, ProofCase
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack.local import LocalStack
from harness.state.lease import remove_run_folder, run_folder

SCHEMA_VERSION = 1


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``virtual_only`` leaves out everything that needs a stack."""

    plan: FlagPlan
    target: Target
    target_text: str | None
    seed: int
    reports: Path
    manifests: Path
    rung: Rung = Rung.LOCAL  # the only one with what this needs
    virtual_only: bool = False
    lang: str = "en"  # of report.html; everything else is in English

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        words = ["python", "-m", "harness", "flag_proof", "--seed", str(self.seed)]
        words += ["--target", self.target_text] if self.target_text is not None else []
        return shlex.join([*words, *(["--virtual-only"] if self.virtual_only else [])])


class Proof:
    """One proof under way. ``run`` always returns a finished document, however it ended."""

    def __init__(self, options: Options, clock: Clock, progress: Progress) -> None:
        self.options = options
        self.clock = clock
        self.progress = progress
        self.started_ns = clock.now_ns()
        self._about_manifests = {} if options.virtual_only else manifest_facts(manifests_of(options))
        self.run_id = run_identity(clock, "flag_proof", options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.stack = LocalStack(
            run_id=self.run_id,
            manifests=manifests_of(options),
            target=options.target,
            folder=self.folder,
            clock=clock,
            progress=progress,
        )
        self.lifecycle = Lifecycle(progress)
        self.cases: list[ProofCase] = []
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    async def run(self) -> FlagProof:
        """Runs the cases, tears down whatever came of it, and reports."""
        await self.lifecycle.run(self.flow())
        if not self.options.virtual_only:
            self.timings["tear_down"] = await self.lifecycle.take_down(self.clock, self.stack.down)
            remove_run_folder(self.run_id)
            self.leaks = tuple(self.stack.leaks())
        proof = self._document()
        try:
            write_report(self.folder, proof, language(self.options.lang))
        except RehearsalError as error:
            self.lifecycle.note(error)
            proof = self._document()
        return proof

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def flow(self) -> None:
        """Every case in order; each may raise, and tear down always follows."""
        plan, seed = self.options.plan, self.options.seed
        self.progress("computing the client's rule in virtual time")
        self.cases += virtual_cases(plan, seed)
        self._mark("virtual")
        if self.options.virtual_only:
            return
        state.sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        self.progress("bringing the stack up")
        await self.stack.up()
        self._mark("stack_up")
        await with_beside(self._on_the_stack(plan, seed), self._watch())
        self._mark("real")

    async def _on_the_stack(self, plan: FlagPlan, seed: int) -> None:
        self.progress("walks across a change of sides")
        stories = Stories(self.stack.endpoints(), self.clock, seed)
        try:
            self.cases += await stories.all()
        finally:
            stories.close()
        for case in plan.cases:
            if case.real:
                length_s = course(plan, case).end_s
                self.progress(
                    f"fetch interval {case.fetch_interval_s:g} s, times / {plan.real.scale:g}: {length_s:.0f} s"
                )
                real = RealCase(
                    plan,
                    case,
                    self.stack,
                    self.clock,
                    folder=run_folder(self.run_id),
                    logs=self.folder / "logs",
                    run_id=self.run_id,
                )
                self.cases += await real.run(seed)

    async def _watch(self) -> None:
        async for _ in self.stack.watch():
            pass

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _document(self) -> FlagProof:
        combined = combine(case.outcome.verdict for case in self.cases)
        broke = [error.exit for error in self.lifecycle.errors]
        return FlagProof(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            started_utc=utc(self.clock.anchor, self.started_ns),
            rung="virtual" if self.options.virtual_only else str(self.stack.rung),
            target=self.options.target.name,
            target_bundled=self.options.target.bundled,
            seed=self.options.seed,
            replay=self.options.replay,
            title=self.options.plan.title,
            proved=combined is Combined.ALL_PASSED and not broke,
            exit_status=exit_status(combined, broke, leaks=bool(self.leaks)),
            combined=combined,
            **self._about_manifests,
            cases=tuple(self.cases),
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
        )
