"""Synthetic results for the reports' tests: every section, every verdict, every kind, both headlines."""

from __future__ import annotations

from typing import Any

from harness.base.clock import Anchor
from harness.base.phase import Detail
from harness.base.units import Unit
from harness.model.judgement import Decision, Judgement, Kind, Verdict, observation
from harness.model.manifests import STILL_THERE, ManifestWarning, RepositoryErratum
from harness.model.message import message, quantity, raw_text
from harness.model.result import Child, Part, Result, RunInfo
from harness.model.section import (
    Axis,
    Band,
    Bar,
    Bars,
    Block,
    Blocks,
    Chart,
    Limit,
    Lines,
    Mark,
    Pairs,
    Point,
    Row,
    Section,
    Series,
    Style,
    Table,
    Timeline,
)
from harness.model.stack import EnvironmentKind
from harness.report.language import ENGLISH, Language
from harness.report.terminal import closing_lines

ANCHOR = Anchor(monotonic_ns=1_000_000_000, unix_ns=1_790_000_000_000_000_000)
CLAIM = "rollout.week3.success.availability"
#: What evidence can hold at its worst: markup, quotes, control characters, a table's bar.
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\" ' | `x` {{ 7*7 }} \x00\x1b[31m ]]> &amp; http://evil.example/x"


def facts(**changes: Any) -> RunInfo:
    """Those of a run that did nothing amiss."""
    fields: dict[str, Any] = {
        "rung": EnvironmentKind.LOCAL,
        "target": "walk-api",
        "target_bundled": True,
        "seed": 7,
        "replay": "python -m harness run rollout_week3 --seed 7",
        "started_utc": "2026-10-01T00:00:00.000Z",
        "anchor": ANCHOR,
    }
    return RunInfo(**{**fields, **changes})


def judgement(verdict: Verdict, **changes: Any) -> Judgement:
    """An availability of 90 %, against 99.5 %, whatever its ``verdict``."""
    fields: dict[str, Any] = {
        "id": f"success.{verdict}",
        "verdict": verdict,
        "claim": CLAIM,
        "asked": (message("availability > {limit}", limit="99.5 %"),),
        "told": (message("the reason given"),),
        "value": 0.9,
        "bound": 0.8,
        "limit": 0.995,
        "unit": Unit.RATIO,
        "samples": 1200,
    }
    if verdict is Verdict.ERRATUM_SHOWN:
        fields["erratum"] = "rollout.week4.two_thousand_of_a_hundred"
    return Judgement(**{**fields, **changes})


def result(decision: Decision | None, *judgements: Judgement, **changes: Any) -> Result:
    """A week of these judgements; ``changes`` that are of the facts go there."""
    status = {Decision.ADVANCE: 0, Decision.HOLD: 10, Decision.ROLL_BACK: 20, None: 31}
    of_facts = {name: changes.pop(name) for name in list(changes) if name in RunInfo.__struct_fields__}
    fields: dict[str, Any] = {
        "rehearsal": "rollout_week",
        "plan": "rollout_week3",
        "title": message("Week {week}", week="3"),
        "run_id": "20261001T000000Z-rollout_week3-s7-2a",
        "decides": True,
        "decision": decision,
        "exit_status": status[decision],
        "facts": facts(**of_facts),
        "parts": (),
        "judgements": judgements,
        "sections": (),
    }
    return Result(**{**fields, **changes})


def command(decision: Decision | None, *judgements: Judgement, **changes: Any) -> Result:
    """A run of a command that decides nothing about the rollout."""
    named = {"rehearsal": "network", "plan": "network", "title": message("Network"), "decides": False}
    return result(decision, *judgements, **{**named, **changes})


def printed(run: Result, say: Language = ENGLISH, detail: Detail = "usual") -> str:
    """What the terminal says of it at its end."""
    return "\n".join(map(str, closing_lines(run, "reports/x", say, detail)))


