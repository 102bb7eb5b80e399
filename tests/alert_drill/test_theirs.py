"""A team's own alerts: read from its files, told over a drill's course, and judged."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.data import MONITORING
from harness.base.errors import BadInput, Exit
from harness.cli.main import parse
from harness.model.judgement import Verdict
from harness.rehearsals.alert_drill.rehearsal import sections
from harness.rehearsals.alert_drill.theirs import asking
from harness.rehearsals.alert_drill.theirs.asking import of_drill, of_run, open_metrics, read, scraped
from harness.rehearsals.alert_drill.theirs.facts import SCRAPE_S, BreachStretch, QueriedRules, QueryAnswer, SeriesHeld
from harness.rehearsals.alert_drill.types import ERRORS, AlertDrillDetails, AlertDrillPlan
from harness.rules.objectives.files import BLACKBOX
from harness.rules.objectives.firing import Spell
from harness.rules.objectives.foreign.emitted import CONTRACT, merged, of_platform
from harness.rules.objectives.foreign.rules import PrometheusRule
from harness.rules.objectives.foreign.selectors import Recording, reach_s
from tests.alert_drill import theirs
from tests.alert_drill.made import PLANNED, drilled, judged
from tests.objectives import parsed
from tests.rehearsal.made import result_in
from tests.rehearsal.replayed import replayed
from tests.rehearsal.unstored import alerts

_END_S = 1_800_000_000.0

# -- files -------------------------------------------------------------------------------------------------------------


def test_both_formats_are_read(tmp_path: Path) -> None:
    """Rules, the recording among them, and the conditions of policies, each with its file and line."""
    found = read(theirs.right(tmp_path))
    assert [(each.name, each.where, each.for_s, each.every_s, each.channels) for each in found] == [
        ("Outside: probes fail", "policies/outside.yml:6", 60, 30, ("projects/p/notificationChannels/1",)),
        ("job:http_errors:share1m", "rules.yaml:5", 0, 15, None),
        ("ErrorsAbove3Percent", "rules.yaml:9", 300, 15, None),
        ("Slow", "rules.yaml:12", 600, 15, None),
    ]
    assert [each.records for each in found] == [False, True, False, False]


def test_what_is_rendered_here_is_read_as_a_team_s_own() -> None:
    """Sloth's rules, ours and the policies; objectives, Alertmanager's file and the dashboard are left alone. Where
    blackbox exporter probes, the rules as written, those of the availability and its four policies besides."""
    found = Counter(each.where.partition("/")[0] for each in read(MONITORING) if not each.records)
    assert found == {"prometheus": 12, "cloud-monitoring": 12, "blackbox": 6 + 2 + 4}


def test_a_condition_without_promql_names_its_metric(tmp_path: Path) -> None:
    """By its filter; where that is the platform's, none."""
    (tmp_path / "p.json").write_text(
        '[{"displayName": "P", "enabled": false, "conditions": [{"displayName": "c", "conditionThreshold": {"filter": '
        '"metric.type = \\"prometheus.googleapis.com/http_errors_total/counter\\"", "duration": "300s"}}]}]'
    )
    found = read(tmp_path)[0]
    assert (found.expr, found.metric, found.for_s, found.channels, found.enabled) == (
        "", "http_errors_total", 300, (), False,
    )  # fmt: skip


