"""More walks than are read: every check that needs them is inconclusive and says so. Up to there an old one counts too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness import stores
from harness.agreement import DUAL_WRITE, PHOTOS
from harness.checks.dual_write import Flaw, StoredWalk
from harness.checks.writes import Writes
from harness.clock import MachineClock
from harness.firebase.documents import Documents
from harness.invariants import ACKNOWLEDGED, ISOLATION, ONCE, Invariants, unread
from harness.manifests import load as load_manifests
from harness.model.errors import PartDied
from harness.model.stack import Address, Endpoints
from harness.model.verdict import Verdict
from harness.population.accounts import accounts
from harness.targets import ROOT, bundled
from scenarios.load import load
from tests.checks.sending import BUCKET
from tests.checks.test_dual_write import WALK, documents, walk

ALL = {ACKNOWLEDGED, ONCE, DUAL_WRITE, PHOTOS, ISOLATION}
NO_READS: tuple[int, tuple[str, ...]] = (5, ())
URL = f"https://firebasestorage.googleapis.com/v0/b/{BUCKET}/o/x?alt=media"


def test_a_night_of_ninety_minutes_is_read_whole_and_more_is_said_by_every_check() -> None:
    assert stores.MOST_WALKS > 90 * 60 * 1.5  # about one lasting walk a second at 10 requests/s
    found = unread(stores.TooManyWalks(stores.MOST_WALKS, "here"), NO_READS)
    assert {check.id: check.verdict for check in found} == dict.fromkeys(ALL, Verdict.INCONCLUSIVE)
    assert all("there are 20000 walks or more: not all were read" in check.reason for check in found)
    assert all(check.told for check in found)


def test_a_store_that_is_silent_or_has_other_tables_is_said_by_every_check() -> None:
    dead = unread(PartDied("PostgreSQL failed"), NO_READS)
    assert {check.id: check.verdict for check in dead} == dict.fromkeys(ALL, Verdict.INCONCLUSIVE)
    other = {check.id: check.verdict for check in unread(stores.NotAsNamed("no walks"), NO_READS)}
    assert other == dict.fromkeys(ALL, Verdict.NOT_EXERCISED) | {ISOLATION: Verdict.INCONCLUSIVE}


def test_what_phones_saw_of_others_walks_stays_wrong_without_the_stores() -> None:
    found = {check.id: check for check in unread(PartDied("PostgreSQL failed"), (5, ("u1 saw u2's",)))}
    assert found[ISOLATION].verdict is Verdict.FAIL
    assert "u1 saw u2's" in found[ISOLATION].reason and "PostgreSQL failed" in found[ISOLATION].reason


@pytest.mark.process
async def test_a_silent_firestore_leaves_what_postgresql_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on port 1. Of the walks that PostgreSQL holds it is known nevertheless that nobody sent them."""
    nowhere = Address(host="127.0.0.1", port=1)
    at = Endpoints(service=nowhere, auth=nowhere, firestore=nowhere, remote_config=nowhere, database=nowhere)
    evidence = SimpleNamespace(requests=[], probes=[], events=[], writes=Writes())
    scenario, manifests = load("rollout_week3"), load_manifests(ROOT / "deploy/kubernetes/overlays/local")
    invariants = Invariants(
        at, cast(Any, evidence), MachineClock(), scenario=scenario, manifests=manifests, target=bundled(), seed=1
    )
    user = accounts(scenario.population, 1)[0].user

    async def walks(*_: object) -> list[StoredWalk]:
        return [walk(WALK, points=0, user=user)]

    monkeypatch.setattr(stores, "read_walks", walks)
    found = {check.id: check for check in await invariants.results()}
    assert {found[check].verdict for check in (DUAL_WRITE, PHOTOS)} == {Verdict.INCONCLUSIVE}
    assert "Firestore" in found[DUAL_WRITE].reason
    assert found[ONCE].verdict is Verdict.FAIL and WALK in found[ONCE].reason


async def test_the_oldest_of_many_walks_is_compared_with_its_document() -> None:
    many = [walk(f"{WALK[:-4]}{number:04x}", points=0) for number in range(2_500)]
    held = documents(*many[:-1])
    nowhere = Documents(Address(host="127.0.0.1", port=1), "demo-x")
    compared = await stores.dual_write(many, nowhere, Writes(), MachineClock(), held=held, limit_s=0)
    assert [(each.flaw, each.walk_id) for each in compared.findings] == [(Flaw.MISSING, many[-1].id)]


def test_the_thumbnail_of_the_oldest_of_many_walks_is_looked_for() -> None:
    many = [walk(f"{WALK[:-4]}{number:04x}", points=0, thumbnail_image_url=URL) for number in range(2_500)]
    named, _ = stores.thumbnails_of(many, {}, Writes())
    assert named[many[-1].id] == ("u1", URL) and len(named) == 2_500
