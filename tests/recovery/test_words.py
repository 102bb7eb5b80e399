"""Each finding of a recovery to the word: verdict, figure, bound, limit, reason; kept, broken, at the edge, unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import Judgement, Kind
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.judge import findings, judged
from harness.rehearsals.dr_restore.procedure import Reached
from harness.rehearsals.dr_restore.stack_result import RecoveryDetails, Restart
from harness.rehearsals.dr_restore.traffic import Calls
from harness.rehearsals.dr_restore.types import RecoveryPlan
from tests.recovery.made import (
    BAD,
    PLAN,
    WHY,
    WRITTEN,
    case,
    corrected,
    never_answered,
    observed,
    seen_by,
    sizes,
    stack,
    written,
)
from tests.recovery.stalls import lost
from tests.rehearsal.made import by_id

PASS, FAIL, SHOWN, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE
NOTHING = "dr.configmap_changes_nothing"
DAY_NS = round(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1e9)

_STALLED = (
    "an archiver stalled for 0:50:00 loses the stall and what was not yet switched; 24 of 79 commits recovered; the "
    "limit holds up to a stall of 0:55:00; no alert of the document sees one"
)
_LEFT_OUT = (
    "detect + restore + replay + switch (the new instance made known to the sidecars in 0.20 s of it) + ready, a small "
    "database under load, on this machine's disk; left out: nobody had to be woken, the 0.40 s of looking at the "
    "restored instance before traffic, the 25 s of the procedure as written"
)
_PREDICTED = (
    "a year: 16 GiB on this machine's disk, by a line through 4 sizes, 95 % prediction bound; a cloud disk of another "
    "speed has another line"
)
_ALONE = "; restore and replay alone, the stack gave no figures"
_FLAT = (
    "a year: nothing is predicted. The line through 4 sizes does not rise (20.00 s a GiB), so what was measured is "
    "noise: larger --sizes rise above it"
)
_REFLECTED = "ConfigMap/app-config db_host: localhost, as before"
_WRITTEN = f"written was the proxy's endpoint, by which pods reach any instance; {_REFLECTED}; "
_UNCONFIRMED = f"{_WRITTEN}that it changes nothing (erratum {NOTHING}) is not confirmed; "
_CHANGED = "the sidecar's instance changed in the Deployment; "
_RESTARTED = "restarted in order under load; {} of {} requests failed{}; 5-10 min has room for images and nodes, which this environment does not fetch"
_LONGER = "not complete in {} s, so it takes longer than this; not ready after 120 s; "
_LACKING = "; {} of the {} planned are not in evidence, and count as failed"
_NOT_REACHED = "not reached: as corrected, no good answer came"
_USERS = "{} of {} requests of the users failed; the limit is the rollout's of week 1"
_LESS = "less than the {} s that it must cost: segments left the server meanwhile"

Words = tuple[str, Verdict, float | None, Any, float | None, Unit, int, str]

#: Of a rehearsal in which everything was as it should be.
GOOD: dict[str, Words] = {
    "rpo.disasters": (
        "dr.rpo", PASS, 0.1, None, 3600, Unit.SECONDS, 1, "the worst of 1 disasters: lost_data_folder",
    ),
    "rpo.streaming": (
        "dr.rpo", PASS, 0.1, None, 1, Unit.SECONDS, 1,
        "WAL streamed; a sentinel every 100 ms; counted to when the server was known dead, so the loss is at most this; "
        "the limit is ours, tighter than the document's",
    ),
    "restore.verified": (
        "dr.restore.step1", PASS, None, None, None, Unit.NONE, 1,
        "every backup restored from agreed with its manifest, every restored instance with the acknowledged commits, and "
        "counts and content with what was written by them",
    ),
    "rpo.archive_only": (
        "dr.rpo", PASS, 300, None, 3600, Unit.SECONDS, 79,
        "archive alone, the disk lost just before a segment was due; the plan's own number, an archive_timeout of 300 s, "
        "decides this verdict; by a moved clock",
    ),
    "rpo.stalled_archiver": (
        "dr.rpo", PASS, 3300, None, 3600, Unit.SECONDS, 79,
        _STALLED + "; the plan's own number, a stall of 3000 s, decides this verdict: nothing in the document bounds one; "
        "by a moved clock",
    ),
    "rpo.follows_the_stall": (
        "dr.rpo", PASS, 3300, None, 3300, Unit.SECONDS, 79,
        "computed beforehand: 3240 to 3300 s, by an archive_timeout of 300 s, a stall of 3000 s after 1740 s, a commit "
        "every 60 s",
    ),
    "rto.measured": ("dr.rto", PASS, 38, None, 14_400, Unit.SECONDS, 1, _LEFT_OUT),
    "rto.predicted": ("dr.rto", PASS, 535, 635, 14_400, Unit.SECONDS, 4, _PREDICTED),  # 35 s of them are the stack's
    "restore.overhead": (
        "dr.restore.step1", PASS, 3, None, 10, Unit.SECONDS, 1,
        "on this machine's disk, at 128 MiB: restore 3.0 + replay 3.0 + switch 1.0 s; bare copy 2.0 + replay 2.0 s",
    ),
    "backup.schedule": ("dr.backup.daily", PASS, None, None, None, Unit.NONE, 1, "content: as it was"),
    "backup.retention": ("dr.backup.pitr", PASS, None, None, None, Unit.NONE, 1, "content: as it was"),
    "restore.points": ("dr.backup.pitr", PASS, None, None, None, Unit.NONE, 1, "content: as it was"),
    "procedure.as_written": (
        "dr.restore.step2", SHOWN, None, None, None, Unit.NONE, 250,
        f"{_WRITTEN}it changes nothing, as erratum {NOTHING} says",
    ),
    "procedure.own_address": (
        "dr.restore.step2", Verdict.NOT_EXERCISED, None, None, None, Unit.NONE, 0,
        "the new instance's own address in db_host was not written; every instance here has the address 127.0.0.1 and a "
        "port of its own, and the step names no port: the new instance's address is that of the lost one",
    ),
    "procedure.as_corrected": (
        "dr.restore.step2", PASS, 14.8, None, None, Unit.SECONDS, 320,
        _CHANGED + "the first good answer after so long, 4 sessions on the new instance",
    ),
    "procedure.restart": (
        "dr.restore.step3", PASS, 21, None, 600, Unit.SECONDS, 300, _RESTARTED.format(0, 300, ""),
    ),
    "traffic.after": ("dr.restore.step3", PASS, 1, 0.9907, 0.99, Unit.RATIO, 320, "320 of 320 probes good"),
    "traffic.users": (
        "dr.restore.step3", PASS, 0, pytest.approx(1 - 0.05 ** (1 / 300)), 0.01, Unit.RATIO, 300, _USERS.format(0, 300),
    ),
}  # fmt: skip


def test_what_is_said_of_a_good_rehearsal() -> None:
    found = by_id(findings(PLAN, observed()))
    assert {
        name: (each.claim, each.verdict, each.value, each.bound, each.limit, each.unit, each.samples, each.reason)
        for name, each in found.items()
    } == GOOD
    assert [name for name, each in found.items() if not each.gates] == ["procedure.own_address"]


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
            "restore.verified", observed(cases=[case(), case("dropped_table", check=BAD)]), FAIL, None, None, 2,
            "dropped_table: content: a row too few <b>",
        ),
        # Segments left the server in the stall, the last 5 min before its end: less was lost than it must cost.
        ("rpo.archive_only", observed(stalled=lost(PLAN.stall, leaks=True)), UNKNOWN, -2700, None, 79, _LESS.format(240)),
        ("rpo.stalled_archiver", observed(stalled=lost(PLAN.stall, leaks=True)), UNKNOWN, 300, None, 79, _LESS.format(3240)),
        # Without an answer nothing but how long was waited is known.
        (
            "rto.measured", NEVER, UNKNOWN, None, 38, 1,
            f"no good answer in 150 s, so it is longer than this; {_LEFT_OUT}",
        ),
        ("rto.predicted", NEVER, PASS, 500, 600, 4, _PREDICTED + _ALONE),
        ("rto.predicted", observed(sizes=sizes(expected_s=14_365, upper_s=20_000)), UNKNOWN, 14_400, 20_035, 4, ""),
        ("rto.predicted", observed(sizes=sizes(expected_s=14_366, upper_s=20_000)), FAIL, 14_401, 20_035, 4, ""),
        ("rto.predicted", observed(sizes=sizes(expected_s=None, upper_s=None)), UNKNOWN, None, None, 4, _FLAT),
        ("rto.predicted", observed(sizes=sizes(upper_s=None)), UNKNOWN, None, None, 4, _FLAT),  # no bound, no figure
        ("backup.schedule", observed(schedule=[BAD, BAD]), FAIL, None, None, 1, "content: a row too few <b>"),
        (
            "procedure.as_written", observed(stack=written(Reached.READY)), UNKNOWN, None, None, 250,
            _UNCONFIRMED + "the restart completed, the pods became ready",
        ),
        (
            "procedure.as_corrected", NEVER, FAIL, None, None, 250,
            _CHANGED + "no good answer in 150 s, none of 250 probes was good; the pods had no session on the new instance",
        ),
        (
            "procedure.as_corrected", answered(probes=330, good=0), FAIL, 14.8, None, 330,
            _CHANGED + "a good answer came, but none after the restart",
        ),
        ("procedure.as_corrected", SILENT, FAIL, 14.8, None, 0, ""),
        (
            "procedure.as_corrected", observed(stack=corrected(sessions=0)), FAIL, 14.8, None, 320,
            _CHANGED + "the pods had no session on the new instance",
        ),
        ("procedure.restart", restarted(600), PASS, 600, None, 300, ""),
        ("procedure.restart", restarted(601), FAIL, 601, None, 300, ""),
        ("procedure.restart", NEVER, UNKNOWN, None, None, 0, _NOT_REACHED),
        (
            "procedure.restart", restarted(120, WHY), UNKNOWN, None, 120, 300,
            _LONGER.format(120) + "0 of 300 requests failed",
        ),
        ("procedure.restart", restarted(601, WHY), FAIL, None, 601, 300, ""),
        (
            "procedure.restart", restarted(120, WHY, errors=300), FAIL, None, 120, 300,
            _LONGER.format(120) + "an outage, not a restart in order; 300 of 300 requests failed",
        ),
        ("procedure.restart", restarted(requests=0), UNKNOWN, 21, None, 0, "no request was due in its 21 s"),
        (
            "procedure.restart", restarted(120, WHY, requests=0), UNKNOWN, None, 120, 0,
            _LONGER.format(120) + "no request was due in its 120 s",
        ),
        # Most of them failing is an outage; a half is not most, and a little more may be chance.
        ("procedure.restart", restarted(errors=150), PASS, 21, None, 300, _RESTARTED.format(150, 300, "")),
        ("procedure.restart", restarted(errors=151), UNKNOWN, 21, None, 300, "151 of 300 requests failed"),
        (
            "procedure.restart", restarted(errors=149, requests_missing=2), PASS, 21, None, 300,
            _RESTARTED.format(149, 300, _LACKING.format(2, 302)),
        ),
        # "> 99 %": not at just as many, and not broken while it may be more: at 95 %, of 97 in 100 it may.
        ("traffic.after", answered(bound=0.99), UNKNOWN, 1, 0.99, 320, ""),
        ("traffic.after", answered(probes=100, good=99, bound=0.95), UNKNOWN, 0.99, 0.95, 100, "99 of 100 probes good"),
        ("traffic.after", answered(probes=100, good=97, bound=0.94), UNKNOWN, 0.97, 0.94, 100, "97 of 100 probes good"),
        ("traffic.after", answered(probes=100, good=96, bound=0.93), FAIL, 0.96, 0.93, 100, "96 of 100 probes good"),
        (
            "traffic.after", answered(probes=99, good=96, bound=0.93, probes_missing=1), UNKNOWN, 96 / 99, 0.93, 99,
            "96 of 99 probes good" + _LACKING.format(1, 100),
        ),
        (
            "traffic.after", answered(probes=99, good=95, bound=0.92, probes_missing=1), FAIL, 95 / 99, 0.92, 99,
            "95 of 99 probes good" + _LACKING.format(1, 100),
        ),
        ("traffic.after", SILENT, UNKNOWN, None, None, 0, "0 of 0 probes good"),
        ("traffic.after", NEVER, UNKNOWN, None, None, 0, _NOT_REACHED),
        ("traffic.users", answered(errors=30), FAIL, 0.1, pytest.approx(0.133, abs=1e-3), 300, _USERS.format(30, 300)),
        (
            "traffic.users", answered(requests_missing=9), UNKNOWN, 0, pytest.approx(0.05, abs=1e-3), 300,
            _USERS.format(0, 300) + _LACKING.format(9, 309),
        ),
        ("traffic.users", SILENT, UNKNOWN, None, None, 0, "no request was due"),
        ("traffic.users", NEVER, UNKNOWN, None, None, 0, _NOT_REACHED),
    ],
)  # fmt: skip
def test_what_is_said_of_another(
    name: str, seen: RecoveryDetails, verdict: Verdict, value: float | None, bound: Any, samples: int, told: str
) -> None:
    """ "" for what is told elsewhere in the table."""
    each = by_id(findings(PLAN, seen))[name]
    assert (each.verdict, each.value, each.bound, each.samples) == (verdict, value, bound, samples)
    assert (each.claim, each.unit, each.erratum, each.seen) == (GOOD[name][0], GOOD[name][5], "", ())
    assert told in {"", each.reason}, each.reason


def test_a_loss_that_may_be_within_a_limit_of_less_than_a_second_is_not_known_to_break_it() -> None:
    """Its commit may have been acknowledged just when the disaster began."""
    seen = observed(cases=[case(rpo_s=0.7, least_s=0)])
    assert by_id(findings(limits(streaming_rpo_s=0.5), seen))["rpo.streaming"].verdict is UNKNOWN


def test_in_a_cluster_the_own_address_was_not_written_for_another_reason() -> None:
    assert by_id(findings(PLAN, observed(own_network=True)))["procedure.own_address"].reason == (
        "the new instance's own address in db_host was not written; Cloud SQL lets a client in by that address from "
        "authorised networks and by its own certificates alone; the PostgreSQL that stands in here asks for neither, so "
        "that pods reach it would say nothing"
    )


def as_written(seen: RecoveryDetails) -> str:
    """What was seen of the erratum of the procedure as written."""
    return english(by_id(findings(PLAN, seen))["procedure.as_written"].seen)


def test_what_was_seen_of_a_procedure_that_changes_nothing() -> None:
    watched, dark = "as written, watched for 25 s: the restart did not complete; ", f"{_REFLECTED}; none of 250 probes "
    ends = "was good, no pod had a session on the new instance; corrected, 4 sessions; "
    first = "the first good answer after 14.8 s"
    assert as_written(observed()) == watched + dark + ends + first
    why = msgspec.structs.replace(WRITTEN, steps=msgspec.structs.replace(WRITTEN.steps, why=WHY))
    assert as_written(observed(stack=stack(written=why))) == f"{watched}{WHY}; {dark}{ends}{first}"
    late = corrected(first_good_s=None, waited_s=150)
    assert as_written(observed(stack=late)) == watched + dark + ends + "no good answer in 150 s"


def all_of(seen: RecoveryDetails, plan: RecoveryPlan = PLAN) -> dict[str, Judgement]:
    """Everything that is judged, by id; none of it in a part."""
    return by_id(judged(plan, seen, DAY_NS))


#: What a good rehearsal shows of the document beside its verdicts.
_SHOWN = {
    "dr.backup_hour_is_utc": "start_time 03:00 read as UTC starts the backup at 12:00 JST",
    "dr.backups_by_count": (
        "7 daily backups kept by count reach back 6 days right after a backup; this rehearsal keeps one more"
    ),
    "dr.archive_age_unwatched": _STALLED,
    "dr.restored_instance_unmanaged": (
        "the lost instance had archive_mode on, the restored one has it off: until somebody sets it, nothing backs it up"
    ),
}


def test_what_is_said_of_the_errata_that_were_met() -> None:
    found = all_of(observed())
    assert {
        each.erratum: each.reason for each in found.values() if each.kind is Kind.OBSERVATION and each.verdict is SHOWN
    } == _SHOWN
    assert {f"erratum:{name}" for name in _SHOWN} <= found.keys()


@pytest.mark.parametrize("how", [{"leaks": True}, {"archived": False}])
def test_a_stall_that_did_not_cost_what_it_must_shows_nothing_of_the_archive_s_age(how: dict[str, bool]) -> None:
    assert "erratum:dr.archive_age_unwatched" not in all_of(observed(stalled=lost(PLAN.stall, **how)))


def test_a_stack_that_archives_nothing_shows_nothing_of_a_restored_one() -> None:
    found = all_of(observed(stack=stack(lost_archiving="off")))["dr.restored_instance_unmanaged"]
    assert (found.kind, found.verdict, found.reason) == (
        Kind.OBSERVATION,
        Verdict.NOT_EXERCISED,
        "the stack's own PostgreSQL archives nothing (archive_mode off): a restored one loses nothing by it",
    )


def test_a_retention_by_count_is_of_the_nearest_number_of_days() -> None:
    half = msgspec.structs.replace(PLAN, backup=msgspec.structs.replace(PLAN.backup, retention_s=3.5 * 86_400))
    told = all_of(observed(), half)["erratum:dr.backups_by_count"].reason
    assert told.startswith("4 daily backups kept by count reach back 3 days right after a backup")


def test_what_one_machine_cannot_show_says_so() -> None:
    found = all_of(observed(stack=None))["dr.backup.cross_region"]
    assert found.reason == "the rehearsal has one machine: the loss of a region is outside it (Phase 4)"
    assert found.verdict is Verdict.NOT_EXERCISED and not found.gates