POLICY = """displayName: P
conditions:
- displayName: c
  conditionPrometheusQueryLanguage: {query: up, duration: 300s}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dashboard.json", '{"title": "\\ud83d\\ude00"}'),
        ("large.json", f'{{"title": "{"x" * 1_000_001}"}}'),
        ("lines.json", '{"a": 1}\n{"b": 2}\n'),
        ("values.yaml", "replicas: {{ .Values.replicas }}\n"),
    ],
)
def test_what_else_lies_in_the_folder_is_left_alone_be_it_yaml_or_not(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read(theirs.right(tmp_path)) == read(theirs.right(tmp_path / "alone"))


def test_a_file_that_may_not_be_read_may_hold_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.yaml").touch()
    real = Path.open

    def refused(path: Path, *words: Any, **more: Any) -> Any:
        if path.name == "secret.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path, *words, **more)

    folder = theirs.right(tmp_path)
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(BadInput, match="Permission denied"):
        read(folder)


def test_keys_of_prometheus_kin_are_taken(tmp_path: Path) -> None:
    """VictoriaMetrics', Thanos' and Mimir's groups have some of their own, and anybody may have another."""
    group = "concurrency: 2, type: prometheus, partial_response_strategy: warn, namespace: n, source_tenants: [a]"
    rule = "alert: A, expr: up, for: 5m, keep_firing_for: 1m, annotations: {for: x}, debug: true, owner: us"
    (tmp_path / "r.yaml").write_text(f"groups:\n- {{name: g, {group}, rules: [{{{rule}}}]}}\n")
    assert [each.for_s for each in read(tmp_path)] == [300]


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("groups:\n- rules:\n  - alert: A\n", "a rule without `expr`", "r.yaml:3, groups[0].rules[0]"),
        ("groups:\n- rules:\n  - {alert: A, expr: up, for: soon}\n", "no duration such as 5m", "r.yaml:3, "),
        ("groups:\n- rules:\n  - alert: A\n   expr: up\n", "not YAML", "r.yaml:4"),
        ("displayName: P\nconditions:\n- {displayName: c}\n", "no kind that Cloud Monitoring has", "r.yaml:3, "),
        ("groups:\n- rules:\n  - {record: a, expr: up}\n", "holds no alert", "--alerts"),
        # A key that no server takes, and that said nothing here: an alert that waits for nothing, none at all, no channel.
        (
            "groups:\n- rules:\n  - {alert: A, expr: up, fro: 5m}\n",
            "'fro'; did you mean 'for'",
            "r.yaml:3, groups[0].rules[0].fro",
        ),
        ("groups:\n- name: g\n  rule: []\n", "'rule'; did you mean 'rules'", "r.yaml:3, groups[0].rule"),
        ("groups:\n- rules: 3\n", "must be a list", "r.yaml:2, groups[0].rules"),
        (f"{POLICY}notificationChannel: [a]\n", "did you mean 'notificationChannels'", "r.yaml:5, notificationChannel"),
        (f"{POLICY}notificationChannels: projects/p\n", "must be a list", "r.yaml:5, notificationChannels"),
        (f"{POLICY}enabeld: false\n", "did you mean 'enabled'", "r.yaml:5, enabeld"),
        (
            POLICY.replace("duration", "durration"),
            "did you mean 'duration'",
            "r.yaml:4, conditions[0].conditionPrometheusQueryLanguage.durration",
        ),
    ],
)
def test_what_cannot_be_read_is_told_by_its_place(tmp_path: Path, text: str, what: str, where: str) -> None:
    """A recording alone is no alert."""
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(BadInput, match=what) as found:
        read(tmp_path)
    assert found.value.where.startswith(where)


def test_whose_evidence_is_only_said_of_alerts(tmp_path: Path) -> None:
    """And the folder and the run must be there."""
    for words in (
        ["--of", "latest"],
        ["--alerts", str(tmp_path / "gone")],
        ["--alerts", str(MONITORING), "--of", "gone"],
    ):
        with pytest.raises(BadInput):
            parse(["alert_drill", "--reports", str(tmp_path), *words]).run()


# -- the course --------------------------------------------------------------------------------------------------------


def test_a_drill_s_course_is_stretched_to_the_document_s_minutes() -> None:
    """A trial of 5 minutes lasts 5 minutes, whatever its minutes were divided by."""
    details, _ = drilled()
    course = of_drill(PLANNED, details, _END_S)
    for trial, stretch in zip(PLANNED.trials, course.stretches(), strict=True):
        assert stretch.name == trial.name
        assert stretch.end_s - stretch.begin_s == pytest.approx(trial.lasts_s, abs=PLANNED.scale * 0.2)
    assert course.end_unix_s - course.begin_unix_s == course.seconds


