"""What the facts of a recovery mean, each rule shown failing on bad evidence; and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from harness.base import units
from harness.model.judgement import Decision, Verdict, errata_of
from harness.model.message import english
from harness.model.section import Bars, Chart, Lines, Pairs
from harness.rehearsals.dr_restore.facts import facts as facts_of
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails, Restart
from harness.rehearsals.dr_restore.procedure import Calls, Reached
from harness.rehearsals.dr_restore.rehearsal import sections
from harness.rehearsals.dr_restore.types import RecoveryPlan, expected
from harness.rules.judged import combine
from tests.recovery.made import (
    BAD,
    DARK,
    GOOD,
    PLAN,
    RTO,
    SEEN,
    WHY,
    case,
    corrected,
    judged,
    never_answered,
    observed,
    seen_by,
    sizes,
    stack,
    with_stall,
    written,
)
from tests.recovery.stalls import lost
from tests.register import ERRATA

UNKNOWN_CHECK = msgspec.structs.replace(BAD, unknown=True)


def failed(seen: RecoveryDetails, plan: RecoveryPlan = PLAN) -> dict[str, Verdict]:
    """What is not good, but for what no rung exercises."""
    found = {each.id: each.verdict for each in judged(plan, seen) if each.gates}
    return {name: verdict for name, verdict in found.items() if not verdict.good}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cases": [case(rpo_s=3601)]}, {"rpo.disasters": "fail", "rpo.streaming": "fail"}),
        ({"cases": [case(rpo_s=1.1)]}, {"rpo.streaming": "fail"}),
        ({"cases": [case(rpo_s=1.1, least_s=0.9)]}, {"rpo.streaming": "inconclusive"}),
        ({"cases": [case(rpo_s=-0.1)]}, {"rpo.disasters": "inconclusive", "rpo.streaming": "inconclusive"}),
        ({"cases": [case(), case("dropped_table", rpo_s=1.1)]}, {}),
        ({"ended": ["disasters"], "cases": [case(), case("stack_lost_data_folder")]}, {}),
        ({"cases": [case(check=UNKNOWN_CHECK)]}, {"restore.verified": "inconclusive"}),
        ({"cases": [case(check=UNKNOWN_CHECK), case("dropped_table", check=BAD)]}, {"restore.verified": "fail"}),
        ({"cases": [case(check=BAD)]}, {"restore.verified": "fail"}),
        ({"schedule": [BAD, GOOD]}, {"backup.schedule": "fail"}),
        ({"schedule": [GOOD, BAD]}, {"backup.retention": "fail"}),
        ({"points": [GOOD, BAD]}, {"restore.points": "fail"}),
        ({"sizes": sizes(raw_s=-4)}, {"restore.overhead": "fail"}),
        ({"sizes": sizes(upper_s=20_000)}, {"rto.predicted": "inconclusive"}),
        ({"sizes": sizes(expected_s=15_000, upper_s=20_000)}, {"rto.predicted": "fail"}),
        ({"stack": stack(restart=Restart(took_s=21, seen=seen_by(errors=299)))}, {"procedure.restart": "fail"}),
        ({"stack": stack(restart=Restart(took_s=120, seen=DARK, why=WHY))}, {"procedure.restart": "fail"}),
        (
            {"stack": stack(restart=Restart(took_s=21, seen=seen_by(requests=1, requests_missing=399)))},
            {"procedure.restart": "inconclusive"},
        ),
        (
            {"stack": stack(restart=Restart(took_s=21, seen=seen_by(requests=0, requests_missing=9)))},
            {"procedure.restart": "inconclusive"},
        ),
        ({"stack": stack(restart=Restart(took_s=21, seen=seen_by(errors=9, requests_missing=9)))}, {}),
        ({"stack": stack(after=seen_by(good=310, bound=0.94))}, {"traffic.after": "fail"}),
        ({"stack": stack(after=seen_by(probes=20, good=20, bound=0.86))}, {"traffic.after": "inconclusive"}),
        ({"stack": stack(after=seen_by(errors=300))}, {"traffic.users": "fail"}),
        ({"stack": stack(after=seen_by(errors=10))}, {"traffic.users": "fail"}),
        ({"stack": stack(after=seen_by(errors=1))}, {"traffic.users": "inconclusive"}),
        ({"stack": stack(after=seen_by(requests=9))}, {"traffic.users": "inconclusive"}),
        (
            {"stack": stack(after=Calls(probes=0, good=0, bound=None, requests=0, errors=0))},
            {"procedure.as_corrected": "fail", "traffic.after": "inconclusive", "traffic.users": "inconclusive"},
        ),
        (
            {"stack": stack(after=seen_by(probes=0, good=0, bound=None, probes_missing=600))},
            {"procedure.as_corrected": "inconclusive", "traffic.after": "inconclusive"},
        ),
        (
            {"stack": written(seen=seen_by(probes=1, good=0, probes_missing=599))},
            {"procedure.as_written": "inconclusive"},
        ),
        ({"cases": [msgspec.structs.replace(case(), checks=())]}, {"restore.verified": "inconclusive"}),
        (
            {
                "ended": ["disasters"],
                "cases": [case(), msgspec.structs.replace(case("stack_lost_data_folder"), checks=())],
            },
            {"restore.verified": "inconclusive"},
        ),
        ({"stack": written(Reached.APPLY)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(sessions=2)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(seen=SEEN)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(seen=seen_by(probes=0, good=0))}, {"procedure.as_written": "inconclusive"}),
        ({"stack": corrected(sessions=0)}, {"procedure.as_corrected": "fail", "procedure.as_written": "inconclusive"}),
        (
            {"stack": never_answered()},
            {
                "procedure.as_corrected": "fail",
                "procedure.as_written": "inconclusive",
                "procedure.restart": "inconclusive",
                "rto.measured": "inconclusive",
                "traffic.after": "inconclusive",
                "traffic.users": "inconclusive",
            },
        ),
    ],
)
def test_each_finding_fails_on_bad_evidence(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert failed(observed(**changes)) == expected


def test_a_restore_with_holes_says_nothing_of_how_old_the_last_commit_is_that_was_lost() -> None:
    """What is missing amid what is there is older than the last one recovered, by nobody knows how much."""
    whole = case(rpo_s=0.1)
    holed = msgspec.structs.replace(whole, loss=msgspec.structs.replace(whole.loss, holes=(3, 4)))
    seen = observed(cases=[case("dropped_table"), holed])
    assert failed(seen) == {"rpo.disasters": "inconclusive", "rpo.streaming": "inconclusive"}
    found = {each.id: each for each in judged(PLAN, seen)}
    for name in ("rpo.disasters", "rpo.streaming"):
        assert "lost_data_folder: 2 commits before the last one recovered are missing" in found[name].reason
        assert found[name].value == 0.1
    late = msgspec.structs.replace(holed, loss=msgspec.structs.replace(holed.loss, rpo_s=3601, rpo_least_s=3601))
    assert failed(observed(cases=[late])) == {"rpo.disasters": "fail", "rpo.streaming": "fail"}


def test_a_stall_of_an_hour_and_a_half_breaks_the_hour_and_follows_the_law() -> None:
    plan = with_stall(5400)
    assert failed(observed(stalled=lost(plan.stall)), plan) == {"rpo.stalled_archiver": "fail"}


def test_a_stall_that_is_no_multiple_of_the_commits_follows_the_law() -> None:
    plan = with_stall(units.seconds("50.5min"))
    assert failed(observed(stalled=lost(plan.stall)), plan) == {}


def test_a_stall_that_leaked_passes_nothing() -> None:
    leaked = lost(PLAN.stall, leaks=True)
    assert leaked.stalled_rpo_s < PLAN.stall.stall_s
    assert failed(observed(stalled=leaked)) == {
        "rpo.archive_only": "inconclusive",
        "rpo.stalled_archiver": "inconclusive",
        "rpo.follows_the_stall": "fail",
    }


def test_an_archive_that_kept_nothing_breaks_the_law_and_the_hour() -> None:
    nothing = lost(PLAN.stall, archived=False)
    assert failed(observed(stalled=nothing)) == {"rpo.stalled_archiver": "fail", "rpo.follows_the_stall": "fail"}


def test_an_rto_beyond_four_hours_fails() -> None:
    slow = msgspec.structs.replace(case("stack_lost_data_folder"), rto_s={**RTO, "restore": 14_400.0})
    assert failed(observed(stack=stack(case=slow)))["rto.measured"] == "fail"
    assert failed(observed(stack=never_answered(case=slow)))["rto.measured"] == "fail"


def met(seen: RecoveryDetails) -> dict[str, str]:
    """The errata that were seen, and what of them."""
    return {name: english(told) for name, told in errata_of(judged(PLAN, seen)).items()}


def test_an_erratum_is_told_only_when_it_was_seen() -> None:
    told = met(observed())
    assert told.keys() <= set(ERRATA)
    assert {"dr.configmap_changes_nothing", "dr.backup_hour_is_utc", "dr.restored_instance_unmanaged"} <= told.keys()
    for found in (written(Reached.READY), written(Reached.APPLY), written(sessions=2), corrected(sessions=0)):
        seen = observed(stack=found)
        assert "dr.configmap_changes_nothing" not in met(seen)


@pytest.mark.parametrize(
    ("lost", "restored", "shown", "left_out"),
    [
        ("on", "off", True, False),
        ("always", "off", True, False),
        ("on", "on", False, False),
        ("off", "off", False, True),
    ],
)
def test_an_instance_without_archive_shows_something_only_where_the_lost_one_had_one(
    lost: str, restored: str, shown: bool, left_out: bool
) -> None:
    name = "dr.restored_instance_unmanaged"
    seen = observed(stack=stack(lost_archiving=lost, restored_archiving=restored))
    told = met(seen)
    untried = {each.id for each in judged(PLAN, seen) if each.verdict is Verdict.NOT_EXERCISED}
    assert (name in told, name in untried) == (shown, left_out)
    assert not shown or f"the lost instance had archive_mode {lost}" in told[name]


def test_every_claim_of_the_plan_is_judged_and_what_a_part_left_out_would_judge_is_not_asked_for() -> None:
    found = {claim for each in judged(PLAN, observed()) for claim in each.claims}
    of_plan = {each.claim for each in expected(PLAN)}
    assert of_plan == set(PLAN.claims) <= found
    alone = {each.id for each in expected(msgspec.structs.replace(PLAN, parts=("schedule",)))}
    assert alone == {"backup.schedule", "backup.retention", "dr.backup.cross_region"}


def test_a_good_rehearsal_passes_and_a_bad_finding_holds_it() -> None:
    assert combine([*judged(PLAN, observed())]) is Decision.ADVANCE
    assert combine([*judged(PLAN, observed(cases=[case(check=BAD)]))]) is Decision.HOLD
    assert combine([*judged(PLAN, RecoveryDetails())]) is Decision.HOLD  # nothing was judged


def test_details_are_kept_as_json_and_judged_to_the_same() -> None:
    seen = observed(database="PostgreSQL 18.6 (x)", database_major=18)
    again = msgspec.json.decode(msgspec.json.encode(seen), type=RecoveryDetails)
    assert [*judged(PLAN, again)] == [*judged(PLAN, seen)]
    assert [*sections(PLAN, again)] == [*sections(PLAN, seen)]


def test_the_page_has_each_disaster_with_its_checks_and_what_was_left_out() -> None:
    seen = observed(cases=[case(check=BAD)], machine="m", database="d", ended=["disasters"])
    found = [*sections(msgspec.structs.replace(PLAN, parts=("disasters", "sizes")), seen)]
    facts, course, *_others, left_out = found
    assert isinstance(facts, Pairs) and [str(name) for name, _ in facts.pairs] == ["Machine", "Database"]
    assert isinstance(course, Bars) and [each.pieces for each in course.bars] == [(5.0, 1.0, 2.0, 15.0, 15.0)]
    told = [english(each.told) for each in facts_of(PLAN, seen, datetime.now(UTC)) if each.name.startswith("disaster.")]
    assert told == [
        "lost_data_folder: restored to the end; 1 of 100 commits lost, RPO 0.1 s",
        "lost_data_folder: not all hold, RTO 38 s; ✗ content: a row too few <b>",
    ]
    assert isinstance(left_out, Lines)
    assert [str(line) for line in left_out.lines] == [
        "schedule: not asked for (--only)",
        "stall: not asked for (--only)",
        "points: not asked for (--only)",
        "sizes: the run ended before it",
        "stack: not asked for (--only)",
    ]
    (chart,) = (each for each in found if isinstance(each, Chart))
    assert [point.y for point in chart.series[1].points] == [2] * 4
