"""What the pages say of the manifests: what the rehearsal changes in them, what patches mend, what is missing."""

from __future__ import annotations

import re
from pathlib import Path

from harness.checks.as_printed import missing
from harness.model.judgement import Decision, Kind, Verdict
from harness.model.stack import EnvironmentKind
from harness.report import words
from harness.report.html import render, summary
from harness.report.language import ENGLISH, language
from harness.report.told import capabilities, stand_ins
from harness.run.rehearsal import manifest_facts, patch_errata
from harness.stack.manifests import load as load_manifests
from tests.register import ERRATA, REGISTER
from tests.report.results import facts, judgement, printed, result

KUBERNETES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
BASE = load_manifests(KUBERNETES / "overlays" / "local")


def test_what_patches_mend_is_seen_by_the_patches_and_by_nothing_else(tmp_path: Path) -> None:
    seen = {each.erratum: each for each in patch_errata(BASE)}
    assert [each.erratum for each in seen.values()] == [*seen]
    assert set(seen) == {patch.erratum for patch in BASE.patches if patch.erratum} <= set(ERRATA)
    assert "process-env" in seen["manifest.deployment.env_incomplete"].reason
    assert all(each.kind is Kind.OBSERVATION and not each.gates for each in seen.values())
    assert [*patch_errata(load_manifests(KUBERNETES / "document"))] == []
    run = result(Decision.ADVANCE, judgement(Verdict.PASS), *seen.values())
    for told in (render(tmp_path, run, REGISTER), summary(run, REGISTER)):
        assert "process-env" in told.replace("\\", "")


def test_the_environment_and_the_base_s_patches_stand_on_page_and_summary(tmp_path: Path) -> None:
    found = manifest_facts(BASE, EnvironmentKind.LOCAL)
    assert found["environment"] == "staging"
    assert any(change.startswith("environment: Production mode and emulators") for change in found["manifest_changes"])
    run = result(Decision.ADVANCE, judgement(Verdict.PASS), **found)
    for told in (render(tmp_path, run, REGISTER), summary(run, REGISTER)):
        assert "staging" in told and "Production mode and emulators exclude each other" in told
    assert "本番モードとエミュレータは両立しない" in render(tmp_path, run, REGISTER, language("ja"))


def test_a_file_of_the_seven_that_is_missing_is_named(tmp_path: Path) -> None:
    assert missing(BASE.written) == ()
    documents = {key: doc for key, doc in BASE.documents.items() if not key.startswith(("Horizontal", "PodDis"))}
    lacking = missing(tuple(documents))
    assert lacking == ("HorizontalPodAutoscaler", "PodDisruptionBudget")
    run = result(Decision.ADVANCE, judgement(Verdict.PASS), missing_manifests=lacking)
    for told in (render(tmp_path, run, REGISTER), summary(run, REGISTER)):
        assert "PodDisruptionBudget" in told


def test_a_page_of_a_simulated_run_says_so_and_what_stands_in_for_production(tmp_path: Path) -> None:
    assert len(stand_ins(facts(), ENGLISH)) == 5
    run = result(Decision.ADVANCE, judgement(Verdict.PASS), rung=EnvironmentKind.SIM)
    for told in (render(tmp_path, run, REGISTER), summary(run, REGISTER), printed(run)):
        assert "simulated" in told and "no evidence for a sign-off" in told
    page = render(tmp_path, run, REGISTER)
    assert "virtual; it jumps to whatever is due next" in page
    assert "the memory of one process" in page
    assert "gcp-storage-emulator" not in page


def test_what_an_environment_lacks_is_told_where_there_was_one() -> None:
    assert capabilities(facts(), ENGLISH) == ([], [])
    has, lacks = capabilities(facts(capabilities=("zones",)), ENGLISH)
    assert has == ["zones"]
    assert "real Kubernetes" in lacks and "zones" not in lacks


def test_every_time_that_a_run_notes_by_a_name_of_ours_has_its_words() -> None:
    """Parts are noted by their own names; a page once said "load_ended 153.2 s"."""
    sources = (Path(__file__).resolve().parents[2] / "harness").rglob("*.py")
    noted = {name for path in sources for name in re.findall(r"\.mark\(\"([a-z_]+)\"\)", path.read_text())}
    assert {"load_ended", "checked", "experiments", "decision", "stack_up"} <= noted
    assert noted - words.TIMING.keys() == set()