def test_what_users_saw_is_told_as_the_api_s_counters() -> None:
    """As many as were answered; an outage's requests, which nobody answered, are none of them."""
    details, evidence = drilled()
    found = scraped(of_drill(PLANNED, details, _END_S), evidence)
    answered = [row for row in evidence.requests if row.status and row.done_ns <= details.asked_ns]
    assert len(answered) < len(evidence.requests)
    of_500 = found['http_requests_total{method="GET",route="/v1/walks",status="503",job="tekutoko-api",instance="run"}']
    assert not any('status="0"' in series for series in found)
    failed = sum(row.status == 503 for row in answered)
    live = [float(value) for at_s, value in of_500 if at_s >= _END_S - of_drill(PLANNED, details, _END_S).seconds]
    assert live[-1] - live[0] == failed
    steps = {round(b[0] - a[0], 3) for a, b in zip(of_500[-9:], of_500[-8:], strict=False)}
    assert steps == {SCRAPE_S}
    assert of_500[-1][0] - of_500[0][0] > 7 * 86_400  # the made days
    assert open_metrics(found).endswith("# EOF\n")


def test_any_other_run_is_told_as_it_was() -> None:
    """From its first call to its last, without made days."""
    _, evidence = drilled()
    course = of_run(evidence, _END_S)
    assert course.scale == 1 and course.stretches() == ()
    assert course.seconds == (course.end_ns - course.begin_ns) / NS
    assert min(at_s for values in scraped(course, evidence).values() for at_s, _ in values) >= course.begin_unix_s


# -- the judge ---------------------------------------------------------------------------------------------------------

_COURSE = (
    BreachStretch(name="errors", begin_s=600, end_s=1080),
    BreachStretch(name="latency", begin_s=2000, end_s=2800),
)


def asked(*rules: tuple[str, QueryAnswer], **more: Any) -> tuple[AlertDrillPlan, QueriedRules]:
    """A plan of alerts on queries of ``parsed``, and the answers."""
    own = tuple(
        PrometheusRule(name=name, where=f"r.yaml:{n}", expr="x", for_s=600.0 if name == "p95" else 300.0)
        for n, (name, _) in enumerate(rules)
    )
    answers = tuple(
        msgspec.structs.replace(each, tree={} if each.refused else parsed.kept()[name]) for name, each in rules
    )
    buckets = {"http_request_duration_seconds_bucket": {"le": ("0.6", "5.0", "+Inf")}}
    plan = msgspec.structs.replace(PLANNED, theirs=own, of="somewhere")
    return plan, QueriedRules(
        seconds=3600, scale=15, answers=answers, emitted=merged(CONTRACT, buckets), course=_COURSE, **more
    )  # fmt: skip


def found_in(plan: AlertDrillPlan, of: QueriedRules) -> dict[str, tuple[Verdict, str]]:
    """By id."""
    details = AlertDrillDetails(asked=of)
    assert [*sections(plan, details, drilled()[1])]
    return {each.id: (each.verdict, each.reason) for each in judged(plan, details, drilled()[1])}


def test_what_fires_is_told_by_its_breach() -> None:
    """Its seconds are from the breach's begin."""
    fires = QueryAnswer(held=(SeriesHeld(labels={}, longest_s=420, spells=(Spell(915_000, 1_095_000),)),))
    found = found_in(*asked(("share", fires), ("p95", QueryAnswer())))
    assert found["theirs.r.yaml:0"] == (Verdict.PASS, "share: 0 mistakes in it; it fires 1 times; 315 s into errors")
    assert found["theirs.r.yaml:1"] == (Verdict.PASS, "p95: 0 mistakes in it; it stays quiet: its query never held")
    assert found["theirs.breach.errors"] == (Verdict.PASS, "fired in it: share")
    assert found["theirs.breach.latency"][0] is Verdict.FAIL


def every(step_s: int, lasts_s: int) -> tuple[Spell, ...]:
    return tuple(Spell(at_s * 1000, (at_s + lasts_s) * 1000) for at_s in range(step_s, 3600, step_s))


