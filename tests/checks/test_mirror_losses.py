"""Lost mirror writes against the pods' logs: named, not named, and nothing to name."""

from __future__ import annotations

import pytest

from harness.checks.dual_write import Finding, Flaw
from harness.checks.mirror_losses import Logged, by_firestore, judged, logged, losses
from harness.checks.reconciled import NS, Outage
from harness.model.verdict import Verdict

A, B = "9c0ff0a3-b9e3-487e-8b48-8b3bbc910bed", "85e33a02-3c71-42d9-8a8b-2f0480e67419"
LINES = (
    b'{"severity":"ERROR","message":"Mirror write failed","walk_id":"%s"}' % A.encode(),
    b'{"severity":"INFO","message":"Mirror writes wait","walk_id":"%s"}' % B.encode(),
    b'{"severity":"ERROR","message":"no walk is named"}',
    b"ERROR not a record, of walk %s" % B.encode(),
    b'{"severity": 3, "message":"Mirror write failed", "walk_id": "%s"}' % B.encode(),
    b'{"severity":"ERROR","message":"Photo removal failed","walk_id":"%s"}' % B.encode(),
)


def stale(walk_id: str) -> Finding:
    return Finding(flaw=Flaw.STALE, walk_id=walk_id, user="u")


def test_failures_that_name_a_walk_are_read_from_the_logs() -> None:
    assert logged(LINES) == Logged(failures=1, walks=frozenset({A}))
    elsewhere = b'{"severity":"error","msg":"firestore: deadline exceeded (walks/%s)"}' % B.upper().encode()
    assert logged((elsewhere,)) == Logged(failures=1, walks=frozenset({B}))


FIRESTORE_AWAY = Outage(from_ns=100 * NS, to_ns=130 * NS, what="part_hang of firestore")
A_POD_ENDED = Outage(from_ns=135 * NS, to_ns=135 * NS, what="a container ended")


@pytest.mark.parametrize(
    ("at_s", "outages", "lost"),
    [
        (110, [FIRESTORE_AWAY], (A,)),
        (110, [FIRESTORE_AWAY, A_POD_ENDED], (A,)),
        (128, [FIRESTORE_AWAY, A_POD_ENDED], ()),  # its queue may have ended with it
        (140, [A_POD_ENDED], ()),
    ],
)
def test_only_what_firestore_alone_can_have_lost_has_to_be_logged(
    at_s: int, outages: list[Outage], lost: tuple[str, ...]
) -> None:
    assert by_firestore([(stale(A), outages[0].what)], {A: at_s * NS}, outages) == lost


@pytest.mark.parametrize(
    ("lost", "verdict", "words"),
    [
        ([A], Verdict.PASS, "1 walks lack their last write by an outage of Firestore, 0 of them"),
        ([A, B], Verdict.FAIL, "1 of them named in no log"),
        ([], Verdict.PASS, "1 failed mirror writes are in the pods' logs"),
    ],
)
def test_a_loss_that_no_log_names_fails(lost: list[str], verdict: Verdict, words: str) -> None:
    found, told = judged(losses(lost, logged(LINES)))
    assert found is verdict
    assert words in " ".join(map(str, told))


def test_an_outage_in_which_no_mirror_write_failed_exercised_nothing() -> None:
    assert judged(losses([], logged(())))[0] is Verdict.NOT_EXERCISED
