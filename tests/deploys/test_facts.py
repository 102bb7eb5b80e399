"""The parts of a deploy, judged by details and planted evidence: which stretch of time each figure is of.

Ten probes a second; the version's first command is at 10 s.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.load.population.schedule import due_within
from harness.model.command import Ran
from harness.model.evidence import Due, Operation, Outcome, RequestRow, Row, Side
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.message import message
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.model.stack import Capability
from harness.rehearsals.deploy.facts import PartView, facts
from harness.rehearsals.deploy.rehearsal import REHEARSAL
from harness.rehearsals.deploy.tallies import CallTally
from harness.rehearsals.deploy.types import DeployDetails, DeployPartKind, DeployPlan
from harness.rules import engine
from tests.deploys.made import (
    BAD,
    FINE,
    PODS,
    SLOW,
    UNDONE,
    details,
    fired,
    followed,
    gathered,
    one,
    only,
    pod,
    probe,
    probes,
)

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NOT_EXERCISED = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED


def judged(
    plan: DeployPlan, of: DeployDetails, *rows: Row, seed: int = 1, capabilities: tuple[str, ...] = ()
) -> dict[str, Judgement]:
    """By claim; all of them are of the plan's one part."""
    measured = facts(
        plan, of, gathered(*rows), seed=seed, races=Capability.ENDPOINTS_BEFORE_SIGNALS not in capabilities
    )
    expected = [Expected(each.name, claim, claim) for each in plan.parts for claim in each.claims]
    found = [*engine.judged(expected, REHEARSAL.rules, measured, plan, capabilities)]
    assert {each.part for each in found} <= {only(plan).name}
    return {each.claim: each for each in found}


def met(plan: DeployPlan, of: DeployDetails, *rows: Row, seed: int = 1) -> CallTally:
    return PartView(plan, of.followed[0], of, gathered(*rows), seed).met()


def verdicts(found: dict[str, Judgement]) -> dict[str, Verdict]:
    return {claim: each.verdict for claim, each in found.items()}


# -- what cannot be judged -------------------------------------------------------------------------------------------

RELEASE = one(DeployPartKind.RELEASE)


@pytest.mark.parametrize(
    ("of", "verdict", "why"),
    [
        (details(versions=("another",)), NOT_EXERCISED, "nothing can be put in front of this target"),
        (followed(RELEASE, end_ns=0), UNKNOWN, "the run ended before it was judged"),
        (
            followed(RELEASE, not_steady=message("no pod is ready"), not_applicable="no table", end_ns=0), UNKNOWN,
            "there was no steady state to begin with: no pod is ready",
        ),
        (
            followed(RELEASE, not_applicable="no table walks", end_ns=0), NOT_EXERCISED,
            "the target's schema is not the contract's: no table walks",
        ),
    ],
)  # fmt: skip
def test_why_nothing_is_said_of_a_part(of: DeployDetails, verdict: Verdict, why: str) -> None:
    found = judged(RELEASE, of, *probes(41))
    assert {claim: (each.verdict, each.reason) for claim, each in found.items()} == dict.fromkeys(
        only(RELEASE).claims, (verdict, why)
    )
    assert {each.gates for each in found.values()} == {verdict is UNKNOWN}


def test_of_a_part_that_was_not_come_to_nothing_is_said() -> None:
    for versions in (None, (only(RELEASE).version.name,)):
        assert judged(RELEASE, details(versions=versions)) == {}


def test_where_it_was_never_asked_which_versions_there_are_a_part_is_judged() -> None:
    of = msgspec.structs.replace(followed(RELEASE), versions=None)
    assert set(judged(RELEASE, of)) == set(only(RELEASE).claims)


# -- a release -------------------------------------------------------------------------------------------------------

PRESTOP, LOST_CREATE = "deploy.downtime_without_prestop", "deploy.create_lost_at_close"