@pytest.mark.parametrize(
    ("spells", "errors", "latency"),
    [
        (every(60, 30), "as often", "as often"),  # whatever happens
        ((Spell(915_000, None),), "fired in it: share", "since an earlier breach"),
        ((Spell(915_000, 2_800_000),), "fired in it: share", "since an earlier breach"),
        ((Spell(915_000, 2_799_000),), "fired in it: share", "nothing of the folder"),  # it ended
        ((Spell(0, None),), "nothing of the folder", "nothing of the folder"),  # a watchdog, or of the days before
        ((Spell(300_000, None),), "nothing of the folder", "nothing of the folder"),
        # that it fired once where nothing was broken says nothing of a breach that is no longer than the half
        ((Spell(60_000, 90_000), Spell(915_000, 1_095_000)), "fired in it: share", "nothing of the folder"),
        # however long the breach is: one moment is no frequency
        ((Spell(60_000, 90_000), Spell(2_100_000, None)), "nothing of the folder", "fired in it: share"),
        ((Spell(0, 90_000), Spell(2_100_000, None)), "nothing of the folder", "fired in it: share"),
    ],
)  # fmt: skip
def test_which_breach_an_alert_tells_of(spells: tuple[Spell, ...], errors: str, latency: str) -> None:
    """One that begins to fire in it, and not as often where nothing is broken."""
    found = found_in(*asked(("share", QueryAnswer(held=(SeriesHeld(labels={}, longest_s=420, spells=spells),)))))
    verdicts = {"f": Verdict.PASS, "n": Verdict.FAIL}
    for name, told in (("errors", errors), ("latency", latency)):
        verdict, reason = found[f"theirs.breach.{name}"]
        assert told in reason
        assert verdict is verdicts.get(told[0], Verdict.INCONCLUSIVE)


def test_what_holds_too_briefly_is_told() -> None:
    """For how long, of what it must."""
    found = found_in(*asked(("share", QueryAnswer(held=(SeriesHeld(labels={}, longest_s=180, spells=()),)))))
    assert found["theirs.r.yaml:0"] == (
        Verdict.PASS, "share: 0 mistakes in it; it stays quiet: its query held for at most 180 s of the 5m that it must",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "seconds", "course", "short"),
    [
        ("share", 120, (), True),
        ("share", 599, (), True),  # 5 minutes back, for 5 minutes
        ("share", 600, (), False),
        ("p95", 120, (), True),
        ("p95", 660, (), False),  # one minute back, for 10
        ("share", 299, _COURSE[:1], True),
        ("share", 300, _COURSE[:1], False),  # a drill has made days before it
    ],
)  # fmt: skip
def test_the_quiet_of_a_run_that_is_too_short_to_fire_in_shows_nothing(
    name: str, seconds: float, course: tuple[BreachStretch, ...], *, short: bool
) -> None:
    """Whatever went wrong in it; what fires all the same is told."""
    plan, of = asked((name, QueryAnswer()))
    verdict, reason = found_in(plan, msgspec.structs.replace(of, seconds=seconds, course=course))["theirs.r.yaml:0"]
    assert verdict is (Verdict.INCONCLUSIVE if short else Verdict.PASS)
    assert (f"the run lasts {seconds} s, and " in reason) is short
    fires = QueryAnswer(
        held=(SeriesHeld(labels={}, longest_s=20, spells=(Spell(90_000, None),)),), tree=of.answers[0].tree
    )
    of = msgspec.structs.replace(of, seconds=seconds, course=course, answers=(fires,))
    assert found_in(plan, of)["theirs.r.yaml:0"][0] is Verdict.PASS


@pytest.mark.parametrize("how", [{"enabled": False}, {"channels": ()}])
def test_an_alert_that_is_switched_off_or_tells_nobody_tells_of_no_breach(how: dict[str, Any]) -> None:
    fires = QueryAnswer(held=(SeriesHeld(labels={}, longest_s=420, spells=(Spell(915_000, 1_095_000),)),))
    plan, of = asked(("share", fires))
    assert found_in(plan, of)["theirs.breach.errors"][0] is Verdict.PASS
    mute = msgspec.structs.replace(plan, theirs=tuple(msgspec.structs.replace(each, **how) for each in plan.theirs))
    assert found_in(mute, of)["theirs.breach.errors"] == (
        Verdict.FAIL,
        f"fired in it: nothing of the folder; the document has: {ERRORS}; more than 0 is wanted",
    )


def test_a_run_without_a_breach_tells_of_none() -> None:
    """No alert is held to fire in it, and none of them is shown to."""
    plan, of = asked(("share", QueryAnswer()))
    found = found_in(plan, msgspec.structs.replace(of, course=()))
    assert found["theirs.breach"] == (
        Verdict.NOT_EXERCISED,
        "the run is no whole drill of the alerts, and its breaches are not known: name one by --of",
    )
    assert found["theirs.r.yaml:0"][0] is Verdict.PASS
    assert "theirs.breach" not in found_in(plan, of)


