"""What the facts of scaling mean: what no planted course of the other tests comes to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.base import planfile
from harness.model.judgement import Verdict
from harness.model.message import message
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from harness.rehearsals.scaling.types import ScalingPart, ScalingPartKind, ScalingPlan
from harness.rules.rule import Fact
from tests.scaling.made import ruled

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN = Verdict.ERRATUM_SHOWN
ZONE, NEVER = "requirements.multi_zone", {"low": math.inf, "high": math.inf}
LOGS = "monitoring.logs_command"
PARTS = [part for name in ("scaling", "zone_loss") for part in planfile.bundled(name, ScalingPlan).parts]
#: Of each kind what all goes well in; a change is another figure, or fields of the fact.
GOOD: dict[ScalingPartKind, dict[str, Any]] = {
    ScalingPartKind.MANUAL: {
        "before.pods": 2, "before.most": 7, "high.pods": 8, "up_s": 10, "down_s": 1, "command_s": 10,
    },
    ScalingPartKind.APPLY: {"manifest_s": 10},
    ScalingPartKind.DRAIN: {"evictions.breaching": {"seen": 0, "of": 2}},
    ScalingPartKind.TAKES_BACK: {"taken_back_s": 310},
    ScalingPartKind.HPA: {
        "ready_s": 90, "rises.begun_with": 2, "rises.to": 10, "asked.most": 10, "rises.by_others": 0, "load.most": 10,
        "percentages.odd": 0, "fell_s": 300, "low.left": 2, "low.from": 10, "low.stayed": 1, "low.fewest": 2,
        "low.wanted": 2, "low.last_wanted": 2, "low.quiet_s": NEVER,
    },
    ScalingPartKind.ZONE: {
        "zones.carrying": 2, "zones.spread_asked": 0, "windows.dark": 0, "early.failed_ratio": 0.4,
        "early.share_ratio": 0.5, "late.failed_ratio": 0.0, "back_s": 170,
    },
    ScalingPartKind.COMMANDS: {
        "monitoring.failed": 0, "hpa_applied.failed": 0, "image_set.failed": 0, "bad_version.called_out": 0,
        "bad_version.undo_failed": 0, "folder.failed": 0, "folder.secrets_refused": 0, "folder.others_refused": 0,
        "confirmed.failed": 0, "confirmed.unseen": 0, "logs.failed": 0, "logs.chosen": 0, "logs.running": 1,
        "command_s": 20, "manifest_s": 20,
    },
}  # fmt: skip
GOOD[ScalingPartKind.HPA_LATENCY] = GOOD[ScalingPartKind.HPA] | {
    "p95.before_ms": 40,
    "p95.target_ms": 500,
    "p95.least_ms": 900,
    "p95.most_ms": 900,
}


def fact(part: ScalingPart, name: str, **fields: Any) -> Fact:
    return Fact(name=name, part=part.name, told=(message("so"),), **fields)


def verdict(part: ScalingPart, claim: str, **changed: Any) -> Verdict:
    """Of ``claim`` in ``part``, where facts are ``changed``; a name has ``__`` for its dot."""
    given = GOOD[part.kind] | {key.replace("__", "."): value for key, value in changed.items()}
    fields = {name: said if isinstance(said, dict) else {"seen": said} for name, said in given.items()}
    (found,) = ruled(part, [claim], [fact(part, name, **of) for name, of in fields.items()])
    return found.verdict


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_of_a_part_in_which_all_goes_well(part: ScalingPart) -> None:
    errata = {"scaling.hpa_takes_back", "manifest.hpa.latency_of_the_database"}
    assert {claim: verdict(part, claim) for claim in part.claims} == {
        claim: SHOWN if claim in errata else PASS for claim in part.claims
    }


@pytest.mark.parametrize(
    ("name", "claim", "changed", "found"),
    [
        ("hpa_cpu", "scaling.hpa.cpu", {"percentages__odd": 1, "load__most": 3}, FAIL),
        ("hpa_cpu", "scaling.hpa.cpu", {"load__most": 3}, OPEN),
        ("hpa_cpu", "scaling.hpa.cpu", {"asked__most": 9}, OPEN),  # the tenth pod came of something else
        ("hpa_cpu", "scaling.hpa.cpu", {"asked__most": {"void": (message("no status"),)}}, OPEN),
        ("hpa_memory", "scaling.hpa.memory", {"asked__most": 9}, OPEN),
        ("hpa_cpu", "scaling.time.hpa_down", {"fell_s": 284}, FAIL),
        ("hpa_cpu", "scaling.hpa.down_to_2", {"low__from": 2}, FAIL),  # it had not gone up
        ("hpa_latency", "manifest.hpa.external", {"p95__before_ms": 501, "ready_s": NEVER}, OPEN),
        ("hpa_latency", "manifest.hpa.external", {"p95__most_ms": 500}, OPEN),
        ("hpa_latency", "manifest.hpa.latency_of_the_database", {"p95__least_ms": 500}, FAIL),
        ("spread", ZONE, {"zones__carrying": 1, "zones__spread_asked": 1}, FAIL),
        ("spread", ZONE, {"windows__dark": {"seen": 0, "high": 1}}, OPEN),
        ("spread", ZONE, {"early__failed_ratio": {"seen": 0.4, "high": 0.6}}, OPEN),
        ("spread", ZONE, {"late__failed_ratio": {"seen": 0.0, "high": 0.02}}, OPEN),
        ("commands", "cicd.rollout_status", {"bad_version__undo_failed": 1}, FAIL),
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
    for part in (each for each in PARTS if each.kind in (ScalingPartKind.MANUAL, ScalingPartKind.COMMANDS)):
        (found,) = ruled(part, ["scaling.manual.command"], [fact(part, "command_s", seen=9)])
        also[part.name] = found.also
    assert also == {"manual": (), "commands": ("stack.one_command",)}


def test_every_claim_of_the_bundled_plans_has_its_rule() -> None:
    assert {claim for part in PARTS for claim in part.claims} <= REHEARSAL.rules.keys()
