"""What the facts of scaling mean: what no planted course of the other tests comes to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.base import planfile
from harness.model.message import message
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from harness.rehearsals.scaling.types import Part, PartKind, ScalingPlan
from harness.rules.fact import Fact
from tests.scaling.made import of, ruled

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NONE = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
ZONE, NEVER = "requirements.multi_zone", {"low": math.inf, "high": math.inf}
CONFIRM, LOGS, FOLDER = "operations.confirm", "monitoring.logs_command", "operations.first_deploy"
PARTS = [part for name in ("scaling", "zone_loss") for part in planfile.bundled(name, ScalingPlan).parts]
#: Of each kind what all goes well in; a change is another figure, or fields of the fact.
GOOD: dict[PartKind, dict[str, Any]] = {
    PartKind.MANUAL: {
        "before.pods": 2, "before.most": 7, "high.pods": 8, "up_s": 10, "down_s": 1, "command_s": 10,
    },
    PartKind.APPLY: {"manifest_s": 10},
    PartKind.DRAIN: {"evictions.breaching": {"seen": 0, "of": 2}},
    PartKind.TAKES_BACK: {"taken_back_s": 310},
    PartKind.HPA: {
        "ready_s": 90, "rises.begun_with": 2, "rises.to": 10, "rises.by_others": 0, "load.most": 10,
        "percentages.odd": 0, "fell_s": 300, "low.left": 2, "low.from": 10, "low.stayed": 1, "low.fewest": 2,
        "low.wanted": 2, "low.last_wanted": 2, "low.quiet_s": NEVER,
    },
    PartKind.ZONE: {
        "zones.carrying": 2, "zones.spread_asked": 0, "windows.dark": 0, "early.failed_ratio": 0.4,
        "early.share_ratio": 0.5, "late.failed_ratio": 0.0, "back_s": 170,
    },
    PartKind.COMMANDS: {
        "monitoring.failed": 0, "hpa_applied.failed": 0, "image_set.failed": 0, "bad_version.called_out": 0,
        "bad_version.undo_failed": 0, "folder.failed": 0, "folder.secrets_refused": 0, "folder.others_refused": 0,
        "confirmed.failed": 0, "confirmed.unseen": 0, "logs.failed": 0, "logs.chosen": 0, "logs.running": 1,
        "command_s": 20, "manifest_s": 20,
    },
}  # fmt: skip
GOOD[PartKind.HPA_LATENCY] = GOOD[PartKind.HPA] | {"p95.before_ms": 40, "p95.target_ms": 500, "p95.least_ms": 900}
PLACES = (
    "what metric reasons path why most fewest after zones seconds failed all edge silent out given_up count pods "
    "before refused ready least size reason status undo undone command output kinds said"
)
WORDS: dict[str, Any] = dict.fromkeys(PLACES.split(), "")


def verdict(part: Part, claim: str, **changed: Any) -> Verdict:
    """Of ``claim`` in ``part``, where facts are ``changed``; a name has ``__`` for its dot."""
    facts: list[Fact] = []
    for name, said in (GOOD[part.kind] | {key.replace("__", "."): value for key, value in changed.items()}).items():
        facts.append(of(part)(name, **(said if isinstance(said, dict) else {"seen": said}), **WORDS))
    (found,) = ruled(part, [claim], facts)
    return found.verdict


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_of_a_part_in_which_all_goes_well(part: Part) -> None:
    errata = {"scaling.hpa_takes_back", "manifest.hpa.latency_of_the_database"}
    assert {claim: verdict(part, claim) for claim in part.claims} == {
        claim: SHOWN if claim in errata else PASS for claim in part.claims
    }


@pytest.mark.parametrize(
    ("name", "claim", "changed", "found"),
    [
        ("manual", "scaling.time.manual_up", {"up_s": 46}, FAIL),
        ("manual", "scaling.time.manual_up", {"before__pods": 3}, OPEN),
        ("manual", "scaling.time.manual_up", {"before__pods": 3, "up_s": NEVER}, FAIL),
        ("manual", "scaling.time.manual_up", {"before__pods": 8, "up_s": NEVER}, OPEN),
        ("manual", "scaling.time.manual_down", {"down_s": NEVER}, FAIL),
        ("manual", "scaling.time.manual_down", {"high__pods": 7}, OPEN),
        ("manual", "scaling.manual.command", {"command_s": NEVER}, FAIL),
        ("drain", "manifest.pdb", {"evictions__breaching": {"seen": 1, "of": 2}}, FAIL),
        ("drain", "manifest.pdb", {"evictions__breaching": {"seen": 0, "lacks": (message("no budget"),)}}, NONE),
        ("hpa_cpu", "scaling.hpa.cpu", {"rises__to": 2}, FAIL),
        ("hpa_cpu", "scaling.hpa.cpu", {"percentages__odd": 1, "load__most": 3}, FAIL),
        ("hpa_cpu", "scaling.hpa.cpu", {"load__most": 3}, OPEN),
        ("hpa_cpu", "scaling.time.hpa_down", {"fell_s": 284}, FAIL),
        ("hpa_cpu", "scaling.time.hpa_down", {"fell_s": NEVER}, FAIL),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__from": 2}, FAIL),  # it had not gone up
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__left": 3, "low__stayed": 0}, FAIL),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__left": 3, "low__stayed": 0, "low__quiet_s": 299}, OPEN),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__fewest": 0}, FAIL),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__wanted": 1}, FAIL),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__last_wanted": {"low": 0, "high": 0}}, FAIL),
        ("hpa_latency", "manifest.hpa.external", {"p95__before_ms": 501, "ready_s": NEVER}, OPEN),
        ("hpa_latency", "manifest.hpa.latency_of_the_database", {"p95__least_ms": 500}, FAIL),
        ("as_written", ZONE, {"zones__carrying": 1}, SHOWN),
        ("spread", ZONE, {"zones__carrying": 1, "zones__spread_asked": 1}, FAIL),
        ("spread", ZONE, {"windows__dark": {"seen": 0, "high": 1}}, OPEN),
        ("spread", ZONE, {"early__failed_ratio": {"seen": 0.4, "high": 0.6}}, OPEN),
        ("spread", ZONE, {"late__failed_ratio": {"seen": 0.0, "high": 0.02}}, OPEN),
        ("spread", "checklist.availability.multi_zone", {"back_s": {"seen": 100, **NEVER}}, FAIL),
        ("commands", "cicd.rollout_status", {"bad_version__undo_failed": 1}, FAIL),
        ("commands", FOLDER, {"folder__failed": 1, "folder__secrets_refused": 1}, SHOWN),
        ("commands", FOLDER, {"folder__failed": 1, "folder__secrets_refused": 1, "folder__others_refused": 1}, FAIL),
        ("commands", CONFIRM, {"confirmed__unseen": 1}, FAIL),
        ("commands", LOGS, {"logs__chosen": 1, "logs__running": 2}, SHOWN),
        ("commands", LOGS, {"logs__chosen": 1, "logs__failed": 1}, FAIL),
    ],
)  # fmt: skip
def test_of_a_part_in_which_something_goes_wrong(
    name: str, claim: str, changed: dict[str, Any], found: Verdict
) -> None:
    part = next(each for each in PARTS if each.name == name)
    assert verdict(part, claim, **changed) is found


def test_what_else_a_number_set_by_hand_shows_is_of_the_document_s_commands_alone() -> None:
    also = {}
    for part in (each for each in PARTS if each.kind in (PartKind.MANUAL, PartKind.COMMANDS)):
        (found,) = ruled(part, ["scaling.manual.command"], [of(part)("command_s", 9, what="")])
        also[part.name] = found.also
    assert also == {"manual": (), "commands": ("stack.one_command",)}


def test_every_claim_of_the_bundled_plans_has_its_rule() -> None:
    assert {claim for part in PARTS for claim in part.claims} <= REHEARSAL.rules.keys()
