"""Nothing that a plan asks for goes without a word: parts of stored runs are lost, and none of them advances by it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cli.stored.again import judge_again
from harness.cli.stored.folder import StoredRun, read_stored
from harness.evidence.store import Gathered, stored
from harness.model.evidence import EventRow, RequestRow, Row
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL as ALERTS
from harness.rules.judged import CHECK_EVENT, combine
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import judged
from tests.alert_drill.made import PLANNED, drilled
from tests.corpus import today
from tests.corpus.today import NAMES, TAKEN_OVER
from tests.migration.test_drill import WEEK_1, week
from tests.rehearsal.losses import of_details, of_evidence
from tests.rehearsal.made import facts

RUNS = sorted({*NAMES} - TAKEN_OVER)
#: Judging their requests takes seconds: their details are lost without them.
LONG = ("migration_drill", "network_kind", "secret_rotation_kind")
#: What is judged besides what a plan asks for: errata of the document that were seen, each by itself.
SEEN_BESIDE = {"cost.cluster_fee", "cost.sidecar_left_out", "manifest.gcr_shut_down", "api.identical"}
#: Fields without which a judgement rests on something else that is there, as their types say.
STANDS = {"deploy": {"followed.*.looked_ns gone", "followed.*.looked_ns null"},
          "infrastructure": {"repository.scripts.* gone"}}  # fmt: skip


@cache
def run_of(name: str) -> StoredRun:
    """As it was stored, and not beside what details of today have more."""
    evidence = stored(today.folder(name))
    if name in LONG:
        evidence = without(evidence, lambda row: isinstance(row, RequestRow))
    return replace(read_stored(str(today.folder(name)), Path()), evidence=evidence)


def without(evidence: Gathered, lost: Callable[[Row], bool]) -> Gathered:
    left = Gathered()
    left.see(row for row in evidence.rows if not lost(row))
    return left


def told(found: Iterable[Judgement]) -> dict[tuple[str, str], tuple[object, ...]]:
    return {each.key: (each.verdict, each.value, each.samples) for each in found}


@pytest.mark.parametrize("name", RUNS)
def test_the_plan_asks_for_each_judgement_of_a_run(name: str) -> None:
    run = run_of(name)
    found = [*run.rehearsal.by_rules(run.plan, run.seen())]
    asked = {each[:2] for each in run.rehearsal.expected(run.plan, run.result.facts)}
    assert {each.key for each in found if each.kind is not Kind.OBSERVATION} - asked <= {
        ("", each) for each in SEEN_BESIDE
    } | {("document", each) for each in SEEN_BESIDE}
    missing = {each.key for each in judged(run.rehearsal, run.plan, run.seen())} - {each.key for each in found}
    # Judged from what the stored run did not keep: when the load began, a check that came after it.
    old = {
        "migration_drill": {("", "migration.stepwise")},
        "conformance": {("", "upsert.two_devices")},
        "security": {("", "token.near_its_end")},
    }
    reads = {("", "reads.acknowledged")} if name == "secret_rotation_kind" else set()
    assert missing - {("", "machine.processors")} == old.get(name, set()) | reads


@pytest.mark.parametrize("name", RUNS)
def test_no_loss_goes_without_a_word(name: str) -> None:
    run = run_of(name)
    whole, known = judge_again(run, run.seen()), {msgspec.json.encode(run.details)}
    for place, details in of_details(run.result.details):
        try:
            left = replace(run, details=msgspec.convert(details, type=run.rehearsal.details))
        except msgspec.ValidationError:
            continue  # refused as it is read
        if (same := msgspec.json.encode(left.details)) in known:
            continue
        known.add(same)
        holds(place, whole, judge_again(left, left.seen()), STANDS.get(name, set()))
    for place, evidence in of_evidence(run.evidence):
        left = replace(run, evidence=evidence)
        holds(place, whole, judge_again(left, left.seen()), set())


def holds(place: str, whole: tuple[Judgement, ...], now: tuple[Judgement, ...], stands: set[str]) -> None:
    """Asserts that what is judged after a loss is all that was, and that the run advances only if nothing changed."""
    gone = {each.key for each in whole if each.kind is not Kind.OBSERVATION} - {each.key for each in now}
    assert {id_ for _, id_ in gone} <= SEEN_BESIDE, place
    if combine(now) is Decision.ADVANCE and place not in stands:
        before_, after = told(whole), told(now)
        assert not gone and {key: after[key] for key in before_ if key in after} == {
            key: before_[key] for key in before_ if key in after
        }, place


Loss = Callable[[Any], object]


def lost(details: Any, loss: Loss) -> Any:
    left = copy.deepcopy(msgspec.to_builtins(details))
    loss(left)
    return msgspec.convert(left, type=type(details))


def gone(*names: str) -> Loss:
    return lambda details: [details.update({name: None}) for name in names]


def check_gone(id_: str) -> Loss:
    return lambda details: details.update(checks=[each for each in details["checks"] if each["id"] != id_])


#: Of each the run, what of its details is lost, and what then is not in evidence.
LOSSES: dict[str, tuple[str, Loss, tuple[tuple[str, str], ...]]] = {
    "recovery, three parts": (
        "dr_restore", gone("points", "sizes", "stalled"),
        (("", "restore.points"), ("", "rto.predicted"), ("", "restore.overhead"), ("", "rpo.archive_only"),
         ("", "rpo.stalled_archiver"), ("", "rpo.follows_the_stall")),
    ),
    "recovery, a disaster": ("dr_restore", lambda d: d["cases"].pop(0), (("", "rpo.disasters"), ("", "restore.verified"))),
    "recovery, a restored point": ("dr_restore", lambda d: d["points"].pop(), (("", "restore.points"),)),
    "recovery, a part of its time": ("dr_restore", lambda d: d["stack"]["case"]["rto_s"].pop("restore"), (("", "rto.measured"),)),
    "one switch of many": (
        "flag_proof", lambda d: d.update(switches=d["switches"][:1], stories=[], walks=[]),
        (("virtual", "virtual.12h.long_session.on_to_off"), ("real", "continuity.rolled_back"), ("real", "real.60s.walks")),
    ),
    "clients of a switch": ("flag_proof", lambda d: d["switches"][0].update(clients=1, switched=1), (("virtual", "virtual.0s.open.off_to_on"),)),
    "what was moved": ("migration_drill", gone("compared"), (("", "migration.whole"), ("", "migration.people"))),
    "odd documents": ("migration_drill", lambda d: d["odd"].pop(), (("", "migration.odd"),)),
    "a step of the mirror": ("mirror_stop", lambda d: d["steps"].pop(), (("", "mirror.share_0"), ("", "mirror.rollback_after_0"))),
    "the begin of the load": ("deploy", gone("origin_ns"), (("good", "deploy.rolling.no_downtime"), ("never_ready", "phase2.cicd"))),
    "commands of a deploy": ("deploy", lambda d: d["followed"][1].update(ran=()), (("never_ready", "phase2.cicd"),)),
    "a check of the contract": ("conformance", check_gone("walks.create.times"), (("", "walks.create.times"),)),
    "a check of security": ("security", check_gone("token.absent"), (("", "token.absent"),)),
    "the way in": ("network_kind", gone("brings_ingress", "ingress"), (("", "ingress.tls"), ("", "ingress.routes"))),
    "a workflow": ("infrastructure", lambda d: d["repository"].update(workflows={}),
                   (("", "cicd.trigger"), ("", "cicd.auth"), ("", "cicd.build"), ("", "strategy.versus.pipeline"),
                    ("", "security.scan.go_modules"))),
    "the images": ("infrastructure", lambda d: d["repository"].update(images=[]), (("", "manifest.deployment.image"),)),
    "a part of the commands": ("scaling_commands_kind", lambda d: d["did"].clear(), (("commands", "monitoring.commands"),)),
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_holds_and_names_what_is_not_in_evidence(loss: str) -> None:
    name, lose, keys = LOSSES[loss]
    run = run_of(name)
    left = replace(run, details=lost(run.details, lose))
    found = {each.key: each for each in judged(left.rehearsal, left.plan, left.seen())}
    assert {(found[key].verdict, found[key].holds) for key in keys} == {(Verdict.INCONCLUSIVE, True)}
    assert combine([*found.values()]) is combine(judge_again(left, left.seen())) is Decision.HOLD


Left = tuple[Rehearsal[Any, Any], Any, RunRecord[Any]]


def cost_of_a_run() -> Left:
    run = run_of("cost")
    return run.rehearsal, msgspec.structs.replace(run.plan, of="/reports/week4"), run.seen()


def drill_with_a_week() -> Left:
    run = run_of("migration_drill")
    details = msgspec.structs.replace(run.details, week=week())
    return run.rehearsal, msgspec.structs.replace(run.plan, week=WEEK_1), replace(run.seen(), details=details)


def drill_of_alerts() -> Left:
    details, evidence = drilled()
    return ALERTS, PLANNED, RunRecord(facts=facts(), details=details, evidence=evidence)


def night() -> Left:
    run = today.left("chaos_nightly_some_left_out")
    return run.type, run.plan, run.seen


def trial_gone(name: str) -> Loss:
    return lambda details: details.update(planted=[each for each in details["planted"] if each["trial"] != name])


QUIET = ("alert.availability.quiet", "alert.latency_p95.quiet", "alert.error_ratio.quiet", "alert.error_budget.quiet")


@pytest.mark.parametrize(
    ("of", "lose", "ids"),
    [
        (drill_of_alerts, trial_gone("errors_too_short"), QUIET),
        (drill_of_alerts, trial_gone("latency_below_limit"), QUIET),
        (drill_of_alerts, trial_gone("errors"), (QUIET[0], QUIET[1], QUIET[3])),  # whose errors are seen all the same
        (drill_with_a_week, lambda d: d["week"].update(criteria=d["week"]["criteria"][1:]), ("migration.week1",)),
        (drill_with_a_week, lambda d: d["week"].update(criteria=d["week"]["criteria"][:-1]), ("migration.week1",)),
        (night, lambda d: d["ended"].pop(0), ("seed 1",)),
        (night, lambda d: d["ended"].pop(), ("seed 3",)),
        (cost_of_a_run, gone("measured"), ("cost.logging", "cost.assumption.database_size")),
    ],
)
def test_what_the_plan_alone_knows_of_holds_where_it_is_gone(
    of: Callable[[], Left], lose: Loss, ids: tuple[str, ...]
) -> None:
    rehearsal, plan, seen = of()
    whole = {each.id: each for each in judged(rehearsal, plan, seen)}
    assert all(whole[id_].verdict.good for id_ in ids)
    found = judged(rehearsal, plan, replace(seen, details=lost(seen.details, lose)))
    now = {each.id: each for each in found}
    assert {(now[id_].verdict, now[id_].holds) for id_ in ids} == {(Verdict.INCONCLUSIVE, True)}
    assert combine(found) is Decision.HOLD


def test_of_a_night_nothing_is_lost_without_a_word() -> None:
    rehearsal, plan, seen = night()
    whole, places = judged(rehearsal, plan, seen), list[str]()
    for place, details in of_details(msgspec.to_builtins(seen.details)):
        try:
            left = replace(seen, details=msgspec.convert(details, type=rehearsal.details))
        except msgspec.ValidationError:
            continue  # refused as it is read
        holds(place, whole, judged(rehearsal, plan, left), set())
        places.append(place)
    assert {"ended.* gone", "ended emptied"} <= {*places}


def of_kind(kind: str, subject: str = "") -> Callable[[Row], bool]:
    return lambda row: isinstance(row, EventRow) and row.kind == kind and subject in ("", row.subject)


@pytest.mark.parametrize(
    ("name", "lost_rows", "ids"),
    [
        ("week2_virtual_advance", of_kind(CHECK_EVENT), {"writes.acknowledged", "walks.isolation", "pdb.budget"}),
        ("week2_virtual_advance", of_kind("phase", "window"), {"flag.share", "sli.errors", "success.error_ratio"}),
        ("chaos_passes", of_kind(CHECK_EVENT, "reads.acknowledged"), {"reads.acknowledged"}),
    ],
)
def test_rows_that_are_lost_hold_a_run(name: str, lost_rows: Callable[[Row], bool], ids: set[str]) -> None:
    run = today.left(name)
    assert combine(judged(run.type, run.plan, run.seen)) is Decision.ADVANCE
    left: RunRecord[Any] = replace(run.seen, evidence=without(run.seen.evidence, lost_rows))
    found = {each.id: each for each in judged(run.type, run.plan, left)}
    assert {(found[id_].verdict, found[id_].holds) for id_ in ids} == {(Verdict.INCONCLUSIVE, True)}
    assert combine([*found.values()]) is Decision.HOLD


@pytest.mark.parametrize(("lose", "part"), [(gone("origin_ns"), "1"), (lambda d: d["made"].pop(0), "1")])
def test_an_experiment_that_is_lost_holds_a_run(lose: Loss, part: str) -> None:
    run = today.left("chaos_passes")
    left = replace(run.seen, details=lost(run.seen.details, lose))
    found = [each for each in judged(run.type, run.plan, left) if each.part == part]
    assert found and all((each.verdict, each.holds) == (Verdict.INCONCLUSIVE, True) for each in found)
