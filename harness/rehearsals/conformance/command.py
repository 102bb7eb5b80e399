"""``python -m harness conformance``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.base import bootstrap
from harness.base.errors import BadInput
from harness.model.message import message
from harness.rehearsals.conformance.types import ConformancePlan
from harness.report.language import not_written, write_atomically
from harness.run.arguments import TargetOnLocal
from harness.run.command import option, within
from harness.run.only import chosen, only


@dataclass(frozen=True, kw_only=True)
class ConformanceCommand(TargetOnLocal):
    """An API checked against the contract.

    The bundled one, or any other with --target.
    """

    name = "conformance"
    example = "--target ./walk-api --only 'dual_write.*'"

    only: tuple[str, ...] = only("checks, such as 'dual_write.*'")
    fuzz: int = option(
        "draw requests from the OpenAPI file too, by schemathesis, for that long (at most 60; without a number: 40)",
        within(0, 60),
        default=0,
        nargs="?",
        const=40,
        metavar="SECONDS",
    )
    openapi: Path | None = option(
        "the team's own OpenAPI file (3.0 or 3.1): what it says of limits, fields and statuses decides",
        Path,
        metavar="FILE",
    )
    junit: Path | None = option("write junit.xml there too", Path, metavar="FILE", replayed=False)

    def planned(self) -> ConformancePlan:
        """The checks that are chosen. A broken OpenAPI file is refused before anything starts."""
        if self.junit is not None and not self.junit.absolute().parent.is_dir():
            none = message("no folder for {file}", file=str(self.junit))
            raise BadInput(none, where="--junit", remedy="make it, or name another file")
        if self.fuzz:
            bootstrap.enter("harness", "fuzz")
        from harness.rehearsals.conformance.checks import ALL  # the checks' libraries load here
        from harness.rehearsals.conformance.openapi.plan import OpenApiPlan

        of_target = self.asked().openapi
        file = self.openapi or (Path(of_target) if of_target else None)
        asked = chosen(self.only, [check.id for check in ALL])
        if file is not None:
            OpenApiPlan(file)
        return ConformancePlan(only=asked if self.only else (), fuzz_s=self.fuzz, openapi=str(file or ""))

    def ended(self, folder: Path) -> None:
        if self.junit is None:
            return
        from harness.report.write_all import JUNIT_XML  # Jinja loads when a page is needed

        try:
            content = (folder / JUNIT_XML).read_bytes()
        except OSError as error:  # the disk refused it, as the closing lines say
            raise not_written(self.junit, error) from error
        write_atomically(self.junit, content)
