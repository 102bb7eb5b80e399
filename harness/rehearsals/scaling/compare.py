"""The same load on two rungs, or twice on one: replicas over time, decisions and verdicts beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from harness.model.errors import BadInput
from harness.rehearsals.scaling.report import SCALING_JSON
from harness.rehearsals.scaling.types import (
    ComparedClaim,
    ComparedPart,
    Comparison,
    PartResult,
    ReachedSize,
    ScalingReport,
    Side,
    Size,
)
from harness.report.latest import LATEST


def folder_of(text: str, reports: Path) -> Path | None:
    """The folder of the scaling run that ``text`` names: a folder, its ``scaling.json``, an id below ``reports``, or
    latest; ``None`` when it is none of scaling."""
    path = Path(text)
    if text == LATEST or (not path.exists() and (reports / text).is_dir()):
        path = reports / text
    folder = path.parent if path.name == SCALING_JSON else path
    return folder.resolve() if (folder / SCALING_JSON).is_file() else None


def read(text: str, reports: Path) -> ScalingReport:
    """Raises ``BadInput`` when there is no scaling run, or its document does not read."""
    folder = folder_of(text, reports)
    if folder is None:
        raise BadInput(
            f"there is no run of scaling {text!r}",
            where=str(reports),
            remedy=f"name a folder with a {SCALING_JSON}, a run's id below {reports}, or latest",
        )
    try:
        return msgspec.json.decode((folder / SCALING_JSON).read_bytes(), type=ScalingReport)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(
            f"{SCALING_JSON} does not say what it must: {error}",
            where=str(folder / SCALING_JSON),
            remedy="it was changed, cut, or written by a newer harness: run the scenario again",
        ) from error


def compare(a: ScalingReport, b: ScalingReport) -> Comparison:
    """Of the parts that were run in both. Raises ``BadInput`` when there is none."""
    parts = [(one, other) for one in a.parts for other in b.parts if one.name == other.name and _ran(one, other)]
    if not parts:
        raise BadInput(
            "the two runs have no part in common that both ran",
            where=f"{a.run_id}, {b.run_id}",
            remedy="run the same parts in both environments, e.g. scaling --only hpa_cpu",
        )
    return Comparison(a=_side(a), b=_side(b), unlike=tuple(_unlike(a, b)), parts=tuple(_part(*each) for each in parts))


def _ran(a: PartResult, b: PartResult) -> bool:
    return bool(a.course.endpoints and b.course.endpoints)


def _side(report: ScalingReport) -> Side:
    return Side(
        run_id=report.run_id,
        rung=report.rung,
        target=report.target,
        seed=report.seed,
        started_utc=report.started_utc,
        cpu_factor=report.cpu_factor,
    )


def _unlike(a: ScalingReport, b: ScalingReport) -> list[str]:
    pairs = {
        "seed": (a.seed, b.seed),
        "target": (a.target, b.target),
        "CPU factor": (round(a.cpu_factor, 2), round(b.cpu_factor, 2)),
    }
    return [f"{name}: {one} and {other}" for name, (one, other) in pairs.items() if one != other]


def _part(a: PartResult, b: PartResult) -> ComparedPart:
    claims = [
        ComparedClaim(claim=one.claim, a=one.verdict, b=other.verdict, a_value=one.value, b_value=other.value)
        for one in a.findings
        for other in b.findings
        if one.claim == other.claim
    ]
    return ComparedPart(name=a.name, title=a.title, sizes=tuple(_sizes(a, b)), claims=tuple(claims))


def _sizes(a: PartResult, b: PartResult) -> list[ReachedSize]:
    """Up from the load's begin, then down from its end, each number of pods that either reached."""
    low = min(_at_begin(a), _at_begin(b))
    most = max(each.pods for part in (a, b) for each in part.course.endpoints)
    ups = [_reached(a, b, pods, down=False) for pods in range(low + 1, most + 1)]
    return ups + [_reached(a, b, pods, down=True) for pods in range(most - 1, low - 1, -1) if a.load_s and b.load_s]


def _at_begin(part: PartResult) -> int:
    earlier = [each.pods for each in part.course.endpoints if each.at_s <= 0]
    return earlier[-1] if earlier else part.course.endpoints[0].pods


def _reached(a: PartResult, b: PartResult, pods: int, *, down: bool) -> ReachedSize:
    def wanted(size: Size) -> bool:
        return size.pods <= pods if down else size.pods >= pods

    def first(part: PartResult, sizes: Iterable[Size]) -> float | None:
        return first_s(sizes, wanted, part.load_s if down else 0.0)

    return ReachedSize(
        pods=pods,
        down=down,
        a_s=first(a, a.course.endpoints),
        b_s=first(b, b.course.endpoints),
        decided_a_s=first(a, a.course.decisions),
        decided_b_s=first(b, b.course.decisions),
    )


def first_s(sizes: Iterable[Size], wanted: Callable[[Size], bool], since_s: float) -> float | None:
    """Seconds from ``since_s`` to the first wanted size; ``None`` when there was none."""
    return next((each.at_s - since_s for each in sizes if each.at_s >= since_s and wanted(each)), None)