def test_how_far_back_a_query_looks() -> None:
    """By its longest range, that of a recording inside it, that of a subquery around it, and from when on."""
    kept, name = parsed.kept(), "job:errors:rate5m"
    recorded = [Recording(name, {"slo": slo}, kept[of]) for slo, of in (("errors", "recorded rate"), ("day", "growth"))]
    of = {name: reach_s(kept[name], recorded) for name in kept}
    assert {name: of[name] for name in ("share", "growth", "of recorded rate, chosen", "of recorded rate", "gauge")} == {
        "share": 300, "growth": 3600, "of recorded rate, chosen": 300, "of recorded rate": 3600, "gauge": 0,
    }  # fmt: skip
    assert of["of a day ago"] == 86_700
    for offset, reach in ((60_000, 960), (-60_000, 900)):  # what is to come is not behind
        assert reach_s({"type": "subquery", "range": 600_000, "offset": offset, "expr": kept["share"]}, ()) == reach
    itself = kept["of recorded rate"]["lhs"] | {"type": "matrixSelector", "range": 60_000}
    assert reach_s(itself, [Recording(name, {}, itself)]) == 120


def test_a_fault_fails_whatever_it_did() -> None:
    """What Prometheus refuses, too."""
    fires = QueryAnswer(held=(SeriesHeld(labels={}, longest_s=420, spells=(Spell(915_000, None),)),))
    found = found_in(*asked(("no metric", fires), ("share", QueryAnswer(refused="unclosed left parenthesis"))))
    assert found["theirs.r.yaml:0"][0] is Verdict.FAIL
    verdict, reason = found["theirs.r.yaml:1"]
    assert verdict is Verdict.FAIL and "Prometheus refuses it: unclosed left parenthesis" in reason


@pytest.mark.parametrize(
    "metric",
    [
        "cloudsqlconn_open_connections", "kube_pod_info", "up", "probe_success", "pg_up", "nginx_up",
        "envoy_cluster_upstream_rq", "istio_requests_total", "nodejs_eventloop_lag_seconds",
    ],
)  # fmt: skip
def test_whose_metrics_the_platform_s_are(metric: str) -> None:
    """A proxy's and an exporter's too: they are no faults of a team's rule, and no run's evidence holds them."""
    assert of_platform(metric) and not of_platform(f"http_{metric}")


def test_what_rests_on_the_platform_is_not_exercised() -> None:
    """It is no fault, and no pass; by a recording neither."""
    found = found_in(*asked(("platform", QueryAnswer())))
    assert found["theirs.r.yaml:0"][0] is Verdict.NOT_EXERCISED
    plan, of = asked(("of recorded rate", QueryAnswer()), ("platform", QueryAnswer()))
    recording = msgspec.structs.replace(plan.theirs[1], name="job:errors:rate5m", records=True)
    plan = msgspec.structs.replace(plan, theirs=(msgspec.structs.replace(plan.theirs[0], for_s=0.0), recording))
    verdict, reason = found_in(plan, of)["theirs.r.yaml:0"]
    assert verdict is Verdict.NOT_EXERCISED and "kube_pod_container_status_restarts_total" in reason


@pytest.mark.parametrize("platform_s", ["first", "last"])
def test_of_recordings_of_one_name_an_alert_rests_on_those_that_it_asks_for(platform_s: str) -> None:
    """As Sloth names its own. Whichever was read last: the other's metrics and windows are not its."""
    names = ("platform", "recorded rate") if platform_s == "first" else ("recorded rate", "platform")
    slos = {"platform": "restarts", "recorded rate": "errors"}
    plan, of = asked(("of recorded rate, chosen", QueryAnswer()), *((name, QueryAnswer()) for name in names))
    alert = msgspec.structs.replace(plan.theirs[0], for_s=0.0)
    recordings = [
        msgspec.structs.replace(each, name="job:errors:rate5m", records=True, labels={"slo": slos[name]})
        for each, name in zip(plan.theirs[1:], names, strict=True)
    ]
    plan = msgspec.structs.replace(plan, theirs=(alert, *recordings))
    tree = msgspec.json.encode(of.answers[0].tree)

    def verdict(slo: str, seconds: float) -> Verdict:
        """Of an alert at 100 events a second, which is no fault, on the recording of that objective."""
        own = msgspec.json.decode(tree.replace(b'"errors"', f'"{slo}"'.encode()).replace(b"0.03", b"100"))
        answers = (msgspec.structs.replace(of.answers[0], tree=own), *of.answers[1:])
        changed = msgspec.structs.replace(of, answers=answers, seconds=seconds, course=())
        return found_in(plan, changed)["theirs.r.yaml:0"][0]

    assert [verdict("restarts", 600), verdict("errors", 300), verdict("errors", 299)] == [
        Verdict.NOT_EXERCISED, Verdict.PASS, Verdict.INCONCLUSIVE,
    ]  # fmt: skip


