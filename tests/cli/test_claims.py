"""``claims ID``: what is promised, what decides it, and what the stored runs say, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.cli.main import main
from harness.model.judgement import Verdict
from harness.report.language import LANGUAGES
from harness.report.published import RESULT
from tests.register import ERRATA, REGISTER
from tests.signoff.made import ASKED, evidence_of, judged_as_stored, judgement, stored

#: By id: what the page has in whatever language.
HAS = {
    "manifest.pdb": ("`scenarios/rules/scaling.yaml`", "`evictions.breaching`", "minAvailable: 1"),
    "requirements.multi_zone": ("`manifest.deployment.no_zone_spread`", "`zones.spread_asked`", "zone_loss"),
    "rollout.week3.success.availability": ("rollout_week3`", "> 99.5 %", "`rollout.week3.errors_dropped`"),
    "decision.platform": ("deploy.rolling.no_downtime", "Google Kubernetes Engine (GKE) Autopilot"),
}


def claims(reports: Path, *words: str) -> int:
    return main(["claims", *words, "--reports", str(reports)])


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", HAS)
def test_a_claim_is_printed_with_what_decides_it(
    name: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert claims(tmp_path, name, "--lang", code) == Exit.OK
    said, claim = capsys.readouterr().out, REGISTER[name]
    assert said.startswith(f"# `{name}`\n\n> `{claim.quotation}`\n")
    for each in (*HAS[name], claim.place, *(erratum.id for erratum in claim.errata)):
        assert each in said, each
    assert (claim.says in said) is (claim.how in said) is (code == "en")


def test_an_erratum_is_its_claim_s_and_an_id_that_nobody_knows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erratum, (claim, _) = next(iter(ERRATA.items()))
    assert claims(tmp_path, erratum) == Exit.OK
    assert capsys.readouterr().out.startswith(f"# `{claim.id}`\n")
    assert claims(tmp_path, "manifest.pbd") == Exit.USAGE
    assert "did you mean 'manifest.pdb'?" in capsys.readouterr().err


def test_what_the_stored_runs_say_is_what_the_sign_off_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.stored.signoff.asked_of", lambda target: ASKED)
    judged_as_stored(monkeypatch)
    failed = stored("failed", judgement("manifest.pdb", Verdict.FAIL))
    (tmp_path / "failed").mkdir()
    RESULT.write(tmp_path / "failed", failed.result)
    evidence_of(tmp_path / "failed", "failed")
    assert claims(tmp_path, "manifest.pdb") == Exit.OK
    said = capsys.readouterr().out
    assert "## By the stored runs: failed\n" in said and "- `failed`: fail; as it was seen" in said
    assert claims(tmp_path, "manifest.pdb", "--json") == Exit.OK
    (page,) = json.loads(capsys.readouterr().out)
    assert page["standing"]["state"] == "failed" and page["claim"]["judged_by"] == ["scaling"]
    assert [(each["file"], each["id"]) for each in page["rules"]] == [("scenarios/rules/scaling.yaml", "manifest.pdb")]


@pytest.mark.parametrize("code", LANGUAGES)
def test_without_an_id_every_claim_is_a_line(code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert claims(tmp_path, "--lang", code) == Exit.OK
    said = capsys.readouterr().out.splitlines()
    assert [line.strip().partition(": ")[0] for line in said if line.startswith("  ")] == [*REGISTER]
    assert claims(tmp_path, "--json") == Exit.OK
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [*REGISTER]