def create(at_s: float) -> RequestRow:
    """One whose kept connection ended before the answer."""
    at_ns = round(at_s * NS)
    return RequestRow(
        operation_id=f"u-{at_s}", user="u", audience="all", side=Side.API, operation=Operation.CREATE_WALK, due_ns=at_ns,
        sent_ns=at_ns, done_ns=at_ns + 5, status=0, outcome=Outcome.BROKEN, acknowledged=False, payload_digest="", flag=True,
    )  # fmt: skip


def answered(due: Due) -> RequestRow:
    """A request that was due, well answered at once."""
    of = {"operation_id": due.id, "user": due.user, "operation": due.operation, "outcome": Outcome.OK, "status": 200}
    return msgspec.structs.replace(create(0), **of, due_ns=due.due_ns, sent_ns=due.due_ns, done_ns=due.due_ns + 5)


def released(*rows: Row, **changed: Any) -> dict[str, Judgement]:
    capabilities = changed.pop("capabilities", ())
    return judged(RELEASE, followed(RELEASE, **changed), *PODS, *rows, capabilities=capabilities)


def test_a_release_that_lost_a_create_with_a_pod_s_connection() -> None:
    """Users count from the first command until they were looked at: 300 probes, and one of two requests."""
    found = released(*probes(50), create(16.5), create(45))
    assert verdicts(found) == {
        "cicd.set_image": PASS,
        "deploy.rolling.one_up": PASS,
        "deploy.rolling.one_down": PASS,
        "deploy.rolling.complete": PASS,
        "deploy.rolling.no_downtime": PASS,
        PRESTOP: UNKNOWN,
        LOST_CREATE: SHOWN,
    }
    assert [found[claim].samples for claim in ("deploy.rolling.no_downtime", LOST_CREATE)] == [301, 301]


def test_downtime_that_the_environment_cannot_show_is_not_exercised_and_what_is_seen_counts() -> None:
    unhurried = {"capabilities": (Capability.ENDPOINTS_BEFORE_SIGNALS,)}
    assert released(*probes(50), **unhurried)[PRESTOP].verdict is NOT_EXERCISED
    assert released(*probes(50))[PRESTOP].verdict is UNKNOWN
    seen = released(*probes(50, (18, 18.1)), **unhurried)[PRESTOP]
    assert (seen.verdict, seen.value, seen.samples) == (SHOWN, 1, 300)


@pytest.mark.parametrize(
    ("failed_s", "shown", "downtime"),
    [
        ((14, 14.9), False, FAIL), ((14, 15.1), True, FAIL), ((17, 17.1), True, SHOWN), ((28, 28.1), True, SHOWN),
        ((28.1, 40), False, FAIL),
    ],
)  # fmt: skip
def test_downtime_without_a_prestop_is_what_fails_while_a_pod_leaves(
    failed_s: tuple[float, float], shown: bool, downtime: Verdict
) -> None:
    """Pod a leaves from 16 to 18 s: what a new version answers wrong by itself is another thing, and a fail."""
    found = released(*probes(50, failed_s))
    assert found[PRESTOP].verdict is (SHOWN if shown else UNKNOWN)
    assert found["deploy.rolling.no_downtime"].verdict is downtime


def test_users_who_were_never_looked_at_count_to_the_end_and_pods_as_long_as_they_were_watched() -> None:
    assert released(*probes(60), looked_ns=None)["deploy.rolling.no_downtime"].samples == 400
    up = "deploy.rolling.one_up"
    assert released(pods_ns=None)[up].value == 2
    late = (pod(42.9, "m", "Pending"), pod(43, "o", "Pending"))
    assert (released(*late)[up].verdict, released(*late)[up].value) == (PASS, 2)
    longer = released(*late, pods_ns=None)[up]
    assert (longer.verdict, longer.value, longer.limit) == (FAIL, 4, 2)
    assert released(*late, pods_ns=None, surge=3)[up].verdict is PASS


