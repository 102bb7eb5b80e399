"""Lost mirror writes against the pods' logs: named, not named, and nothing to name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.base.ticks import NS
from harness.checks.dual_write import DocumentFlaw, StoreDifference
from harness.checks.mirror_losses import Logged, by_firestore, judged, logged, losses
from harness.checks.reconciled import Outage
from harness.model.judgement import Verdict

A, B = "9c0ff0a3-b9e3-487e-8b48-8b3bbc910bed", "85e33a02-3c71-42d9-8a8b-2f0480e67419"
LINES = (
    b'{"severity":"ERROR","message":"Mirror write failed","walk_id":"%s"}' % A.encode(),
    b'{"severity":"INFO","message":"Mirror writes wait","walk_id":"%s"}' % B.encode(),
    b'{"severity":"ERROR","message":"no walk is named"}',
    b"ERROR not a record, of walk %s" % B.encode(),
    b'{"severity": 3, "message":"Mirror write failed", "walk_id": "%s"}' % B.encode(),
    b'{"severity":"ERROR","message":"Photo removal failed","walk_id":"%s"}' % B.encode(),
    b'{"severity":"\xe6\x95","message":"Mirror write failed","walk_id":"%s"}' % B.encode(),  # no UTF-8
    b'{"message":"Mirror write failed","walk_id":"%s","deep":' % B.encode() + b"[" * 200_000,
)


NOON = round(datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()) * NS


def flawed(flaw: DocumentFlaw = DocumentFlaw.STALE) -> StoreDifference:
    return StoreDifference(flaw=flaw, walk_id=A, user="u")


def test_failures_that_name_a_walk_are_read_from_the_logs() -> None:
    assert logged(LINES) == Logged(failures=1, walks={A: None})
    elsewhere = b'{"severity":"error","msg":"firestore: deadline exceeded (walks/%s)"}' % B.upper().encode()
    assert logged((elsewhere,)) == Logged(failures=1, walks={B: None})


FIRESTORE_AWAY = Outage(from_ns=100 * NS, to_ns=130 * NS, what="part_hang of firestore")
A_POD_ENDED = Outage(from_ns=135 * NS, to_ns=135 * NS, what="a container ended")


@pytest.mark.parametrize(
    ("at_s", "outages", "lost"),
    [
        (110, [FIRESTORE_AWAY], {A: 110 * NS}),
        (110, [FIRESTORE_AWAY, A_POD_ENDED], {A: 110 * NS}),
        (128, [FIRESTORE_AWAY, A_POD_ENDED], {}),  # its queue may have ended with it
        (140, [A_POD_ENDED], {}),
    ],
)
def test_only_what_firestore_alone_can_have_lost_has_to_be_logged(
    at_s: int, outages: list[Outage], lost: dict[str, int]
) -> None:
    assert by_firestore([(flawed(), outages[0].what)], {A: at_s * NS}, outages) == lost
    assert by_firestore([(flawed(DocumentFlaw.EXTRA), outages[0].what)], {A: at_s * NS}, outages) == dict.fromkeys(
        lost, 0
    )


@pytest.mark.parametrize(
    ("lost", "verdict", "words"),
    [
        ([A], Verdict.PASS, "1 walks lack their last write by an outage of Firestore, 0 of them"),
        ([A, B], Verdict.FAIL, "1 of them named in no log"),
        ([], Verdict.PASS, "1 failed mirror writes are in the pods' logs"),
    ],
)
def test_a_loss_that_no_log_names_fails(lost: list[str], verdict: Verdict, words: str) -> None:
    found, told = judged(losses(dict.fromkeys(lost, NOON), logged(LINES)))
    assert found is verdict
    assert words in " ".join(map(str, told))


def test_an_outage_in_which_no_mirror_write_failed_exercised_nothing() -> None:
    assert judged(losses({}, logged(())))[0] is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(
    ("times", "named"),
    [
        (["11:59:58Z"], False),  # of a write before the last
        (["12:00:05.25Z"], True),
        (["21:00:05+09:00"], True),  # the same in Tokyo
        (["11:59:59.5Z"], True),  # clocks may differ so much
        (["12:00:05Z", "11:00:00Z"], True),  # another pod's log is read later
        (["11:00:00Z", "when?"], True),  # it may be of the last write
    ],
)
@pytest.mark.parametrize("key", ["timestamp", "time"])
def test_a_failure_before_the_last_write_is_of_another_write(times: list[str], named: bool, key: str) -> None:
    line = '{"severity":"ERROR","message":"Mirror write failed","walk_id":"%s","%s":"2026-11-26T%s"}'
    found = losses({A: NOON}, logged((line % (A, key, time)).encode() for time in times))
    assert found.unlogged == (() if named else (A,))


def test_a_lost_deletion_that_no_log_names_is_found() -> None:
    """Its time is 0: any line of its walk is of it, and no line is no line."""
    assert losses({A: 0, B: 0}, logged(LINES)).unlogged == (B,)
