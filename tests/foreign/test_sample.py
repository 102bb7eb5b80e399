"""The Go target as the second standing sample: its file, its image, and that every page says whose the figures are."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import Exit
from harness.base.progress import Progress
from harness.model.judgement import Decision
from harness.model.stack import EnvironmentKind, Target
from harness.report.html import render, summary
from harness.report.language import LANGUAGES, language
from harness.report.signoff.document import KnownErrata, document
from harness.report.signoff.page import closing_lines
from harness.report.signoff.page import render as signoff_page
from harness.stack.environments.choice import for_rung, overlay
from harness.stack.environments.identity import digest
from harness.stack.kind.stack import KindStack
from harness.stack.manifests import load
from harness.stack.target.targets import resolve
from tests.deploy.starting import hindered, small
from tests.foreign.conftest import Programs
from tests.foreign.targets import GO_SOURCES, Language
from tests.register import CHAPTERS, REGISTER
from tests.report.page import Page
from tests.report.results import result
from tests.signoff.made import ASKED
from tests.stack.rungs import run_id

PROGRAM = "build/walks"


def placed(folder: Path, program: bytes = b"a program") -> Target:
    """The sample as its file describes it, in a folder of its own, with what was built."""
    for name in ("target.yaml", "Dockerfile"):
        shutil.copy(GO_SOURCES / name, folder)
    (folder / PROGRAM).parent.mkdir()
    (folder / PROGRAM).write_bytes(program)
    (folder / PROGRAM).chmod(0o755)
    return resolve(str(folder / "target.yaml"))


def digests(target: Target) -> tuple[str, ...]:
    return tuple(digest(for_rung(target, rung)) for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND))


@pytest.mark.parametrize("changed", [PROGRAM, "Dockerfile"])
def test_evidence_of_both_environments_counts_until_the_program_or_its_image_changes(
    changed: str, tmp_path: Path
) -> None:
    target = placed(tmp_path)
    before = digests(target)
    assert all(before) and before == digests(target)
    with (tmp_path / changed).open("ab") as file:
        file.write(b"\n")
    assert not set(before) & set(digests(target))


@pytest.mark.parametrize("code", LANGUAGES)
def test_run_and_sign_off_say_whose_the_figures_are(code: str, tmp_path: Path) -> None:
    name, say = placed(tmp_path).name, language(code)
    assert "tests/foreign/go" in name and "not the team's" in name
    run = result(Decision.ADVANCE, target=name, target_bundled=False)
    signed = document(REGISTER, (), msgspec.structs.replace(ASKED, target=name))
    pages = (
        render(tmp_path, run, REGISTER, say),
        signoff_page(signed, REGISTER, CHAPTERS, say, known=KnownErrata(), other="other.html", errata_file="errata.md"),
    )
    assert all(say(name) in Page(page).texts for page in pages)
    told = (summary(run, REGISTER, say), *closing_lines(signed, REGISTER, "page", say, Exit.HOLD))
    assert sum(say(name) in each.replace("\\", "") for each in told) == 2


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.kind
@pytest.mark.timeout(900, func_only=True)
@pytest.mark.usefixtures("kind_cluster")
async def test_its_image_of_one_program_starts_on_a_cluster_and_serves(tmp_path: Path, programs: Programs) -> None:
    target = placed(tmp_path, programs(Language.GO).read_bytes())
    clock = MachineClock()
    stack = KindStack(
        run_id=run_id(), manifests=small(load(overlay(EnvironmentKind.KIND), EnvironmentKind.KIND)), target=for_rung(target, EnvironmentKind.KIND),
        folder=tmp_path / "run", clock=clock, progress=Progress(clock),
    )  # fmt: skip
    assert await hindered("the sample", stack) == ""