def test_what_was_due_and_is_not_in_evidence_is_counted_from_the_begin_of_the_load() -> None:
    """Ten users at one request in ten seconds: 30 in the 30 s that count."""
    population = PopulationPlan(audiences=(AudiencePlan(name="all", users=10, flag_on=10),), pace_s=10.0)
    claim = "deploy.rolling.no_downtime"
    plan = one(DeployPartKind.RELEASE, claims=(claim,), least_calls=300)
    plan = msgspec.structs.replace(plan, scenario=msgspec.structs.replace(plan.scenario, population=population))
    of = followed(plan)
    assert judged(plan, of, *PODS, *probes(50))[claim].verdict is PASS
    of = msgspec.structs.replace(of, origin_ns=0)
    missing = judged(plan, of, *PODS, *probes(50))[claim]
    assert missing.verdict is UNKNOWN and "30 more that were due are not in evidence" in missing.reason
    at_once = msgspec.structs.replace(of, followed=[*followed(plan, looked_ns=10 * NS).followed])
    assert met(plan, at_once) == CallTally(calls=0, failed=0, missing=2), (
        "the probe and the request of that very moment"
    )
    of = msgspec.structs.replace(of, followed=[msgspec.structs.replace(of.followed[0], looked_ns=42_500_000_000)])
    due = due_within(plan.scenario, 7, 0, 10 * NS, 42_500_000_000).requests
    rows: list[Row] = [*PODS, *probes(50), *(answered(each) for each in due)]
    whole = judged(plan, of, *rows, seed=7)[claim]
    assert (whole.verdict, whole.samples) == (PASS, 325 + len(due))
    assert judged(plan, of, *rows, seed=8)[claim].verdict is UNKNOWN, "others were due then"
    assert met(plan, of, *rows, seed=7).missing == 0
    assert met(plan, of, *rows, seed=8).missing > 0
    few = one(DeployPartKind.RELEASE, claims=(claim,), least_calls=301)
    assert judged(few, followed(few), *PODS, *probes(50))[claim].verdict is UNKNOWN


# -- a version that is never ready ------------------------------------------------------------------------------------

NEVER = one(DeployPartKind.NEVER_READY, least_calls=300)
STUCK = [
    pod(1, "a", "Ready"), pod(12, "n", "Running"), pod(32, "n", "Terminating"), pod(35, "n", "Gone"),
    pod(36, "m", "Pending"), pod(38, "m", "Gone"),
]  # fmt: skip


def test_a_version_that_is_never_ready() -> None:
    """What waits is counted until the undo began; users count until they were looked at."""
    ran = (*[FINE] * 2, BAD, FINE, FINE)

    def told(**changed: Any) -> tuple[Verdict, Verdict, int]:
        of = followed(NEVER, **{"ran": ran, "waited_ns": 30 * NS} | changed)
        found = judged(NEVER, of, *STUCK, *probes(50))
        assert found["cicd.rollout_status"].verdict is PASS
        return found["cicd.no_undo"].verdict, found["phase2.cicd"].verdict, found["phase2.cicd"].samples

    assert told() == (SHOWN, PASS, 300)
    assert told(looked_ns=None) == (SHOWN, PASS, 400)
    assert told(waited_ns=37 * NS)[0] is SHOWN
    assert told(waited_ns=None)[0] is UNKNOWN
    assert told(replicas=2)[1] is FAIL
    assert told(looked_ns=39_900_000_000)[1] is UNKNOWN, "299 calls, and 300 are needed"


def test_a_command_that_ends_in_0_and_shows_nothing_has_put_nothing_out() -> None:
    silent = Ran(command="set image", status=0, output="No resources found in tekutoko namespace.\n")
    for ran, verdict in (((FINE, FINE), PASS), ((silent, FINE), FAIL)):
        found = judged(RELEASE, followed(RELEASE, ran=ran), *PODS, *probes(50))["cicd.set_image"]
        assert found.verdict is verdict, found.reason
        assert ("`set image` showed nothing" in found.reason) is (verdict is FAIL)