def rollback_limit(verdict: Verdict, **changes: Any) -> Judgement:
    """A rollback limit on the error ratio, 12 % against 5 %."""
    fields: dict[str, Any] = {
        "id": f"rollback.{verdict}",
        "kind": Kind.ROLLBACK_LIMIT,
        "asked": (message("error ratio > {limit}", limit="5 %"),),
        "value": 0.12,
        "bound": 0.11,
        "limit": 0.05,
        "fired_at_ns": ANCHOR.monotonic_ns + 61_000_000_000 if verdict is Verdict.FAIL else None,
    }
    return judgement(verdict, **{**fields, **changes})


def advanced(**changes: Any) -> Result:
    """A week that advances, with everything that its page shows."""
    judgements = (
        judgement(Verdict.PASS, value=0.99961, bound=0.9957, reproduce="sqlite3 evidence.sqlite\n\nSELECT 1;"),
        judgement(Verdict.PASS, id="success.latency", unit=Unit.MILLISECONDS, value=183.2, bound=201.7, limit=500.0),
        rollback_limit(Verdict.PASS, value=0.0004, bound=0.001, notes=(message("By chance alone it never fires."),)),
        judgement(
            Verdict.PASS, id="reads.acknowledged", kind=Kind.CHECK, asked=(), value=0.0, bound=None, limit=0.0,
            unit=Unit.FLAWS, samples=300, also=("api.reads",),
        ),
        judgement(
            Verdict.NOT_EXERCISED, id="pdb.budget", kind=Kind.CHECK, gates=False, value=None, bound=None, samples=0,
            told=(message("the environment lacks {capabilities}", capabilities=message("autoscaling")),),
        ),
        observation("patch:x", (message("the manifests were applied with the patch {name}", name="x"),), erratum="x.y"),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "sections": (pairs(), timeline(), table(), lines()),
        "capabilities": ("real_processes", "real_postgresql"),
        "timings": {"stack_up": 6.02, "tear_down": 1.5, "of its own": 2.0},
        "rung_changes": ("cpu: CPU limits are not honoured by processes", "not honoured: a thing"),
        "manifest_changes": ("probe: the probe's path is mended",),
        "manifests": "deploy/kubernetes/overlays/local",
        "environment": "staging",
    }
    return result(Decision.ADVANCE, *judgements, **{**fields, **changes})


def rolled_back(**changes: Any) -> Result:
    """A week that is rolled back by its error ratio."""
    judgements = (
        judgement(Verdict.FAIL),
        judgement(Verdict.INCONCLUSIVE, id="success.users", unit=Unit.USERS, value=12.0, bound=None, limit=50.0),
        rollback_limit(Verdict.FAIL),
        judgement(Verdict.FAIL, id="writes.acknowledged", kind=Kind.CHECK, asked=(), examples=("user u0017: lost",)),
    )
    fields: dict[str, Any] = {"sections": (timeline(),)}
    return result(Decision.ROLL_BACK, *judgements, **{**fields, **changes})


def everything(decision: Decision | None = Decision.HOLD, **changes: Any) -> Result:
    """A command with parts, every verdict, every kind of section, many passed judgements."""
    many = tuple(
        judgement(
            Verdict.PASS, id=f"contract.check{n}", part="contract", asked=(), value=None, bound=None, limit=None,
            samples=0, unit=Unit.NONE, claim="",
        )
        for n in range(25)
    )  # fmt: skip
    judgements = (
        *(judgement(verdict, part="first") for verdict in Verdict),
        judgement(
            Verdict.FAIL, id="soft", part="first", gates=False, value=None, bound=None, limit=None, samples=0,
            shown=(message("{count} of {all} paths", count="3", all="7"),), seconds=1.25,
        ),
        *many,
        observation("saw", (message("a pod came back after {seconds} s", seconds="12"),), part="first"),
        judgement(Verdict.PASS, id="leaks.none", kind=Kind.CHECK),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "parts": (
            Part(name="first", title=message("The first part"), seconds=12.34),
            Part(name="contract", title=message("The contract")),
            Part(name="empty", title=message("A part that was never reached")),
        ),
        "sections": (pairs(), window(), *sections("first"), lines(), timeline(), cause()),
        "versions": {"Envoy": "1.40.0", "PostgreSQL": "15.18"},
        "children": (
            Child(part="week1", run_id="r-week1", folder="r-week1", decision=Decision.ADVANCE, exit_status=0),
            Child(part="week2", run_id="", folder="", decision=None, exit_status=30),
        ),
        "manifest_warnings": (ManifestWarning(told=message("a risk"), file="deployment.yaml", line=3),),
        "repository_errata": (RepositoryErratum(id="k8s.x", state=STILL_THERE, told=message("as it was"), file="a"),),
        "missing_manifests": ("Secret", "PodDisruptionBudget"),
    }
    return command(decision, *judgements, **{**fields, **changes})


