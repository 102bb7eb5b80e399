"""The register: complete, in its places, verbatim where the document is at hand."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from harness.base.data import ROOT
from harness.model.claim import Claim, Judged
from harness.run.scenarios import index
from harness.stack.manifests import load as load_manifests
from tests import register as claims
from tests.scenarios.document import seed_text

#: Ids that other parts of the harness and later steps rely on; they never change.
STABLE = {
    "rollout.week1.success.error_ratio",
    "rollout.week1.success.latency_p95",
    "rollout.week1.rollback.error_ratio",
    "rollout.week2.success.error_ratio",
    "rollout.week2.success.latency_p95",
    "rollout.week2.success.request_rate",
    "rollout.week2.rollback.error_ratio",
    "rollout.week2.rollback.latency_p95",
    "rollout.week3.success.concurrent_users",
    "rollout.week3.success.availability",
    "rollout.week3.rollback.availability",
    "rollout.week4.success.concurrent_users",
    "rollout.week4.success.availability",
    "rollout.week4.rollback.availability",
    "rollout.rollback.step1",
    "rollout.rollback.step2",
    "rollout.rollback.step3",
    *(f"rollout.schedule.week{week}" for week in (1, 2, 3, 4)),
}

#: Contradictions the issues and the design name; each must be in the register.
KNOWN_ERRATA = {
    "dr.backup_hour_is_utc",
    "dr.configmap_changes_nothing",
    "rollout.week2.rate_without_margin",
    "rollout.rollback.twelve_hours",
    "rollout.share_or_audience",
    "manifest.hpa.cpu_of_summed_requests",
    "manifest.deployment.replicas_beside_hpa",
    "manifest.deployment.no_zone_spread",
    "manifest.gcr_shut_down",
    "security.csi.volume_alone",
    "migration.firestore_is_written",
    "learning.phase2_lacks_hpa_and_probes",
    "cost.logging_price",
    "deploy.downtime_without_prestop",
    "deploy.create_lost_at_close",
    "iac.tier_is_4_megabytes",
    "cicd.project_id_unset",
}


def every_claim() -> list[Claim]:
    return list(chain.from_iterable(claims.CHAPTERS.values()))


def test_ids_are_unique_and_dotted() -> None:
    ids = [claim.id for claim in every_claim()]
    assert len(ids) == len(set(ids)) == len(claims.REGISTER)
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", claim_id) for claim_id in ids)


def test_stable_ids_are_there() -> None:
    assert set(claims.REGISTER) >= STABLE


def test_errata_are_unique_and_say_why_and_what_instead() -> None:
    errata = [erratum for claim in every_claim() for erratum in claim.errata]
    assert len(errata) == len({erratum.id for erratum in errata}) == len(claims.ERRATA)
    assert all(len(erratum.why) > 20 and len(erratum.correction) > 5 for erratum in errata)
    assert set(claims.ERRATA) >= KNOWN_ERRATA


def test_every_erratum_referred_to_exists() -> None:
    # "see erratum X", "as erratum X" and "(erratum X)" in the texts of the register.
    texts = [claim.how for claim in every_claim()]
    texts += [text for claim in every_claim() for e in claim.errata for text in (e.why, e.correction)]
    named = {match for text in texts for match in re.findall(r"erratum ([a-z0-9_.]+[a-z0-9_])", text)}
    assert named
    assert named <= set(claims.ERRATA)


def test_every_erratum_of_a_manifest_patch_exists() -> None:
    for layer in ("base", "overlays/local"):
        patches = load_manifests(ROOT / "deploy" / "kubernetes" / layer).patches
        assert {patch.erratum for patch in patches if patch.erratum} <= set(claims.ERRATA)


def test_hows_and_quotations() -> None:
    for claim in every_claim():
        assert claim.how and claim.quotation, claim.id
        assert len(claim.quotation) <= 90, claim.id


def test_criteria_of_the_rollout_are_judged_as_criteria() -> None:
    criteria = {claim.id for claim in every_claim() if claim.judged is Judged.CRITERION}
    assert criteria == {c for c in STABLE if ".success." in c} | {
        c for c in STABLE if re.search(r"week\d\.rollback", c)
    }


def test_every_row_block_and_item_has_a_claim() -> None:
    places = {claim.place for claim in every_claim()}
    missing = [e.place for e in index.committed() if e.kind in index.COVERED and e.place not in places]
    assert missing == []


def test_every_claim_stands_at_a_place_of_the_index() -> None:
    known = {entry.place for entry in index.committed()}
    assert [claim.id for claim in every_claim() if claim.place not in known] == []


def test_all_27_checklist_items() -> None:
    checks = [entry for entry in index.committed() if entry.kind == "check"]
    assert len(checks) == 27
    assert len([c for c in every_claim() if c.id.startswith("checklist.")]) == 27


@pytest.mark.document
def test_every_quotation_is_verbatim_at_its_place() -> None:
    texts = {block.place: block.text for block in index.blocks(seed_text())}
    assert [claim.id for claim in every_claim() if claim.quotation not in texts[claim.place]] == []
