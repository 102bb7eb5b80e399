"""The load stages on the real local stack, by two workers."""

from __future__ import annotations

import json
import re
import sqlite3

import msgspec
import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from harness.base.errors import Exit
from harness.evidence.store import stored
from harness.load.population.arrivals import offsets_ns
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.scenario import Arrivals
from harness.model.stack import Capability
from harness.rehearsals.load_stages.facts_steps import generator_words, window_of
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan, StepResult
from harness.run.rehearsal import RunRecord
from harness.run.result import details_of
from harness.stack.local.postgres_template import MAX_CONNECTIONS
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, judged_again, result_in, status_of

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 5
PLAN = """
title: "A short look"
claims: [load.target_qps, load.pod_capacity, load.stages, manifest.hpa.max]
accounts: 500
pods: 2
p95_limit: 5s
error_limit: 1%
users: {pace: 50s, stages: [{users: 500, window: 8s}]}
capacity: {rate: 25/s, window: 5s}
in_flight: {window: 4s, stages: [20]}
knee: {pods: [3], warm_up: 6s, step: 4s, most_rate: 25/s, precision: 10%, photos: {rate: 1/s, bytes: 1000000}}
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("stages")
    (folder / "plan.yaml").write_text(PLAN)
    words = ("--seed", str(SEED), "--plan", str(folder / "plan.yaml"), "--workers", "2", *QUICK_PROBES)
    before = machine_state()
    run = Job(folder / "reports", *words, command=("load_stages",))
    status = run.finish()
    assert left_since(before, run) == {}
    result = result_in(run.folder)
    assert judged_again(REHEARSAL, run.folder) == result.judgements
    assert status == result.exit_status == status_of(result), run.text
    # A machine that is too slow for a step of the plan holds it, and nothing else does.
    assert status == Exit.OK or any(of_plan(step) and step.verdict is not Verdict.PASS for step in made(run)), run.text
    assert by_id(result.judgements)["reads.acknowledged"].verdict is Verdict.PASS
    return run


def details_in(job: Job) -> LoadStagesDetails:
    details: LoadStagesDetails = details_of(REHEARSAL, result_in(job.folder))
    return details


def made(job: Job) -> list[StepResult]:
    """The steps that were made, judged from the stored evidence."""
    plan = msgspec.json.decode((job.folder / "plan.json").read_bytes(), type=LoadStagesPlan)
    return REHEARSAL.found(plan, RunRecord(result_in(job.folder).facts, details_in(job), stored(job.folder)))[0]


def of_plan(step: StepResult) -> bool:
    """Whether a step is one of the plan and none of the search for a knee, whose steps may fail."""
    return not step.step.name.startswith("knee_")


def once_more(steps: list[StepResult]) -> set[str]:
    """Second tries of a search, after a first that was not kept or said nothing: a hiccup of the machine, of which the
    second may say that the generator had it. No third."""
    named = {step.step.name: step for step in steps}
    again = {name for name in named if re.fullmatch(r"knee_\d+_(photos_)?2", name)}
    for name in again:
        first = named[name[:-1] + "1"]
        kept = named[name].verdict is Verdict.PASS or generator_words(named[name].figures) is not None
        assert first.verdict is not Verdict.PASS and kept, english(first.told)
    return again


def test_each_step_made_its_load_and_no_other(job: Job) -> None:
    found = made(job)
    steps = {step.step.name: step.figures for step in found}
    firsts = [name for name in steps if name not in once_more(found)]
    assert firsts == ["users_500", "capacity", "in_flight_20", "knee_3_1", "knee_3_photos_1"]
    assert steps["users_500"].requests == 80  # 500 users at one request in 50 s, for 8 s
    assert steps["in_flight_20"].requests > 40
    open_loops = [each.step for each in found if each.step.arrivals is not Arrivals.CLOSED]
    due = {step.name: len(offsets_ns(step, SEED)) for step in open_loops}
    assert {name: steps[name].requests for name in due} == due, "the very arrivals of the seed, each once"
    assert 80 < due["capacity"] < 170 and 60 < due["knee_3_1"] < 140  # Poisson, 25/s for 5 s and for 4 s
    assert all(figures.failed == 0 for figures in steps.values())
    assert all(figures.database_connections for figures in steps.values())
    reserved = 3  # for superusers, PostgreSQL's own default
    assert {figures.database_limit for figures in steps.values()} == {MAX_CONNECTIONS - reserved}
    assert len(steps["capacity"].requests_by_pod) == 2
    assert len(steps["knee_3_1"].requests_by_pod) == 3  # connections that users kept would stay with two of them
    assert all(figures.generator_cpu_cores is not None for figures in steps.values())


def test_the_evidence_holds_every_request_of_both_workers(job: Job) -> None:
    steps = made(job)
    with sqlite3.connect(job.folder / "evidence.sqlite") as database:
        rows = database.execute("select user, due_ns, sent_ns, done_ns from requests").fetchall()
    warm_ups = 2 * 500  # before each search every account's first request, which no step counts
    windows = {each.step.name: window_of(each.start_ns, each.step.seconds) for each in steps}
    inside = {name: sum(its.start_ns <= due < its.end_ns for _, due, *_ in rows) for name, its in windows.items()}
    assert inside == {each.step.name: each.figures.requests for each in steps}
    assert len(rows) - sum(inside.values()) == warm_ups
    workers = {int(user.lstrip("u")) % 2 for user, *_ in rows}
    assert workers == {0, 1}
    # In flight: never more than twenty of the closed step at once, and twenty of them at some moment.
    start = next(each.start_ns for each in steps if each.step.name == "in_flight_20")
    closed = [(sent, done) for _, due, sent, done in rows if start <= due < start + 4_000_000_000]
    moments = sorted([(sent, 1) for sent, _ in closed] + [(done, -1) for _, done in closed])
    assert max(np.cumsum([change for _, change in moments])) == 20


def test_photos_were_uploaded_beside_the_requests(job: Job) -> None:
    with sqlite3.connect(job.folder / "evidence.sqlite") as database:
        told = database.execute("select data from events where kind = 'storage' and subject = 'photos'").fetchall()
    counts = [json.loads(data) for (data,) in told]
    steps = made(job)
    beside = {"knee_3_photos_1"} | once_more(steps) & {"knee_3_photos_2"}
    assert {count["step"] for count in counts} == beside
    assert sum(count["uploaded"] for count in counts) == 4 * len(beside) and not any(c["failed"] for c in counts)
    seen = {step.step.name: (step.figures.photos_uploaded, step.figures.photos_due) for step in steps}
    assert {seen.pop(name) for name in beside} == {(4, 4)} and set(seen.values()) == {(0, 0)}


def test_the_histogram_is_that_of_the_rows(job: Job) -> None:
    with sqlite3.connect(job.folder / "evidence.sqlite") as database:
        rows = database.execute("select due_ns, done_ns from requests").fetchall()
    for step, result in zip(details_in(job).made, made(job), strict=True):
        start, end = step.start_ns, step.start_ns + step.step.seconds * 1e9
        ascending = sorted((done - due) / 1e6 for due, done in rows if start <= due < end)
        histogram = HdrHistogram.decode(step.histogram)
        assert histogram.get_total_count() == len(ascending)
        assert histogram.get_max_value() / 1000 == pytest.approx(ascending[-1], rel=0.002)
        # Libraries differ by a rank in where a percentile lies; three digits are kept of each value.
        place = ascending.index(pytest.approx(result.figures.latency_p95_ms, rel=1e-6))
        low, high = ascending[place - 1] * 0.998, ascending[min(place + 1, len(ascending) - 1)] * 1.002
        assert low <= histogram.get_value_at_percentile(95) / 1000 <= high


def test_the_result_says_what_was_and_was_not_judged(job: Job) -> None:
    result = result_in(job.folder)
    told = by_id(result.judgements)
    assert told["load.target_qps"].verdict is not Verdict.NOT_EXERCISED, "500 users were there"
    assert told["load.pod_capacity"].verdict is Verdict.NOT_EXERCISED
    assert "about Go" in told["load.pod_capacity"].reason
    target = told["load.pod_capacity.of_target"]
    capacity = next(step for step in made(job) if step.step.name == "capacity")
    assert target.claim == "load.pod_capacity"
    enforced = Capability.CPU_LIMITS in result.facts.capabilities
    assert target.verdict is (capacity.verdict if enforced else Verdict.NOT_EXERCISED)
    assert told["manifest.hpa.max"].verdict is Verdict.PASS, told["manifest.hpa.max"]
    page = (job.folder / "report.html").read_text()
    assert "users_500" in page and "<script" not in page
    assert re.search(r"https?://(?!www\.w3\.org)", page) is None
    for name in ("junit.xml", "summary.md"):
        assert (job.folder / name).stat().st_size > 0
