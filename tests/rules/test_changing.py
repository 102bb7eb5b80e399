"""Three claims' rules changed in a copy of the document's folder, without Python: each changes what is said."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import msgspec
import pytest

from harness.base.data import CLAIMS
from harness.model.judgement import Verdict
from harness.report.signoff.states import standings
from harness.report.signoff.types import ClaimState, EvidenceWanted, StoredResult
from harness.rules.register import read
from tests.corpus.today import left, result


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The folder of claims of a copy, with its rules beside it."""
    for folder in (CLAIMS, CLAIMS.with_name("rules")):
        shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path / CLAIMS.name


def changed(path: Path, below: str, old: str, new: str) -> None:
    """Writes ``new`` for the first ``old`` behind the line ``below`` of ``path``."""
    head, found, rest = path.read_text("utf-8").partition(f"{below}\n")
    assert found and old in rest
    path.write_text(head + found + rest.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("run", "rule", "old", "new", "verdict"),
    [
        ("dr_restore", "rpo.archive_only", "at_most: plan.limits.rpo_s", "at_most: 250", Verdict.FAIL),
        ("deploy", "deploy.rolling.one_up", "above: 0", "above: 1000", Verdict.INCONCLUSIVE),
    ],
    ids=["limit", "premise"],
)
def test_a_limit_and_a_premise_change_a_verdict(
    run: str, rule: str, old: str, new: str, verdict: Verdict, document: Path
) -> None:
    of = left(run)
    theirs = copy.copy(of.type)
    theirs.document = document

    def said() -> Verdict:
        return next(each.verdict for each in theirs.by_rules(of.plan, of.seen) if each.id == rule)

    assert said() is Verdict.PASS
    theirs.document = document.with_name("changed") / document.name
    shutil.copytree(document.with_name("rules"), theirs.document.with_name("rules"))
    changed(theirs.document.with_name("rules") / f"{of.rehearsal}.yaml", f"{rule}:", old, new)
    assert said() is verdict


def test_an_environment_changes_where_a_claim_stands_at_sign_off(document: Path) -> None:
    """The run was on ``kind``: a claim that is shown on ``cluster`` alone is not shown by it."""
    run = result("network_kind")
    facts = msgspec.structs.replace(run.facts, target_digest="sha256:1")
    stored = [StoredResult(folder="run", result=msgspec.structs.replace(run, facts=facts))]
    asked = EvidenceWanted(target=facts.target, now_utc=facts.started_utc, digests=(facts.target_digest,))
    claim = "strategy.versus.network"

    def state() -> ClaimState:
        read.cache_clear()
        return next(each.state for each in standings(read(document).claims, stored, asked) if each.claim == claim)

    assert state() is ClaimState.SHOWN
    changed(document / "02_strategy.yaml", f"- id: {claim}", "shown_on: kind", "shown_on: cluster")
    assert state() is ClaimState.NOT_SHOWN
