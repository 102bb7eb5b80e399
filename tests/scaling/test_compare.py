"""Two runs of scaling beside each other: times to each size, verdicts, what is not alike; the pages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from harness.rehearsals.scaling.compare import compare
from harness.rehearsals.scaling.report import Beside, compared_text, html, summary, write_report

from harness.model.errors import BadInput, Exit
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.command import compare_command
from harness.rehearsals.scaling.types import Course, PartResult, ScalingFinding, ScalingReport, Size
from harness.report.language import ENGLISH, language
from scenarios import claims


def report(rung: Rung, slower_s: float, verdict: Verdict = Verdict.PASS, *, part: str = "hpa_cpu") -> ScalingReport:
    """From 2 to 4 pods and back; the load lasts 200 s."""
    course = Course(
        endpoints=(
            Size(at_s=-3, pods=2),
            Size(at_s=40 + slower_s, pods=3),
            Size(at_s=41 + slower_s, pods=4),
            Size(at_s=510 + slower_s, pods=2),
        ),
        decisions=(Size(at_s=30, pods=4, why="cpu <above> target"), Size(at_s=500, pods=2, why="All below")),
    )
    found = ScalingFinding(claim="scaling.hpa.cpu", verdict=verdict, value="2 -> 4", reason="so")
    return ScalingReport(
        schema_version=1, run_id=f"run-{rung}", title="Scaling", rung=rung, target="t", target_bundled=True, seed=7,
        replay="python", started_utc="2026-01-01T00:00:00Z", exit_status=0, cpu_factor=0.5, timings={},
        parts=(PartResult(name=part, title="HPA", findings=(found,), load_s=200, course=course),),
    )  # fmt: skip


def test_times_to_each_size() -> None:
    found = compare(report(Rung.KIND, 0), report(Rung.LOCAL, 7))
    times = [(each.pods, each.down, each.a_s, each.b_s) for each in found.parts[0].sizes]
    assert times == [(3, False, 40, 47), (4, False, 41, 48), (3, True, 310, 317), (2, True, 310, 317)]
    assert {each.decided_a_s for each in found.parts[0].sizes} == {30, 300}
    assert (found.unlike, found.exit_status) == ((), Exit.OK)
    assert "up    3 pods: A 40 s, B 47 s; decided: A 30 s, B 30 s" in compared_text(found)


def test_worse_and_unlike_are_told() -> None:
    other = msgspec.structs.replace(report(Rung.LOCAL, 0, Verdict.FAIL), seed=8)
    found = compare(report(Rung.KIND, 0), other)
    assert found.exit_status == Exit.HOLD and found.unlike == ("seed: 7 and 8",)
    assert compare(other, report(Rung.KIND, 0)).exit_status == Exit.OK


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(BadInput, match="no part in common"):
        compare(report(Rung.KIND, 0), report(Rung.LOCAL, 0, part="manual"))


@pytest.mark.parametrize("say", [ENGLISH, language("ja")])
def test_both_in_one_chart(say: object) -> None:
    a, b = report(Rung.KIND, 0), report(Rung.LOCAL, 7)
    beside = Beside(report=a, comparison=compare(a, b))
    page = html(b, claims.REGISTER, say, beside)  # type: ignore[arg-type]
    assert page.count('class="name"') == 3  # both in the comparison, and its own chart
    assert (
        "A kind" in page and "B local" in page and "47 s" in page and "&lt;above&gt;" in page and "<script" not in page
    )
    assert "47 s" in summary(b, say, beside)  # type: ignore[arg-type]


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, each in (("a", report(Rung.KIND, 0)), ("b", report(Rung.LOCAL, 7, Verdict.FAIL))):
        (tmp_path / name).mkdir()
        write_report(tmp_path / name, each, claims.REGISTER)
    assert compare_command("a", "b", tmp_path, ENGLISH, as_json=False) == Exit.HOLD
    assert "A 41 s, B 48 s" in capsys.readouterr().out
    assert "Compared with another run" in (tmp_path / "b" / "compared.html").read_text()
    assert "Beside another run" not in (tmp_path / "b" / "report.html").read_text()
    (tmp_path / "none").mkdir()
    assert compare_command("none", "none", tmp_path, ENGLISH, as_json=False) is None
    with pytest.raises(BadInput, match="no run of scaling"):
        compare_command("a", "none", tmp_path, ENGLISH, as_json=False)
