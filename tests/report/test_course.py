"""The courses of stretches of a run: pods by version, pods against the load, faults and failures, as data."""

from __future__ import annotations

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import EventRow
from harness.model.message import message
from harness.model.section import Bars, Chart, Style, Timeline
from harness.report.course import MOST_MARKS, by_version, first_seen, gathered, stretch
from harness.report.series import axis_of
from tests.corpus import today

AXIS = axis_of(10 * NS, 20 * NS, 12 * NS)


def pod(at_s: int, name: str, state: str, revision: str) -> EventRow:
    return EventRow(
        at_ns=at_s * NS, kind="pod", subject=name, message=state, data={"state": state, "revision": revision}
    )


def levels(chart: Chart | None) -> dict[str, list[tuple[float, float | None]]]:
    assert chart is not None
    return {str(each.name): [(point.x, point.y) for point in each.points] for each in chart.series}


def test_ready_pods_are_counted_by_revision_from_the_level_before_the_stretch() -> None:
    rows = [
        pod(1, "a", "Ready", "old"), pod(2, "b", "Ready", "old"), pod(3, "z", "Ready", "older"), pod(4, "z", "Gone", "older"),
        pod(13, "c", "Ready", "new45678rest"), pod(14, "a", "Terminating", "old"), pod(15, "a", "Gone", "old"),
        pod(25, "b", "Gone", "old"), EventRow(at_ns=0, kind="pod", subject="x", message="created"),
    ]  # fmt: skip
    chart = by_version(rows, AXIS, {"new45678rest": "v2"})
    assert levels(chart) == {
        "revision old": [(-2.0, 2), (2.0, 1), (3.0, 1), (8.0, 1)],
        "v2, revision new45678": [(-2.0, 0), (1.0, 1), (8.0, 1)],
    }
    assert chart is not None and {each.style for each in chart.series} == {Style.AREA}
    assert str(chart.text[1]) == "v2, revision new45678: at most 1 ready at once"
    assert first_seen(rows) == {"old": NS, "older": 3 * NS, "new45678rest": 13 * NS}
    assert by_version([], AXIS, {}) is None
    never = by_version([pod(12, "a", "Pending", "r")], AXIS, {})
    assert never is not None and list(map(str, never.text)) == ["No pod was ready."]


def test_what_is_said_of_many_one_after_the_other_is_one_moment() -> None:
    rows = [EventRow(at_ns=n, kind="flag", subject=f"u{n}", message="not fetched") for n in range(3)]
    rows.insert(2, EventRow(at_ns=2, kind="fault", subject="x", message="not fetched"))
    assert [(row.subject, others) for row, others in gathered(rows)] == [("u0", 1), ("x", 0), ("u2", 0)]
    many = [EventRow(at_ns=(10 * NS) + n, kind="fault", subject="x", message=str(n)) for n in range(MOST_MARKS + 5)]
    found = stretch(message("{what}", what="t"), AXIS, (), [*many, *rows], {"fault"})
    assert (len(found.marks), found.marks_in_all) == (MOST_MARKS, MOST_MARKS + 5)
    assert (found.begin, found.seconds, found.marks[0].at) == (-2.0, 8.0, -2.0)


def courses(run: str) -> list[Timeline]:
    return [each for each in today.result(run).sections if isinstance(each, Timeline)]


def test_a_deploy_shows_its_pods_by_version_part_by_part() -> None:
    good, never_ready = courses("deploy")
    assert (good.part, never_ready.part) == ("good", "never_ready")
    assert list(levels(good.charts[0])) == ["revision a2fec252", "good, revision 297e6ee1"]
    assert list(levels(never_ready.charts[0])) == ["good, revision 297e6ee1"], "no pod of the other was ever ready"
    assert {each.kind for each in good.marks} == {"deployment"}
    assert [str(each.title) for each in good.charts] == [
        "Ready pods by version", "Errors, users' requests", "Availability probes",
    ]  # fmt: skip


def test_chaos_shows_pods_faults_and_failures_over_its_experiments() -> None:
    (course,) = courses("chaos_passes")
    assert [str(each.label)[:2] for each in course.phases] == ["1.", "2.", "4."]
    assert {each.kind for each in course.marks} == {"fault", "failover"}
    pods, errors, probes = course.charts
    assert levels(pods)["ready endpoints"][0] == (0.0, 2)
    assert [str(each.label) for each in errors.bands if each.judged] == ["fault"] * 3
    assert [str(each) for each in probes.text] != ["All 0 probes were good."]


def test_scaling_shows_its_pods_over_what_they_carry() -> None:
    by_hand, _, listed = courses("scaling_parts")
    assert [str(each.title) for each in by_hand.charts] == ["Pods", "CPU of the pods"]
    assert not listed.charts


def test_a_recovery_shows_its_steps_one_behind_the_other() -> None:
    (bars,) = (each for each in today.result("dr_restore").sections if isinstance(each, Bars))
    assert [str(each) for each in bars.names] == ["detect", "restore", "replay", "switch", "ready"]
    assert len(bars.bars) == 6 and all(len(each.pieces) == 5 for each in bars.bars)
    assert bars.x.unit is Unit.SECONDS
