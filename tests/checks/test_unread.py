"""More walks than are read: every check that needs them is inconclusive and says so. Up to there an old one counts too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.checks import invariants, stores
from harness.checks.agreement import DUAL_WRITE, PHOTOS
from harness.checks.dual_write import DocumentFlaw
from harness.checks.invariants import OFF, Invariants, unread
from harness.checks.off_in_time import FLAG, due_beside
from harness.checks.walk_results import ACKNOWLEDGED, BODIES, ISOLATION, ONCE, STATUSES
from harness.checks.walk_tables import StoredWalks
from harness.load.population.schedule import accounts, requests_due
from harness.model.evidence import NOTHING_DUE, DueList, EventRow, Operation, Outcome, RequestRow, Side
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import message
from harness.rules.judged import combine
from harness.rules.writes import Writes
from harness.run.scenarios.load import load
from harness.stack.firebase.documents import Documents
from harness.stack.manifests import load as load_manifests
from tests.checks.sending import BUCKET, PLAN, SEED, USERS, rows_of
from tests.checks.stored import WALK, documents, walk
from tests.nowhere import NOWHERE, all_at
from tests.report.results import judgement as result

_WEEK = load("rollout_week3")
#: Nobody wrote anything before it: rows here are of what is due.
WEEK = msgspec.structs.replace(_WEEK, population=msgspec.structs.replace(_WEEK.population, long_lists=0.0))
OF_STORES = {ACKNOWLEDGED, ONCE, DUAL_WRITE, PHOTOS}
ALL = OF_STORES | {ISOLATION, STATUSES, BODIES}
URL = f"https://firebasestorage.googleapis.com/v0/b/{BUCKET}/o/x?alt=media"


def test_a_night_of_ninety_minutes_is_read_whole_and_more_is_said_by_every_check() -> None:
    assert stores.MOST_WALKS > 90 * 60 * 1.5  # about one lasting walk a second at 10 requests/s
    found = unread(stores.TooManyWalks(stores.MOST_WALKS, "here"))
    assert {check.id: check.verdict for check in found} == dict.fromkeys(OF_STORES, Verdict.INCONCLUSIVE)
    assert all("there are 20000 walks or more: not all were read" in check.reason for check in found)
    assert all(check.told for check in found)


def test_a_store_that_is_silent_or_has_other_tables_is_said_by_every_check() -> None:
    dead = unread(PartDied("PostgreSQL failed"))
    assert {check.id: check.verdict for check in dead} == dict.fromkeys(OF_STORES, Verdict.INCONCLUSIVE)
    other = unread(stores.NotAsNamed(message("no walks")))
    assert {check.id: check.verdict for check in other} == dict.fromkeys(OF_STORES, Verdict.NOT_EXERCISED)
    assert {check.id for check in other if check.gates} == {ACKNOWLEDGED, ONCE, DUAL_WRITE}


def a_run(due: DueList = NOTHING_DUE) -> Invariants:
    """Of a week without a request. Nobody listens on port 1."""
    at = all_at()
    evidence = SimpleNamespace(requests=[], probes=[], events=[], writes=Writes())
    manifests = load_manifests(ROOT / "deploy/kubernetes/overlays/local")
    return Invariants(
        stores.StoresAt(at), cast(Any, evidence), MachineClock(), scenario=WEEK, manifests=manifests, seed=1, due=due
    )


def answers(found: Any) -> Callable[..., Awaitable[Any]]:
    """A call that returns what was found, or raises it."""

    async def call(*_: object, **__: object) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    return call


async def results(monkeypatch: pytest.MonkeyPatch, **stores_say: Any) -> dict[str, Judgement]:
    """The results, by id, of a run of which PostgreSQL holds one walk, unless ``stores_say`` otherwise."""
    user = accounts(WEEK.population, 1)[0].user
    said = {"read_stored": StoredWalks(walks=[walk(WALK, points=0, user=user)])} | stores_say
    for name, found in said.items():
        if name == "documents":
            monkeypatch.setattr(Documents, "all", answers(found))
        else:
            monkeypatch.setattr(invariants if name == "ask_as_others" else stores, name, answers(found))
    return {check.id: check for check in await a_run().results()}


@pytest.mark.process
async def test_a_silent_firestore_leaves_what_postgresql_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the walks that PostgreSQL holds it is known nevertheless that nobody sent them."""
    found = await results(monkeypatch)
    assert {found[check].verdict for check in (DUAL_WRITE, PHOTOS)} == {Verdict.INCONCLUSIVE}
    assert "Firestore" in found[DUAL_WRITE].reason
    assert found[ONCE].verdict is Verdict.FAIL and WALK in found[ONCE].reason


async def test_where_firestore_or_the_api_fails_its_checks_say_so_and_the_others_what_they_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    died = PartDied("Firestore failed"), PartDied("the API failed")
    found = await results(monkeypatch, documents=died[0], ask_as_others=died[1])
    assert {found[check].verdict for check in (DUAL_WRITE, PHOTOS, ISOLATION)} == {Verdict.INCONCLUSIVE}
    assert all("Firestore failed" in found[check].reason for check in (DUAL_WRITE, PHOTOS))
    assert "the API failed" in found[ISOLATION].reason
    assert found[ONCE].verdict is Verdict.FAIL and WALK in found[ONCE].reason