def pairs() -> Pairs:
    """Facts for the head."""
    return Pairs(pairs=((message("CPU"), message("{count} cores", count="2")), (message("Machine"), "a laptop")))


def window() -> Pairs:
    """What differs from production."""
    return Pairs(pairs=((message("Measuring window"), "120 s"),), differs=True)


def lines() -> Lines:
    """A list of the whole run."""
    return Lines(title=message("How it was judged"), lines=(message("by the clock"), "as the evidence says"))


def table(part: str = "") -> Table:
    """Every sort of row."""
    return Table(
        title=message("What each step leaves"),
        heads=(message("Step"), message("Requests"), message("Share")),
        numbers=(1, 2),
        rows=(
            Row(cells=("step 1", "1,200", "50 %"), verdict=Verdict.PASS, link="logs/step 1.txt"),
            Row(
                cells=("step 2", "7", message("{number} users", number="12")),
                verdict=Verdict.FAIL,
                word=message("refused"),
                lines=("the first line", message("the second line")),
            ),
            Row(cells=("step 3", "–", "–")),
        ),
        note=(message("Counted from the beginning."),),
        part=part,
    )


def wide_table(part: str = "") -> Table:
    """More columns than a phone has room for."""
    heads = tuple(message("column {number}", number=str(n)) for n in range(9))
    return Table(
        title=message("Steps"),
        heads=heads,
        rows=(Row(cells=tuple(f"{n * 1111} ms" for n in range(9))),),
        numbers=tuple(range(1, 9)),
        part=part,
    )


def blocks(part: str = "") -> Blocks:
    """Commands with their output."""
    return Blocks(
        title=message("The commands and their output"),
        blocks=(
            Block(caption="kubectl get pods", text="NAME  READY\nwalk-api  1/1", verdict=Verdict.PASS),
            Block(caption=message("nothing was said"), verdict=Verdict.FAIL),
        ),
        part=part,
    )


def recovery(part: str = "") -> Bars:
    """Bars of every sort of piece, and one without length."""
    return Bars(
        title=message("From {one} to the other", one="end"),
        x=Axis(label=message("seconds"), unit=Unit.SECONDS),
        names=(message("detect"), message("restore"), message("replay"), message("switch"), message("ready")),
        bars=(
            Bar(label=message("a lost {what}", what="table"), pieces=(1.5, 20.25, 3.0, 0.5, 4.0)),
            Bar(label="nothing was lost", pieces=(0.0, 0.0, 0.0, 0.0, 0.0)),
        ),
        text=(message("Lying bars."),),
        part=part,
    )


def cause() -> Table:
    """A table that stands above what was judged."""
    return Table(
        title=message("What came first"),
        heads=(message("Which"), message("Whether")),
        rows=(Row(cells=("the first", "yes"), lines=("and why",)),),
        first=True,
    )


def knee(part: str = "") -> Chart:
    """Lines with dots on logarithmic axes."""
    return Chart(
        title=message("Knee"),
        x=Axis(label=message("offered requests/s"), unit=Unit.PER_SECOND, logarithmic=True),
        y=Axis(label=message("p95"), unit=Unit.MILLISECONDS, logarithmic=True),
        series=tuple(
            Series(
                name=message("{pods} pods", pods=str(pods)),
                style=Style.LINE,
                points=tuple(
                    Point(rate * pods, 40.0 * 2**n, note=f"{rate * pods}/s: p95 {40 * 2**n} ms", hollow=n > 3)
                    for n, rate in enumerate((10, 20, 40, 80, 160))
                ),
            )
            for pods in (1, 2, 4)
        ),
        limits=(Limit(label=message("limit {limit}", limit=quantity(500, Unit.MILLISECONDS)), at=500),),
        text=(message("Two pods carry twice what one does."),),
        part=part,
    )


