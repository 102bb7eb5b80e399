"""The figures of a recovery: value, bound, limit and samples of each verdict; kept, broken, at the edge, unknown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import english
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails, Restart
from harness.rehearsals.dr_restore.procedure import Calls, Reached
from harness.rehearsals.dr_restore.types import RecoveryPlan
from tests.recovery.made import (
    BAD,
    PLAN,
    WHY,
    case,
    corrected,
    judged,
    never_answered,
    observed,
    seen_by,
    sizes,
    stack,
    written,
)
from tests.recovery.stalls import lost
from tests.register import REGISTER
from tests.rehearsal.made import by_id

PASS, FAIL, SHOWN, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE
NONE = Verdict.NOT_EXERCISED
Figures = tuple[str, Verdict, float | None, Any, float | None, Unit, int]

#: Of a rehearsal in which everything was as it should be.
GOOD: dict[str, Figures] = {
    "rpo.disasters": ("dr.rpo", PASS, 0.1, None, 3600, Unit.SECONDS, 1),
    "rpo.streaming": ("dr.rpo", PASS, 0.1, None, 1, Unit.SECONDS, 1),
    "restore.verified": ("dr.restore.step1", PASS, 0, None, 0, Unit.NONE, 1),
    "rpo.archive_only": ("dr.rpo", PASS, 300, None, 3600, Unit.SECONDS, 79),
    "rpo.stalled_archiver": ("dr.rpo", PASS, 3300, None, 3600, Unit.SECONDS, 79),
    "rpo.follows_the_stall": ("dr.rpo", PASS, 3300, None, 3300, Unit.SECONDS, 79),
    "rto.measured": ("dr.rto", PASS, 38, None, 14_400, Unit.SECONDS, 1),
    "rto.predicted": ("dr.rto", PASS, 535, 635, 14_400, Unit.SECONDS, 4),  # 35 s of them are the stack's
    "restore.overhead": ("dr.restore.step1", PASS, 3, None, 10, Unit.SECONDS, 1),
    "backup.schedule": ("dr.backup.daily", PASS, 0, None, 0, Unit.NONE, 1),
    "backup.retention": ("dr.backup.pitr", PASS, 0, None, 0, Unit.NONE, 1),
    "restore.points": ("dr.backup.pitr", PASS, 0, None, 0, Unit.NONE, 1),
    "procedure.as_written": ("dr.restore.step2", SHOWN, 0, None, 0, Unit.NONE, 250),
    "procedure.own_address": ("dr.restore.step2", NONE, None, None, None, Unit.NONE, 0),
    "procedure.as_corrected": ("dr.restore.step2", PASS, 14.8, None, 30, Unit.SECONDS, 320),
    "procedure.restart": ("dr.restore.step3", PASS, 21, None, 600, Unit.SECONDS, 300),
    "traffic.after": ("dr.restore.step3", PASS, 1, 0.9907, 0.99, Unit.RATIO, 320),
    "traffic.users": (
        "dr.restore.step3", PASS, 0, pytest.approx(1 - 0.05 ** (1 / 300)), 0.01, Unit.RATIO, 300,
    ),
    "dr.backup.cross_region": ("dr.backup.cross_region", NONE, None, None, None, Unit.NONE, 0),
}  # fmt: skip


def test_what_is_said_of_a_good_rehearsal() -> None:
    found = by_id(each for each in judged(PLAN, observed()) if each.kind is not Kind.OBSERVATION)
    assert {
        name: (each.claim, each.verdict, each.value, each.bound, each.limit, each.unit, each.samples)
        for name, each in found.items()
    } == GOOD
    assert [name for name, each in found.items() if not each.gates] == [
        "procedure.own_address",
        "dr.backup.cross_region",
    ]
    assert {each.claim for each in found.values()} <= set(REGISTER)


def limits(**changes: Any) -> RecoveryPlan:
    """The plan with other limits."""
    return msgspec.structs.replace(PLAN, limits=msgspec.structs.replace(PLAN.limits, **changes))


def restarted(took_s: float = 21, why: str = "", **changes: Any) -> RecoveryDetails:
    """Another restart."""
    return observed(stack=stack(restart=Restart(took_s=took_s, seen=seen_by(**changes), why=why)))


def answered(**changes: Any) -> RecoveryDetails:
    """Other traffic after it."""
    return observed(stack=stack(after=seen_by(**changes)))


SILENT = observed(stack=stack(after=Calls(probes=0, good=0, bound=None, requests=0, errors=0)))
NEVER = observed(stack=never_answered())


@pytest.mark.parametrize(
    ("name", "seen", "verdict", "value", "bound", "samples", "told"),
    [
        # A loss is kept at exactly its limit. Between two figures it is broken where both are above it.
        ("rpo.disasters", observed(cases=[case(rpo_s=3600)]), PASS, 3600, None, 1, ""),
        ("rpo.disasters", observed(cases=[case(rpo_s=0)]), PASS, 0, None, 1, ""),
        ("rpo.disasters", observed(cases=[case(rpo_s=3601, least_s=3600)]), UNKNOWN, 3601, None, 1, ""),
        (
            "rpo.disasters", observed(cases=[case(), case("dropped_table", rpo_s=2)]), PASS, 2, None, 2,
            "the worst of 2 disasters: dropped_table",
        ),
        ("rpo.disasters", observed(cases=[case(rpo_s=None)]), UNKNOWN, None, None, 1, "a restore held no sentinel"),
        ("rpo.streaming", observed(cases=[case(rpo_s=None)]), UNKNOWN, None, None, 1, ""),
        (
            "restore.verified", observed(cases=[case(), case("dropped_table", check=BAD)]), FAIL, 1, None, 2,
            "dropped_table: content: a row too few <b>",
        ),
        # Segments left the server in the stall, the last 5 min before its end: less was lost than it must cost.
        ("rpo.archive_only", observed(stalled=lost(PLAN.stall, leaks=True)), UNKNOWN, -2700, None, 79, "less than the 240 s that it must cost"),
        ("rpo.stalled_archiver", observed(stalled=lost(PLAN.stall, leaks=True)), UNKNOWN, 300, None, 79, "less than the 3240 s that it must cost"),
        # Without an answer nothing but how long was waited is known.
        (
            "rto.measured", NEVER, UNKNOWN, None, 38, 1,
            "no good answer in 150 s, so it is longer than this",
        ),
        ("rto.predicted", NEVER, PASS, 500, 600, 4, "the stack gave no figures"),
        ("rto.predicted", observed(sizes=sizes(expected_s=14_365, upper_s=20_000)), UNKNOWN, 14_400, 20_035, 4, ""),
        ("rto.predicted", observed(sizes=sizes(expected_s=14_366, upper_s=20_000)), FAIL, 14_401, 20_035, 4, ""),
        ("rto.predicted", observed(sizes=sizes(expected_s=None, upper_s=None)), UNKNOWN, None, None, 4, "nothing is predicted"),
        ("rto.predicted", observed(sizes=sizes(upper_s=None)), UNKNOWN, None, None, 4, "nothing is predicted"),  # no bound, no figure
        ("backup.schedule", observed(schedule=[BAD, BAD]), FAIL, 1, None, 1, "content: a row too few <b>"),
        (
            "procedure.as_written", observed(stack=written(Reached.READY)), UNKNOWN, 0, None, 250,
            "as written, 1 restarts completed",
        ),
        (
            "procedure.as_corrected", NEVER, FAIL, 0, None, 250,
            "0 of 250 probes were good once it was changed",
        ),
        (
            "procedure.as_corrected", answered(probes=330, good=0), FAIL, 0, None, 330,
            "0 of 330 probes were good once it was changed",
        ),
        ("procedure.as_corrected", SILENT, FAIL, 0, None, 0, ""),
        (
            "procedure.as_corrected", observed(stack=corrected(sessions=0)), FAIL, 0, None, 0,
            "once it was changed, the pods had 0 sessions on the new instance",
        ),
        ("procedure.restart", restarted(600), PASS, 600, None, 300, ""),
        ("procedure.restart", restarted(601), FAIL, 601, None, 300, ""),
        ("procedure.restart", NEVER, UNKNOWN, None, None, 0, "not reached"),
        (
            "procedure.restart", restarted(120, WHY), UNKNOWN, None, 120, 300,
            WHY,
        ),
        ("procedure.restart", restarted(601, WHY), FAIL, None, 601, 300, ""),
        (
            "procedure.restart", restarted(120, WHY, errors=300), FAIL, 1, None, 300,
            "300 of 300 requests failed",
        ),
        ("procedure.restart", restarted(requests=0), UNKNOWN, None, None, 0, "0 samples are too few"),
        (
            "procedure.restart", restarted(120, WHY, requests=0), UNKNOWN, None, 120, 0,
            WHY,
        ),
        # Most of them failing is an outage; a half is not most, and a little more may be chance.
        ("procedure.restart", restarted(errors=150), PASS, 21, None, 300, "150 of 300 requests failed"),
        ("procedure.restart", restarted(errors=151), UNKNOWN, 151 / 300, None, 300, "151 of 300 requests failed"),
        (
            "procedure.restart", restarted(errors=149, requests_missing=2), PASS, 21, None, 300,
            "2 of the 302 planned are not in evidence",
        ),
        # "> 99 %": not at just as many, and not broken while it may be more: at 95 %, of 97 in 100 it may.
        ("traffic.after", answered(bound=0.99), UNKNOWN, 1, 0.99, 320, ""),
        ("traffic.after", answered(probes=100, good=99, bound=0.95), UNKNOWN, 0.99, 0.95, 100, "99 of 100 probes good"),
        ("traffic.after", answered(probes=100, good=97, bound=0.94), UNKNOWN, 0.97, 0.94, 100, "97 of 100 probes good"),
        ("traffic.after", answered(probes=100, good=96, bound=0.93), FAIL, 0.96, 0.93, 100, "96 of 100 probes good"),
        (
            "traffic.after", answered(probes=99, good=96, bound=0.93, probes_missing=1), UNKNOWN, 96 / 99, 0.93, 99,
            "1 of the 100 planned are not in evidence",
        ),
        (
            "traffic.after", answered(probes=99, good=95, bound=0.92, probes_missing=1), FAIL, 95 / 99, 0.92, 99,
            "1 of the 100 planned are not in evidence",
        ),
        ("traffic.after", SILENT, UNKNOWN, None, None, 0, "0 of 0 probes good"),
        ("traffic.after", NEVER, UNKNOWN, None, None, 0, "not reached"),
        ("traffic.users", answered(errors=30), FAIL, 0.1, pytest.approx(0.133, abs=1e-3), 300, "30 of 300 requests"),
        (
            "traffic.users", answered(requests_missing=9), UNKNOWN, 0, pytest.approx(0.05, abs=1e-3), 300,
            "9 of the 309 planned are not in evidence",
        ),
        ("traffic.users", SILENT, UNKNOWN, None, None, 0, "0 of 0 requests"),
        ("traffic.users", NEVER, UNKNOWN, None, None, 0, "not reached"),
    ],
)  # fmt: skip
def test_what_is_said_of_another(
    name: str, seen: RecoveryDetails, verdict: Verdict, value: float | None, bound: Any, samples: int, told: str
) -> None:
    """ "" for what is told elsewhere in the table."""
    each = by_id(judged(PLAN, seen))[name]
    assert (each.verdict, each.value, each.bound, each.samples) == (verdict, value, bound, samples)
    assert each.claim == GOOD[name][0] and told in each.reason, each.reason


def test_a_loss_that_may_be_within_a_limit_of_less_than_a_second_is_not_known_to_break_it() -> None:
    """Its commit may have been acknowledged just when the disaster began."""
    seen = observed(cases=[case(rpo_s=0.7, least_s=0)])
    assert by_id(judged(limits(streaming_rpo_s=0.5), seen))["rpo.streaming"].verdict is UNKNOWN


@pytest.mark.parametrize(("own_network", "why"), [(False, "127.0.0.1"), (True, "authorised networks")])
def test_the_own_address_is_not_written_for_a_reason_of_the_environment(own_network: bool, why: str) -> None:
    assert why in by_id(judged(PLAN, observed(own_network=own_network)))["procedure.own_address"].reason


def all_of(seen: RecoveryDetails, plan: RecoveryPlan = PLAN) -> dict[str, Judgement]:
    """Everything that is judged, by id; none of it in a part."""
    return by_id(judged(plan, seen))


#: What a good rehearsal shows of the document beside its verdicts.
_SHOWN = {
    "dr.backup_hour_is_utc": "start_time 03:00 read as UTC starts the backup at 12:00 JST",
    "dr.backups_by_count": "7 daily backups kept by count reach back 6 days right after a backup",
    "dr.archive_age_unwatched": "24 of 79 commits recovered; the limit holds up to a stall of 0:55:00",
    "dr.restored_instance_unmanaged": "the lost instance had archive_mode on, the restored one has it off",
}


def test_what_is_said_of_the_errata_that_were_met() -> None:
    observations = (each for each in all_of(observed()).values() if each.kind is Kind.OBSERVATION)
    told = {each.erratum: english(each.told) for each in observations}
    assert told.keys() == _SHOWN.keys()
    assert all(words in told[name] for name, words in _SHOWN.items())


@pytest.mark.parametrize("how", [{"leaks": True}, {"archived": False}])
def test_a_stall_that_did_not_cost_what_it_must_shows_nothing_of_the_archive_s_age(how: dict[str, bool]) -> None:
    assert "erratum:dr.archive_age_unwatched" not in all_of(observed(stalled=lost(PLAN.stall, **how)))


def test_a_retention_by_count_is_of_the_nearest_number_of_days() -> None:
    half = msgspec.structs.replace(PLAN, backup=msgspec.structs.replace(PLAN.backup, retention_s=3.5 * 86_400))
    told = all_of(observed(), half)["erratum:dr.backups_by_count"].reason
    assert told.startswith("4 daily backups kept by count reach back 3 days right after a backup")