# -- a version that breaks a limit --------------------------------------------------------------------------------------

BREAKS = one(DeployPartKind.BREAKS_LIMIT, least_calls=300)


@pytest.mark.parametrize(
    ("changed", "least_calls", "verdict", "bad_s", "calls"),
    [
        ({}, 302, PASS, 7.9, 120),
        ({}, 303, UNKNOWN, 7.9, 120),
        ({"ran": (FINE, BAD, FINE)}, 300, FAIL, None, 0),
        ({"gone_ns": None}, 30, PASS, 7.9, 500),
        ({"gone_ns": 19_900_000_000}, 300, FAIL, None, 0),  # one bad answer when it is gone is one too many
    ],
)
def test_a_version_that_breaks_the_limit_of_errors(
    changed: dict[str, Any], least_calls: int, verdict: Verdict, bad_s: float | None, calls: int
) -> None:
    """Bad from 12 to 20 s. It counts until no pod of it was left, and the ten seconds after that have to be good."""
    plan = one(DeployPartKind.BREAKS_LIMIT, least_calls=least_calls)
    of = followed(plan, **{**UNDONE, "fired": fired(), **changed})
    (found,) = judged(plan, of, *probes(61, (12, 20))).values()
    assert found.verdict is verdict, found.reason
    if bad_s is not None:
        assert (found.limit, found.samples) == (60.0, calls) and found.value == pytest.approx(bad_s)
    assert found.claim == only(plan).claims[0]


def test_in_time_is_from_the_first_bad_answer_to_the_last() -> None:
    for within_s, verdict in ((7.9, PASS), (7.8, FAIL)):
        plan = one(DeployPartKind.BREAKS_LIMIT, least_calls=300, within_s=within_s)
        (found,) = judged(plan, followed(plan, **UNDONE, fired=fired()), *probes(61, (12, 20))).values()
        assert (found.verdict, found.limit) == (verdict, within_s)


@pytest.mark.parametrize(("slow_s", "verdict"), [(0.5, PASS), (0.6, FAIL)])
def test_of_a_version_that_is_slow_its_own_pods_count_and_after_it_a_twentieth_may_be_slow(
    slow_s: float, verdict: Verdict
) -> None:
    """Every pod is slow for a second before the version comes, and for a while after it has gone."""
    others = [
        msgspec.structs.replace(row, done_ns=row.due_ns + 700_000_000, pod="a")
        if 11 * NS <= row.due_ns < 12 * NS or 22 * NS <= row.due_ns < (22 + slow_s) * NS
        else row
        for row in probes(61, (12, 20), **SLOW)
    ]
    of = followed(BREAKS, **UNDONE, fired=fired("rollback.latency_p95"))
    (found,) = judged(BREAKS, of, *PODS, *others).values()
    assert found.verdict is verdict, found.reason
    late = msgspec.structs.replace(of, followed=[msgspec.structs.replace(of.followed[0], pods_ns=11 * NS)])
    (none,) = judged(BREAKS, late, *PODS, *others).values()
    assert none.verdict is UNKNOWN, "its pods are unknown"
    (ratio,) = judged(BREAKS, followed(BREAKS, **UNDONE, fired=fired()), *PODS, *others).values()
    assert ratio.verdict is UNKNOWN, "no limit of latency"


@pytest.mark.parametrize(("until_s", "verdict"), [(22, PASS), (22.1, FAIL), (22.5, FAIL)])
def test_after_a_version_that_was_slow_no_answer_may_be_an_error(until_s: float, verdict: Verdict) -> None:
    """Of 100 calls a twentieth may be late: five that fail are none of those."""
    bad = {"status": 503, "outcome": Outcome.SERVER_ERROR}
    rows = [
        msgspec.structs.replace(row, **bad) if 22 * NS <= row.due_ns < until_s * NS else row
        for row in probes(61, (12, 20), **SLOW)
    ]
    of = followed(BREAKS, **UNDONE, fired=fired("rollback.latency_p95"))
    (found,) = judged(BREAKS, of, *PODS, *rows).values()
    assert found.verdict is verdict, found.reason