def sizes(part: str = "") -> Chart:
    """Steps with decisions as dots, and the load as a band."""
    steps = tuple(Point(at, pods) for at, pods in ((-20, 2), (31, 4), (62, 8), (400, 5), (520, 5)))
    decisions = (Point(30, 4, note=message("cpu 90 %"), hollow=True), Point(61, 8, note="cpu", hollow=True))
    return Chart(
        title=message("Pods over time"),
        x=Axis(label=message("time from the load"), unit=Unit.SECONDS),
        y=Axis(label=message("pods"), whole=True),
        series=(
            Series(name=message("kind"), points=steps, tone="tone0"),
            Series(name=message("decisions"), points=decisions, style=Style.DOTS, tone="tone0"),
        ),
        bands=(
            Band(start=0, end=300, label=message("load"), judged=True),
            Band(start=300, end=520, label=message("rest")),
        ),
        text=(message("From {least} to {most} pods.", least="2", most="8"),),
        part=part,
    )


def _panel(title: str, label: str, *series: Series, limits: tuple[Limit, ...] = (), log: bool = False) -> Chart:
    return Chart(
        title=message("{what}", what=title),
        x=Axis(label=message("time"), unit=Unit.SECONDS),
        y=Axis(label=message("{what}", what=label), unit=Unit.MILLISECONDS if log else Unit.NONE, logarithmic=log),
        series=series,
        limits=limits,
        text=(message("In words: {what}.", what=title),),
    )


def timeline(part: str = "") -> Timeline:
    """A week's course."""
    edges = [10.0 * n for n in range(13)]
    level = tuple(Point(at, None if at == 50 else 20 + at / 10) for at in edges)
    errors = tuple(Point(at, 3.0 if 40 <= at < 70 else 0.0) for at in edges)
    slow = tuple(Point(at, 80.0 + 7 * at) for at in edges)
    return Timeline(
        title=message("Timeline"),
        seconds=120.0,
        phases=(
            Band(start=0, end=12, label=message("stack")),
            Band(start=12, end=30, label=message("sign-in")),
            Band(start=30, end=100, label=message("window"), judged=True),
            Band(start=100, end=120, label=message("end")),
        ),
        marks=(
            Mark(at=40, kind="fault", word=message("fault"), subject="errors", said=(message("errors begin"),)),
            Mark(at=41, kind="flag", word=message("flag"), subject="flag", said=(raw_text("flag"),)),
            Mark(at=61, kind="decision", word=message("decision"), subject="roll_back", said=(message("roll back"),)),
        ),
        marks_in_all=7,
        charts=(
            _panel("Active users", "users", Series(name=message("API"), points=level, tone="api")),
            _panel(
                "Errors", "per second",
                Series(name=message("5xx"), points=errors, style=Style.AREA, tone="error1"),
                Series(name=message("no answer"), points=errors, style=Style.AREA, tone="error3"),
            ),
            _panel(
                "Latency, API", "from the due time", Series(name=message("p95"), points=slow, tone="p95"), log=True,
                limits=(Limit(label="500 ms", at=500), Limit(label="2 s", at=2000)),
            ),
            _panel("Latency, Firestore", "from the due time", Series(name=message("p95"), points=level, tone="p95"), log=True),
        ),
        note=(message("Time runs from the left."),),
        part=part,
    )  # fmt: skip


def sections(part: str) -> tuple[Section, ...]:
    """One of every kind that stands below a part."""
    lines_ = Lines(title=message("Observed"), lines=("a line",), part=part)
    return (table(part), wide_table(part), blocks(part), knee(part), sizes(part), recovery(part), lines_)
