"""Claims of a team's own document: what a scenario makes of them, and what is refused, by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import BadInput
from harness.model.claim import Statement
from harness.model.judgement import Kind
from harness.model.scenario import Metric, Scenario
from harness.run.scenarios.load import load
from tests.scenarios.test_criteria import HEAD

CLAIMS = """\
document: "Service levels of the walks"
claims:
- id: walks.availability
  statement: {en: "The walks are there.", ja: "散歩の記録はいつでも開ける。"}
  section: "2.1"
  criterion: success availability > 99.5%
- id: walks.fast
  statement: {en: "A walk opens at once.", ja: "散歩の記録はすぐに開く。"}
  section: "2.2"
- id: walks.unused
  statement: {en: "Not of this week.", ja: "この週では扱わない。"}
  section: "3"
"""
NAMED = "claims_file: claims.yaml\nclaims: [walks.availability]\n"


def loaded(folder: Path, text: str, claims: str = CLAIMS) -> Scenario:
    (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    (folder / "plan.yaml").write_text(HEAD + text, encoding="utf-8")
    return load(str(folder / "plan.yaml"))


def refused(folder: Path, text: str, claims: str = CLAIMS) -> BadInput:
    with pytest.raises(BadInput) as caught:
        loaded(folder, text, claims)
    return caught.value


def test_a_claim_that_the_scenario_names_brings_its_criterion(tmp_path: Path) -> None:
    found = loaded(tmp_path, NAMED)
    (only,) = found.criteria
    assert (only.id, only.claim, only.kind) == ("success.availability", "walks.availability", Kind.CRITERION)
    assert (only.metric, only.threshold) == (Metric.AVAILABILITY, 0.995)
    (claim,) = found.own_claims
    assert (claim.id, claim.document, claim.section) == ("walks.availability", "Service levels of the walks", "2.1")
    assert claim.statement == Statement(en="The walks are there.", ja="散歩の記録はいつでも開ける。")
    assert claim.criterion == "success availability > 99.5%"


def test_a_claim_about_one_step_says_so_where_it_is_told(tmp_path: Path) -> None:
    claims = CLAIMS.replace("success availability > 99.5%", "success error_ratio[put_walk][step=60s] < 1%")
    (tmp_path / "claims.yaml").write_text(claims, encoding="utf-8")
    text = (HEAD + NAMED).replace("flag_on: 100}]}", "flag_on: 100}], steps: [{at: 60s, pace: 25s}]}")
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    (claim,) = load(str(tmp_path / "plan.yaml")).own_claims
    assert claim.criterion == "success error_ratio[put_walk][step=60s] < 1%"


@pytest.mark.parametrize("more", ["smallest_sample: 1", "needs: [eviction]"])
def test_a_criterion_that_names_the_claim_is_read_as_the_claim_s_own(tmp_path: Path, more: str) -> None:
    """By fewer samples, or only where the environment has something, it would not be what the team promised."""
    text = NAMED + (
        "criteria:\n- {id: ours, claim: walks.availability, kind: success, metric: availability, "
        f'comparison: ">", threshold: 99.5%, {more}}}\n'
    )
    assert "the criterion another thing" in refused(tmp_path, text).what


def test_a_criterion_that_names_the_claim_stands_for_its_own(tmp_path: Path) -> None:
    text = NAMED + (
        "criteria:\n- {id: ours, claim: walks.availability, kind: success, metric: availability, "
        'comparison: ">", threshold: 99.5%}\n'
        '- {claim: walks.fast, kind: success, metric: latency_p95, comparison: "<", threshold: 800ms}\n'
    )
    found = loaded(tmp_path, text)
    assert [(each.id, each.claim) for each in found.criteria] == [
        ("ours", "walks.availability"),
        ("success.latency_p95", "walks.fast"),
    ]
    assert [each.id for each in found.own_claims] == ["walks.availability", "walks.fast"]


def test_claims_of_both_documents_stand_side_by_side(tmp_path: Path) -> None:
    found = loaded(tmp_path, "claims_file: claims.yaml\nclaims: [rollout.rollback.step1, walks.availability]\n")
    assert found.claims == ("rollout.rollback.step1", "walks.availability")
    assert [each.id for each in found.own_claims] == ["walks.availability"]


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (NAMED.replace("[walks.avail", "[walks.avial"), "did you mean 'walks.availability'", "plan.yaml:5, claims[0]"),
        ("claims: [walks.availability]\nsuccess: [availability > 99%]", "unknown claim 'walks.av", "claims[0]"),
        ("claims_file: none.yaml\nsuccess: [availability > 99%]", "cannot read", "none.yaml"),
        ("claims_file: claims\nsuccess: [availability > 99%]", "is not a .yaml file", ", claims_file"),
        ("claims_file: ''\nsuccess: [availability > 99%]", "is not a .yaml file", ", claims_file"),
        (
            NAMED + "criteria:\n- {claim: walks.availability, kind: success, metric: availability, "
            'comparison: ">", threshold: 99.9%}',
            "the claim says 'success availability > 99.5%'",
            "criteria[0]",
        ),
        (
            "claims_file: claims.yaml\nclaims: [walks.fast]\ncriteria:\n"
            "- {id: walks.fast, kind: success, metric: error_ratio, comparison: '<', threshold: 1%}",
            "is the id of a claim that the criterion is not about",
            "criteria[0].id",
        ),
        (
            "criteria:\n- {id: rollout.week4.success.availability, kind: success, metric: error_ratio, "
            "comparison: '<', threshold: 90%}",
            "is the id of a claim that the criterion is not about",
            "criteria[0].id",
        ),
        ("claims_file: claims.yaml\nclaims: [walks.fast]", "nothing would be judged", "plan.yaml"),
    ],
)
def test_a_scenario_that_its_claims_do_not_carry_is_refused(tmp_path: Path, text: str, what: str, where: str) -> None:
    error = refused(tmp_path, text)
    assert what in error.what
    assert where in error.where
    assert error.remedy


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("id: walks.fast", "id: walks.availability", "given twice", "claims.yaml:7, claims[1].id"),
        ("id: walks.fast", "id: dr.rpo", "an id of the bundled document's", "claims[1].id"),
        ("id: walks.fast", "id: Fast!", "is not words of a-z", "claims[1].id"),
        ('statement: {en: "A walk opens at once.", ja:', "statement: {ja:", "'en' is missing", "claims[1].statement"),
        ('section: "2.2"', "secton: x", "did you mean 'section'", "claims[1].secton"),
        ("> 99.5%", "> 99.5", "not a percentage", "claims.yaml:6, claims[0].criterion"),
        ("success availability", "availability", "'kind' is missing", "claims.yaml:6, claims[0].criterion"),
        ("success availability", "success availabilty", "did you mean 'availability'", "claims[0].criterion"),
        ('document: "Service levels of the walks"', "", "'document' is missing", "claims.yaml"),
    ],
)
def test_a_claims_file_is_read_strictly(tmp_path: Path, old: str, new: str, what: str, where: str) -> None:
    assert old in CLAIMS
    error = refused(tmp_path, NAMED, CLAIMS.replace(old, new, 1))
    assert what in error.what
    assert where in error.where
    assert error.remedy


def test_a_file_without_claims(tmp_path: Path) -> None:
    assert "nothing would be promised" in refused(tmp_path, NAMED, 'document: "x"\nclaims: []\n').what