def test_after_a_version_that_was_slow_a_call_that_is_not_in_evidence_may_have_been_an_error() -> None:
    """Five of the calls behind it might be late; none may be an error, and this one may have been."""
    population = PopulationPlan(audiences=(AudiencePlan(name="all", users=10, flag_on=10),), pace_s=10.0)
    plan = msgspec.structs.replace(BREAKS, scenario=msgspec.structs.replace(BREAKS.scenario, population=population))
    of = followed(plan, **UNDONE, fired=fired("rollback.latency_p95"))
    of = msgspec.structs.replace(of, origin_ns=0)
    due = due_within(plan.scenario, 1, 0, 10 * NS, 32 * NS).requests
    rows: list[Row] = [*PODS, *probes(61, (12, 20), **SLOW), *(answered(each) for each in due)]
    (whole,) = judged(plan, of, *rows).values()
    assert whole.verdict is PASS, whole.reason
    (lacking,) = judged(plan, of, *rows[:-1]).values()
    assert lacking.verdict is UNKNOWN, lacking.reason


def test_where_no_limit_fired_bad_answers_are_no_undo() -> None:
    (found,) = judged(BREAKS, followed(BREAKS, **UNDONE), *probes(61, (12, 20))).values()
    assert found.verdict is FAIL, found.reason


# -- a schema that breaks the old version ---------------------------------------------------------------------------

SCHEMA: dict[str, Any] = {
    **UNDONE, "gone_ns": None, "done_ns": 20 * NS, "back_ns": 25 * NS, "mended_ns": 28 * NS, "fired": fired(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "least_calls", "verdict", "calls"),
    [
        ({}, 302, SHOWN, 50),
        ({}, 303, UNKNOWN, 50),
        ({"done_ns": None}, 300, UNKNOWN, 0),
        ({"back_ns": None}, 300, UNKNOWN, 0),
        ({"fired": None}, 300, UNKNOWN, 50),
        ({"mended_ns": None}, 30, SHOWN, 50),
    ],
)
def test_a_schema_that_breaks_the_old_version(
    changed: dict[str, Any], least_calls: int, verdict: Verdict, calls: int
) -> None:
    """Bad from 12 s until the schema is taken back at 28; the undo was complete at 20, and the way back began at 25."""
    plan = one(DeployPartKind.BREAKING_SCHEMA, least_calls=least_calls)
    (found,) = judged(plan, followed(plan, **{**SCHEMA, **changed}), *probes(61, (12, 28))).values()
    assert (found.claim, found.verdict, found.samples) == (only(plan).claims[0], verdict, calls), found.reason


@pytest.mark.parametrize(("until_s", "verdict"), [(20.2, UNKNOWN), (22.5, UNKNOWN), (22.6, SHOWN)])
def test_an_undo_that_helps_after_a_moment_shows_no_lack_of_a_schema_step(until_s: float, verdict: Verdict) -> None:
    """As of an old version that prepares its statements anew: the last of the other's answers came after the undo."""
    plan = one(DeployPartKind.BREAKING_SCHEMA, least_calls=300)
    (found,) = judged(plan, followed(plan, **SCHEMA), *probes(61, (12, until_s))).values()
    assert found.verdict is verdict, found.reason


def test_a_bad_answer_is_one_of_its_own_time() -> None:
    """Due before the first command, and answered after it: another version's."""
    rows = [*probes(10), probe(100, 10 * NS - 1, good=False, took_ns=NS), *list(probes(50))[101:]]
    found = released(*rows)[PRESTOP]
    assert (found.verdict, found.samples) == (UNKNOWN, 299)
