"""What the facts of a deploy mean: every way in which a good version, a bad one and a changed schema can go wrong."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.judgement import Expected, Verdict
from harness.model.message import message
from harness.rehearsals.deploy.facts import PHRASES
from harness.rehearsals.deploy.plan import load
from harness.rehearsals.deploy.rehearsal import REHEARSAL
from harness.rules import engine
from harness.rules.rule import Fact, FactsOf

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NONE = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
PLAN = load()
SPARED = {"lacks": (message("endpoints first"),)}
#: Of each part what all goes well in; a change is another figure, or fields of the fact.
GOOD: dict[str, dict[str, Any]] = {
    "as_written": {
        "commands.failed": {"seen": 0, "of": 2}, "pods.replicas": 2, "pods.allowed": 3, "pods.came": 2,
        "pods.at_once": 3, "pods.fewest_ready": 2, "pods.ready_at_the_end": 2, "pods.old_at_the_end": 0,
        "calls.failed": {"seen": 0, "of": 3000}, "calls.noticed": {"seen": 0, "of": 3000},
        "calls.failed_as_pods_left": 0, "calls.failed_otherwise": 0, "creates.lost": {"seen": 0, "lacks": (message("none"),)},
    },
    "never_ready": {
        "put.failed": {"seen": 0, "of": 1}, "status.code": 1, "undo.failed": {"seen": 0, "of": 2}, "pods.replicas": 2,
        "pods.came": 1, "pods.fewest_ready": 2, "pods.ready_at_the_end": 2, "pods.new_ready": 0,
        "pods.never_ready": 1, "pods.waiting": 1, "calls.failed": {"seen": 0, "of": 1000},
    },
    "errors": {
        "answers.bad": {"seen": 80, "of": 2000}, "limit.fired": 1, "undo.complete": 1,
        "undo.failed": {"seen": 0, "of": 2}, "bad_s": {"seen": 14.0, "of": 2000}, "after.calls": 1000,
        "after.bad": {"seen": 0, "of": 1000}, "after.bad_usual": 0, "after.wrong": 0,
    },
    "breaking": {
        "answers.bad": {"seen": 80, "of": 2000}, "limit.fired": 1, "undo.complete": 1, "put.failed": 0,
        "undo.failed": {"seen": 0, "of": 2}, "past_undo.still_failed": {"seen": 60, "of": 100},
        "mended.failed": {"seen": 0, "of": 1000},
    },
}  # fmt: skip
WORDS: dict[str, Any] = dict.fromkeys(("counts", "names", "command", "said", "failed", "all"), "")
GRACEFUL, LOST = "deploy.rolling.no_downtime", {"seen": 1, "of": 3000}
GOOD["good"] = GOOD["as_written"]


def verdict(part: str, claim: str, **changed: Any) -> Verdict:
    """Of ``claim`` in ``part``, where the facts are ``changed``; a name has ``__`` for its dot, ``None`` takes it away."""
    facts: list[Fact] = []
    for name, said in (GOOD[part] | {key.replace("__", "."): value for key, value in changed.items()}).items():
        fields = said if isinstance(said, dict) else {"seen": said}
        if said is not None:
            facts.append(FactsOf(PHRASES, part)(name, **fields, **WORDS))
    (found,) = engine.judged([Expected(part, claim, claim)], REHEARSAL.rules, facts, PLAN, ())
    return found.verdict


@pytest.mark.parametrize("part", GOOD)
def test_of_a_part_in_which_all_goes_well(part: str) -> None:
    unseen = {"deploy.downtime_without_prestop": OPEN, "deploy.create_lost_at_close": NONE}
    shown = dict.fromkeys(("cicd.no_undo", "cicd.no_schema_step"), SHOWN)
    claims = next(each.claims for each in PLAN.parts if each.name == part)
    assert {claim: verdict(part, claim) for claim in claims} == {
        claim: (unseen | shown).get(claim, PASS) for claim in claims
    }


@pytest.mark.parametrize(
    ("part", "claim", "changed", "found"),
    [
        ("as_written", "cicd.set_image", {"commands__failed": {"seen": 1, "of": 2}}, FAIL),
        ("as_written", "cicd.set_image", {"commands__failed": {"seen": 0, "of": 0}}, OPEN),
        ("as_written", "cicd.set_image", {"pods__came": 0}, OPEN),
        ("as_written", "cicd.set_image", {"pods__came": 0, "commands__failed": {"seen": 1, "of": 2}}, FAIL),
        ("as_written", "deploy.rolling.one_up", {"pods__at_once": 4}, FAIL),
        ("as_written", "deploy.rolling.one_up", {"pods__at_once": 4, "pods__came": 0}, OPEN),
        ("as_written", "deploy.rolling.one_down", {"pods__fewest_ready": 1}, FAIL),
        ("as_written", "deploy.rolling.complete", {"pods__ready_at_the_end": 1}, FAIL),
        ("as_written", "deploy.rolling.complete", {"pods__old_at_the_end": 1}, FAIL),
        ("as_written", GRACEFUL, {"calls__failed": LOST}, FAIL),
        ("as_written", GRACEFUL, {"calls__failed": {"seen": 0, "high": 1, "of": 3000}}, OPEN),
        ("as_written", GRACEFUL, {"calls__failed": {"seen": 0, "of": 2999}}, OPEN),
        (
            "as_written", GRACEFUL,
            {"calls__failed": LOST, "calls__noticed": LOST, "calls__failed_as_pods_left": 1}, SHOWN,
        ),
        (
            "good", GRACEFUL,  # with the component nothing excuses it
            {"calls__failed": LOST, "calls__noticed": LOST, "calls__failed_as_pods_left": 1}, FAIL,
        ),
        (
            "as_written", GRACEFUL,  # one of the two failed at another time, which is nobody's erratum
            {
                "calls__failed": LOST, "calls__noticed": LOST, "calls__failed_as_pods_left": 1,
                "calls__failed_otherwise": 1,
            }, FAIL,
        ),
        (
            "as_written", GRACEFUL, {"calls__failed": LOST, "calls__noticed": LOST, "pods__came": 0}, FAIL,
        ),
        (
            "as_written", "deploy.downtime_without_prestop",
            {"calls__noticed": LOST, "calls__failed_as_pods_left": 1, "pods__came": 0}, OPEN,
        ),
        (
            "as_written", "deploy.downtime_without_prestop",  # what failed was a CREATE of a kept connection
            {"calls__noticed": LOST, "calls__failed_as_pods_left": 1, "creates__lost": 1}, OPEN,
        ),
        ("as_written", "deploy.downtime_without_prestop", {"calls__noticed": {"seen": 0} | SPARED}, NONE),
        ("as_written", "deploy.create_lost_at_close", {"creates__lost": 1}, SHOWN),
        ("never_ready", "cicd.rollout_status", {"status__code": 0}, FAIL),
        ("never_ready", "cicd.rollout_status", {"status__code": -1}, FAIL),  # it said nothing; we ended it
        ("never_ready", "cicd.rollout_status", {"pods__never_ready": 0}, OPEN),
        ("never_ready", "cicd.rollout_status", {"pods__never_ready": 0, "status__code": 0}, FAIL),
        ("never_ready", "cicd.rollout_status", {"put__failed": {"seen": 1, "of": 1}}, OPEN),
        ("never_ready", "cicd.no_undo", {"status__code": 0}, OPEN),
        ("never_ready", "cicd.no_undo", {"pods__waiting": 0}, OPEN),
        ("never_ready", "cicd.no_undo", {"put__failed": {"seen": 1, "of": 1}}, OPEN),
        ("never_ready", "phase2.cicd", {"undo__failed": {"seen": 1, "of": 2}}, FAIL),
        ("never_ready", "phase2.cicd", {"calls__failed": {"seen": 1, "of": 1000}}, FAIL),
        ("never_ready", "phase2.cicd", {"calls__failed": {"seen": 0, "of": 10}}, OPEN),
        ("never_ready", "phase2.cicd", {"pods__new_ready": 1}, FAIL),
        ("never_ready", "phase2.cicd", {"pods__fewest_ready": 1}, FAIL),
        ("never_ready", "phase2.cicd", {"pods__never_ready": 0}, OPEN),
        ("errors", "checklist.availability.auto_rollback", {"bad_s": 61}, FAIL),
        ("errors", "checklist.availability.auto_rollback", {"undo__failed": {"seen": 1, "of": 2}}, FAIL),
        ("errors", "checklist.availability.auto_rollback", {"limit__fired": 0, "undo__complete": 0}, FAIL),
        (
            "errors", "checklist.availability.auto_rollback",  # what is missing may be what the limit needs to fire
            {"limit__fired": {"seen": 0, "high": 1}, "bad_s": {"seen": 14.0, "high": 1e9}}, OPEN,
        ),
        ("errors", "checklist.availability.auto_rollback", {"after__bad": {"seen": 1, "of": 1000}}, FAIL),
        (
            "errors", "checklist.availability.auto_rollback",  # a p95 allows a twentieth
            {"after__bad": {"seen": 50, "of": 1000}, "after__bad_usual": 50}, PASS,
        ),
        ("errors", "checklist.availability.auto_rollback", {"after__wrong": 1}, FAIL),
        ("errors", "checklist.availability.auto_rollback", {"after__wrong": {"seen": 0, "high": 1}}, OPEN),
        ("errors", "checklist.availability.auto_rollback", {"after__calls": 99}, OPEN),
        ("errors", "checklist.availability.auto_rollback", {"answers__bad": {"seen": 0, "of": 2000}}, OPEN),
        ("errors", "checklist.availability.auto_rollback", {"limit__fired": None}, OPEN),
        ("breaking", "cicd.no_schema_step", {"past_undo__still_failed": 0}, OPEN),  # the undo helped
        ("breaking", "cicd.no_schema_step", {"limit__fired": 0}, OPEN),
        ("breaking", "cicd.no_schema_step", {"undo__complete": 0}, OPEN),
        ("breaking", "cicd.no_schema_step", {"mended__failed": {"seen": 2, "of": 1000}}, OPEN),
        ("breaking", "cicd.no_schema_step", {"mended__failed": {"seen": 0, "of": 9}}, OPEN),
        ("breaking", "cicd.no_schema_step", {"mended__failed": {"seen": 0, "high": 1, "of": 1000}}, OPEN),
        ("breaking", "cicd.no_schema_step", {"put__failed": 1}, OPEN),  # it was not undone
    ],
)  # fmt: skip
def test_of_a_part_in_which_something_goes_wrong(
    part: str, claim: str, changed: dict[str, Any], found: Verdict
) -> None:
    assert verdict(part, claim, **changed) is found