async def test_a_recording_is_evaluated_once_what_it_rests_on_is_there() -> None:
    """Also where both have one name, and their labels tell them apart."""
    made = list[str]()

    class Server:
        """Says which it is asked for, and when it is begun anew with them."""

        async def records(self, rule: PrometheusRule, _: object) -> dict[str, list[tuple[float, str]]]:
            return {rule.where: []}

        async def restarted(self, samples: dict[str, list[tuple[float, str]]]) -> None:
            made.append(" ".join(sorted(samples)))

    named: dict[str, Any] = {"name": "job:errors:rate5m", "expr": "x", "records": True}
    rules = [
        PrometheusRule(where="on both", labels={"slo": "both"}, **named | {"name": "of both"}),
        PrometheusRule(where="on errors", labels={"slo": "all"}, **named),
        PrometheusRule(where="errors", labels={"slo": "errors"}, **named),
        PrometheusRule(name="alert", where="alert", expr="x"),
    ]
    kept = parsed.kept()
    trees = ("of recorded rate", "of recorded rate, chosen", "recorded rate", "of recorded rate")
    answers = {n: QueryAnswer(tree=kept[name]) for n, name in enumerate(trees)}
    asks_both = msgspec.json.decode(
        msgspec.json.encode(kept["of recorded rate"]).replace(b"job:errors:rate5m", b"of both")
    )
    answers[3] = QueryAnswer(tree=asks_both)
    await asking._recorded(rules, answers, None, Server())  # type: ignore[arg-type]
    assert made == ["errors", "on errors", "on both"]


def test_of_a_drill_with_a_team_s_own_both_are_judged() -> None:
    """What the drill says stays."""
    plan, of = asked(("share", QueryAnswer()))
    details, evidence = drilled()
    details.asked = of
    found = {each.id for each in judged(msgspec.structs.replace(plan, of=""), details, evidence)}
    assert {"alert.error_ratio.fires", "theirs.r.yaml:0"} <= found


# -- all of it ---------------------------------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_faults_in_a_folder_are_named_and_a_right_one_has_none(tmp_path: Path) -> None:
    """By a real Prometheus over a stored drill: the three that were planted, each at its line; of a right folder, and
    of what is rendered here, none, and every breach fires something."""
    shutil.copytree(MONITORING, tmp_path / "rendered", ignore=shutil.ignore_patterns(BLACKBOX.name))
    folder = asyncio.run(replayed(alerts(), tmp_path / "reports"))

    def verdicts(name: str, of: Path) -> tuple[Exit, dict[str, tuple[Verdict, str]]]:
        reports = tmp_path / name
        status = parse(["alert_drill", "--alerts", str(of), "--of", str(folder), "--reports", str(reports)]).run()
        judgements = result_in((reports / "latest").resolve()).judgements
        return Exit(status), {each.id.removeprefix("theirs."): (each.verdict, each.reason) for each in judgements}

    status, found = verdicts("wrong", theirs.wrong(tmp_path / "theirs"))
    assert status is Exit.HOLD
    named = {name: reason.partition("; it ")[0] for name, (verdict, reason) in found.items() if name in theirs.WRONG}
    assert named == theirs.WRONG
    for name, of in (("right", theirs.right(tmp_path / "ours")), ("handed over", tmp_path / "rendered")):
        status, found = verdicts(name, of)
        assert status is Exit.OK and {verdict for verdict, _ in found.values()} == {Verdict.PASS}, found
        assert {"breach.errors", "breach.latency", "breach.outage"} <= {*found}
        if name == "right":
            assert "into errors" in found["rules.yaml:9"][1] and "into latency" in found["rules.yaml:12"][1]
    assert ERRORS in found["breach.errors"][1]
