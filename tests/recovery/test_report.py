"""What a rehearsal saw, judged; and the report of it. Each finding is shown failing on bad evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from junitparser import JUnitXml

from harness.judge.combine import combine, exit_status
from harness.model import units
from harness.model.errors import Exit
from harness.model.verdict import Combined, Verdict
from harness.rehearsals.dr_restore.findings import Observed, errata_not_exercised, errata_seen, findings, on_server
from harness.rehearsals.dr_restore.plan import load
from harness.rehearsals.dr_restore.procedure import Reached, Written
from harness.rehearsals.dr_restore.report import SCHEMA_FILE, measured, schema, verdict, write_report
from harness.rehearsals.dr_restore.result import (
    SCHEMA_VERSION,
    CaseResult,
    Check,
    Loss,
    Overhead,
    Prediction,
    RecoveryReport,
    SizePoint,
)
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stack_result import AsCorrected, AsWritten, OnStack, Restart
from harness.rehearsals.dr_restore.traffic import Seen
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.stack.local.postgres_programs import Programs
from scenarios.claims import ERRATA, REGISTER
from tests.recovery.stalls import lost

PLAN = load()
GOOD = Check(name="content", ok=True, told="as it was")
BAD = Check(name="content", ok=False, told="a row too few <b>")
RTO = {"detect": 5.0, "restore": 1.0, "replay": 2.0, "switch": 15.0, "ready": 15.0}


def case(
    name: str = "lost_data_folder", *, rpo_s: float | None = 0.1, least_s: float | None = None, check: Check = GOOD
) -> CaseResult:
    least_s = rpo_s if least_s is None else least_s
    lost = Loss(rpo_s=rpo_s, rpo_least_s=least_s, acknowledged=100, recovered=99, lost=1)
    return CaseResult(
        id=name, title=name, with_stack=False, point="the end", loss=lost, rto_s=dict(RTO), checks=(check,)
    )


SEEN = Seen(probes=320, good=320, bound=0.9907, requests=300, errors=0)
DARK = Seen(probes=250, good=0, bound=0.0, requests=250, errors=250)
WRITTEN = AsWritten(
    steps=Written(reached=Reached.RESTART, told="ConfigMap/app-config db_host: localhost, as before"),
    watched_s=25,
    sessions=0,
    seen=DARK,
)
WHY = "not ready after 120 s"
CORRECTED = AsCorrected(first_good_s=14.8, waited_s=30, ready_s=15, sessions=4, seen=SEEN)


def seen_by(**changes: Any) -> Seen:
    """A good window, changed."""
    return msgspec.structs.replace(SEEN, **changes)


def written(reached: Reached = Reached.RESTART, **changes: Any) -> OnStack:
    """The stack, with another outcome of the procedure as written."""
    steps = msgspec.structs.replace(WRITTEN.steps, reached=reached)
    return stack(written=msgspec.structs.replace(WRITTEN, steps=steps, **changes))


def corrected(**changes: Any) -> OnStack:
    return stack(corrected=msgspec.structs.replace(CORRECTED, **changes))


def never_answered(**changes: Any) -> OnStack:
    """The correction brought no good answer, so nothing followed it."""
    dark = AsCorrected(first_good_s=None, waited_s=150, ready_s=0, sessions=0, seen=DARK)
    return stack(corrected=dark, restart=None, after=None, **changes)


def stack(**changes: Any) -> OnStack:
    made = OnStack(
        case=case("stack_lost_data_folder"),
        lost_archiving="on",
        restored_archiving="off",
        written=WRITTEN,
        corrected=CORRECTED,
        verify_s=0.4,
        register_s=0.2,
        restart=Restart(took_s=21, seen=SEEN),
        before=SEEN,
        after=SEEN,
    )
    return msgspec.structs.replace(made, **changes)


def sizes(*, expected_s: float | None = 500, upper_s: float | None = 600, raw_s: float = 4) -> Sizes:
    point = SizePoint(size_bytes=2**24, wal_bytes=2**22, restore_s=1, replay_s=1)
    return Sizes(
        prediction=Prediction(
            name="a year",
            production_bytes=2**34,
            points=(point,) * 4,
            seconds_per_gib=20,
            fixed_s=1,
            expected_s=expected_s,
            upper_s=upper_s,
            machine="this one",
        ),
        overhead=Overhead(
            size_bytes=2**27, restore_s=3, replay_s=3, switch_s=1, raw_copy_s=raw_s / 2, raw_replay_s=raw_s / 2
        ),
    )


def with_stall(stall_s: float) -> RecoveryPlan:
    return msgspec.structs.replace(PLAN, stall=msgspec.structs.replace(PLAN.stall, stall_s=stall_s))


def observed(**changes: Any) -> Observed:
    seen = Observed(
        cases=[case()], schedule=[GOOD, GOOD], points=[GOOD], stalled=lost(PLAN.stall), sizes=sizes(), stack=stack()
    )
    return msgspec.structs.replace(seen, **changes)


def failed(seen: Observed, plan: RecoveryPlan = PLAN) -> dict[str, Verdict]:
    """What is not good, but for what no rung exercises."""
    judged = {each.id: each.verdict for each in findings(plan, seen)}
    assert judged.pop("procedure.own_address", Verdict.NOT_EXERCISED) is Verdict.NOT_EXERCISED
    return {name: verdict for name, verdict in judged.items() if not verdict.good}


def test_a_good_rehearsal_passes_every_finding_and_each_names_a_claim() -> None:
    judged = findings(PLAN, observed())
    others = {each.id: each.verdict for each in judged if each.verdict is not Verdict.PASS}
    assert others == {"procedure.as_written": "erratum_shown", "procedure.own_address": "not_exercised"}
    assert len(judged) == 18
    assert {each.claim for each in judged} <= set(REGISTER)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cases": [case(rpo_s=3601)]}, {"rpo.disasters": "fail", "rpo.streaming": "fail"}),
        ({"cases": [case(rpo_s=1.1)]}, {"rpo.streaming": "fail"}),
        ({"cases": [case(rpo_s=1.1, least_s=0.9)]}, {"rpo.streaming": "inconclusive"}),
        ({"cases": [case(rpo_s=-0.1)]}, {"rpo.disasters": "inconclusive", "rpo.streaming": "inconclusive"}),
        ({"cases": [case("dropped_table", rpo_s=1.1)]}, {}),
        ({"cases": [case(rpo_s=None)]}, {"rpo.disasters": "inconclusive", "rpo.streaming": "inconclusive"}),
        ({"cases": [case(check=BAD)]}, {"restore.verified": "fail"}),
        ({"schedule": [BAD, GOOD]}, {"backup.schedule": "fail"}),
        ({"schedule": [GOOD, BAD]}, {"backup.retention": "fail"}),
        ({"points": [GOOD, BAD]}, {"restore.points": "fail"}),
        ({"sizes": sizes(raw_s=-4)}, {"restore.overhead": "fail"}),
        ({"sizes": sizes(upper_s=20_000)}, {"rto.predicted": "inconclusive"}),
        ({"sizes": sizes(expected_s=15_000, upper_s=20_000)}, {"rto.predicted": "fail"}),
        ({"sizes": sizes(expected_s=None, upper_s=None)}, {"rto.predicted": "inconclusive"}),
        ({"stack": stack(restart=Restart(took_s=601, seen=SEEN))}, {"procedure.restart": "fail"}),
        ({"stack": stack(restart=Restart(took_s=21, seen=seen_by(errors=299)))}, {"procedure.restart": "fail"}),
        ({"stack": stack(restart=Restart(took_s=120, seen=SEEN, why=WHY))}, {"procedure.restart": "inconclusive"}),
        ({"stack": stack(restart=Restart(took_s=601, seen=SEEN, why=WHY))}, {"procedure.restart": "fail"}),
        ({"stack": stack(restart=Restart(took_s=120, seen=DARK, why=WHY))}, {"procedure.restart": "fail"}),
        (
            {"stack": stack(restart=Restart(took_s=21, seen=seen_by(requests=0)))},
            {"procedure.restart": "inconclusive"},
        ),
        ({"stack": stack(after=seen_by(good=310, bound=0.94))}, {"traffic.after": "fail"}),
        ({"stack": stack(after=seen_by(probes=20, good=20, bound=0.86))}, {"traffic.after": "inconclusive"}),
        ({"stack": stack(after=seen_by(errors=300))}, {"traffic.users": "fail"}),
        ({"stack": stack(after=seen_by(errors=10))}, {"traffic.users": "fail"}),
        ({"stack": stack(after=seen_by(errors=1))}, {"traffic.users": "inconclusive"}),
        ({"stack": stack(after=seen_by(requests=9))}, {"traffic.users": "inconclusive"}),
        (
            {"stack": stack(after=Seen(probes=0, good=0, bound=None, requests=0, errors=0))},
            {"procedure.as_corrected": "fail", "traffic.after": "inconclusive", "traffic.users": "inconclusive"},
        ),
        ({"stack": written(Reached.APPLY)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(Reached.READY)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(sessions=2)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(seen=SEEN)}, {"procedure.as_written": "inconclusive"}),
        ({"stack": written(seen=seen_by(probes=0, good=0))}, {"procedure.as_written": "inconclusive"}),
        (
            {"stack": corrected(sessions=0)},
            {"procedure.as_corrected": "fail", "procedure.as_written": "inconclusive"},
        ),
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


def test_the_rto_names_what_it_leaves_out() -> None:
    (found,) = (each for each in findings(PLAN, observed()) if each.id == "rto.measured")
    assert found.value == sum(RTO.values())
    for told in ("0.20 s of it", "0.40 s of looking", "25 s of the procedure as written"):
        assert told in found.reason


def test_a_line_that_does_not_rise_is_shown_without_a_figure(tmp_path: Path) -> None:
    write_report(tmp_path, report(observed(sizes=sizes(expected_s=None, upper_s=None))))
    assert "nothing is predicted" in (tmp_path / "report.html").read_text()


def test_an_rto_beyond_four_hours_fails() -> None:
    slow = msgspec.structs.replace(case("stack_lost_data_folder"), rto_s={**RTO, "restore": 14_400.0})
    assert failed(observed(stack=stack(case=slow)))["rto.measured"] == "fail"
    assert failed(observed(stack=never_answered(case=slow)))["rto.measured"] == "fail"


def test_a_correction_without_an_answer_says_so_and_gives_no_rto() -> None:
    judged = {each.id: each for each in findings(PLAN, observed(stack=never_answered()))}
    assert "no good answer in 150 s, none of 250 probes" in judged["procedure.as_corrected"].reason
    assert "longer than this" in judged["rto.measured"].reason
    assert (judged["rto.measured"].value, judged["procedure.restart"].value) == (None, None)
    assert "the stack gave no figures" in judged["rto.predicted"].reason


def test_an_erratum_is_told_only_when_it_was_seen() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    told = {each.id for each in errata_seen(PLAN, observed(), now)}
    assert told <= set(ERRATA)
    assert {"dr.configmap_changes_nothing", "dr.backup_hour_is_utc", "dr.restored_instance_unmanaged"} <= told
    for found in (written(Reached.READY), written(Reached.APPLY), written(sessions=2), corrected(sessions=0)):
        seen = observed(stack=found)
        assert "dr.configmap_changes_nothing" not in {each.id for each in errata_seen(PLAN, seen, now)}


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
    told = {each.id: each.seen for each in errata_seen(PLAN, seen, datetime(2026, 1, 5, tzinfo=UTC))}
    assert (name in told, name in dict(errata_not_exercised(seen))) == (shown, left_out)
    assert not shown or f"the lost instance had archive_mode {lost}" in told[name]


def report(seen: Observed, **changes: Any) -> RecoveryReport:
    judged = findings(PLAN, seen)
    made = RecoveryReport(
        schema_version=SCHEMA_VERSION,
        run_id="r",
        scenario=PLAN.name,
        title=PLAN.title,
        started_utc="2026-01-05T00:00:00.000Z",
        rung="local",
        seed=1,
        replay="python -m harness dr_restore --seed 1",
        target="t",
        machine="m",
        database="PostgreSQL 15.18 (npm)",
        passed=(combined := combine(each.verdict for each in judged)) is Combined.ALL_PASSED,
        exit_status=exit_status(combined),
        combined=combined,
        findings=judged,
        cases=tuple(seen.cases),
        prediction=seen.sizes.prediction if seen.sizes else None,
        overhead=None,
        errata=errata_seen(PLAN, seen, datetime(2026, 1, 5, tzinfo=UTC)),
        not_exercised=(("dr.backup.cross_region", "one machine"),),
        timings={"disasters": 1.0},
    )
    return msgspec.structs.replace(made, **changes)


@pytest.mark.parametrize(("version", "said"), [("18.6", True), ("15.18", False)])
def test_another_version_than_the_documents_stands_beside_each_verdict(version: str, said: bool) -> None:
    programs = Programs(folder=Path("/x"), version=version, origin="a wheel")
    judged = findings(PLAN, observed())
    told = on_server(judged, programs)
    assert [each.verdict for each in told] == [each.verdict for each in judged]
    assert len(told) > 3
    assert all(each.reason.endswith("; on PostgreSQL 18.6 (a wheel), not the document's 15") is said for each in told)


def test_the_schema_is_the_committed_one_and_the_report_keeps_it(tmp_path: Path) -> None:
    assert schema() == SCHEMA_FILE.read_bytes(), "renew it: python -m harness.rehearsals.dr_restore.report"
    write_report(tmp_path, report(observed()))
    jsonschema.validate(json.loads((tmp_path / "dr.json").read_bytes()), json.loads(SCHEMA_FILE.read_bytes()))


def test_junit_is_green_only_when_everything_passed(tmp_path: Path) -> None:
    for seen, red in ((observed(), 0), (observed(points=[BAD]), 2)):
        write_report(tmp_path, report(seen))
        suite = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
        assert suite.failures + suite.errors == red
    broken = {"leaks": ("a process",), "errors": ("it broke",), "exit_status": Exit.LEAK}
    write_report(tmp_path, report(observed(), **broken))
    suite = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert suite.failures == 2


def test_the_page_opens_offline_and_escapes_what_it_shows(tmp_path: Path) -> None:
    seen = observed(cases=[case(check=BAD)])
    write_report(tmp_path, report(seen))
    page = (tmp_path / "report.html").read_text()
    assert "a row too few &lt;b&gt;" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Not as promised" in page
    assert "1 fail" in verdict(report(seen))
    assert "4時間" in page


def test_what_the_verdicts_hang_on_is_told_with_them() -> None:
    told = {each.id: each.reason for each in findings(PLAN, observed())}
    assert "decides this verdict" in told["rpo.stalled_archiver"] and "3000 s" in told["rpo.stalled_archiver"]
    assert "decides this verdict" in told["rpo.archive_only"]
    for name in ("rto.measured", "rto.predicted", "restore.overhead"):
        assert "this machine's disk" in told[name], name


@pytest.mark.parametrize(("own_network", "why"), [(False, "127.0.0.1"), (True, "authorised networks")])
def test_as_written_says_what_was_written_and_what_was_not(own_network: bool, why: str) -> None:
    told = {each.id: each.reason for each in findings(PLAN, observed(own_network=own_network))}
    assert written(Reached.RESTART).written.steps.told in told["procedure.as_written"]
    assert "written was the proxy's endpoint" in told["procedure.as_written"]
    assert why in told["procedure.own_address"]


def test_a_line_says_what_was_measured_and_the_limit_of_the_claim() -> None:
    (found,) = (each for each in findings(PLAN, observed()) if each.id == "rto.measured")
    assert measured(msgspec.structs.replace(found, value=1.84, limit=3600.0)) == "1.84 s (limit 1 h)"
    assert measured(msgspec.structs.replace(found, value=1.84, limit=None)) == "1.84 s"