async def test_where_postgresql_fails_what_needs_its_walks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await results(monkeypatch, documents={}, read_stored=PartDied("PostgreSQL failed"))
    assert {name: found[name].verdict for name in ALL} == dict.fromkeys(ALL, Verdict.INCONCLUSIVE)
    assert all("PostgreSQL failed" in found[name].reason for name in {*OF_STORES, ISOLATION})


async def test_a_database_with_other_tables_holds_the_week(monkeypatch: pytest.MonkeyPatch) -> None:
    other = stores.NotAsNamed(message("walks cannot be read"))
    found = await results(monkeypatch, documents={}, read_stored=other, ask_as_others=())
    unproved = (ACKNOWLEDGED, ONCE, ISOLATION)
    assert {(found[name].verdict, found[name].gates) for name in unproved} == {(Verdict.NOT_EXERCISED, True)}
    assert all("walks cannot be read" in found[name].reason for name in unproved)
    assert combine([result(Verdict.PASS), found[ONCE]]) is Decision.HOLD


async def test_a_store_that_fails_amid_the_comparison_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    amid = stores.NotAsNamed(message("no column title"))
    found = await results(monkeypatch, documents={}, dual_write=amid, ask_as_others=())
    assert {found[check].verdict for check in (DUAL_WRITE, PHOTOS)} == {Verdict.NOT_EXERCISED}
    assert "no column title" in found[DUAL_WRITE].reason


def test_when_everybody_s_schedule_began_is_told_by_a_row_that_a_phone_wrote() -> None:
    rows = rows_of(USERS[1].user)
    foreign = msgspec.structs.replace(rows[0], operation_id="load", due_ns=0)
    told = due_beside(rows, PLAN, SEED, 60 * NS)
    assert len(told) > len(USERS) and due_beside([foreign, *rows], PLAN, SEED, 60 * NS) == told
    assert due_beside([foreign], PLAN, SEED, 60 * NS) == ()


def test_a_run_in_which_the_flag_never_went_off_shows_nothing_of_it() -> None:
    found = a_run().off_in_time()
    assert (found.id, found.verdict, found.samples) == (OFF, Verdict.NOT_EXERCISED, 0)


@pytest.mark.parametrize(("sent_s", "verdict"), [(500, Verdict.PASS), (590, Verdict.INCONCLUSIVE)])
def test_what_somebody_behind_the_schedule_never_sent_is_not_missed_behind_a_roll_back(
    sent_s: int, verdict: Verdict
) -> None:
    """The load went on until 600 s; what one user had due from 540 s on waited behind timeouts when it was ended."""
    due = requests_due(WEEK.population, 1, 0, 600 * NS)
    last = due[-1].user
    rows = [
        msgspec.structs.replace(
            firestore_row(each.due_ns, each.id, each.user), side=Side.FIRESTORE if each.due_ns >= 100 * NS else Side.API
        )
        for each in due
        if each.due_ns < 540 * NS or each.user != last
    ]  # fmt: skip
    told = due_beside(rows, WEEK.population, 1, sent_s * NS)
    run, limit_ns = a_run(DueList(requests=told, probes=())), round(WEEK.switch_over_limit_s * NS)
    flag = EventRow(at_ns=100 * NS, kind="flag", subject=FLAG, message="", data={"on": 0})
    assert 100 * NS + limit_ns < 500 * NS
    run._evidence = cast(Any, SimpleNamespace(requests=rows, events=[flag]))
    assert run.off_in_time().verdict is verdict


def firestore_row(due_ns: int, operation_id: str, user: str) -> RequestRow:
    return RequestRow(
        operation_id=operation_id, user=user, audience="", side=Side.FIRESTORE, operation=Operation.PUT_WALK,
        due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 1, status=0, outcome=Outcome.OK, acknowledged=True,
        payload_digest="", flag=False,
    )  # fmt: skip


async def test_the_oldest_of_many_walks_is_compared_with_its_document() -> None:
    many = [walk(f"{WALK[:-4]}{number:04x}", points=0) for number in range(2_500)]
    held = documents(*many[:-1])
    nowhere = Documents(NOWHERE, "demo-x")
    compared = await stores.dual_write(many, nowhere, Writes(), MachineClock(), held=held, limit_s=0)
    assert [(each.flaw, each.walk_id) for each in compared.findings] == [(DocumentFlaw.MISSING, many[-1].id)]


def test_the_thumbnail_of_the_oldest_of_many_walks_is_looked_for() -> None:
    many = [walk(f"{WALK[:-4]}{number:04x}", points=0, thumbnail_image_url=URL) for number in range(2_500)]
    named, _ = stores.thumbnails_of(many, {}, Writes())
    assert named[many[-1].id] == ("u1", URL) and len(named) == 2_500


@pytest.mark.parametrize("left_out", [False, True])
def test_a_user_s_last_request_is_missed_by_what_was_due_till_the_load_was_ended(left_out: bool) -> None:
    """Of a run that knows no more than when its load was ended; its own number says nothing of it."""
    due = requests_due(WEEK.population, 1, 0, 600 * NS)
    last = due[-1]
    rows = [firestore_row(each.due_ns, each.id, each.user) for each in due if each is not last or not left_out]
    evidence = SimpleNamespace(requests=rows, probes=[], events=[], writes=Writes())
    run = Invariants(
        stores.StoresAt(all_at()), cast(Any, evidence), MachineClock(), scenario=WEEK,
        manifests=load_manifests(ROOT / "deploy/kubernetes/overlays/local"), seed=1, sent_ns=600 * NS,
    )  # fmt: skip
    assert run._sent.untold == ((last.user,) if left_out else ())
