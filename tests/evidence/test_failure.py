"""The first failure of a run, and the lines of its logs around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.base.clock import NS, Anchor
from harness.evidence import failure
from harness.evidence.failure import LETTERS, MOST_IN_ALL, MOST_OF_A_FILE, bad_calls, cut, first_bad, log_lines
from harness.evidence.store import Gathered
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
ANCHOR = Anchor(monotonic_ns=5 * NS, unix_ns=int(BEGAN.timestamp()) * NS)


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def request(seconds: int, outcome: Outcome, side: Side = Side.API) -> RequestRow:
    due_ns = (5 + seconds) * NS
    return RequestRow(
        operation_id=f"u-{seconds}", user="u", audience="general", side=side, operation=Operation.LIST_WALKS,
        due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns, status=500, outcome=outcome, acknowledged=False,
        payload_digest="", flag=True,
    )  # fmt: skip


def probe(seconds: int, outcome: Outcome) -> ProbeRow:
    due_ns = (5 + seconds) * NS
    return ProbeRow(
        probe_id=seconds,
        user="c",
        method="GET",
        due_ns=due_ns,
        sent_ns=due_ns,
        done_ns=due_ns,
        status=0,
        outcome=outcome,
    )


def failed() -> Gathered:
    """First at 20 s; Firestore's own failure before it is none of the API's."""
    evidence = Gathered()
    evidence.see([
        request(10, Outcome.TIMEOUT, Side.FIRESTORE), probe(30, Outcome.REFUSED), request(20, Outcome.SERVER_ERROR),
        request(5, Outcome.OK), probe(6, Outcome.OK),
    ])  # fmt: skip
    return evidence


def test_the_first_failure_is_the_earliest_bad_call_to_the_api() -> None:
    assert [type(each) for each in bad_calls(failed())] == [RequestRow, ProbeRow]
    assert first_bad(failed()) == 25 * NS
    assert first_bad(Gathered()) is None


def test_lines_around_it_are_read_in_every_form_and_none_that_is_far(tmp_path: Path) -> None:
    stamped = (BEGAN + timedelta(seconds=21)).isoformat().replace("+00:00", "Z")
    (tmp_path / "pod-1.log").write_text(
        "\n".join([
            json.dumps({"severity": "ERROR", "message": "boom", "timestamp": stamped}),
            json.dumps({"severity": "ERROR", "message": "far", "timestamp": "2026-10-01T00:01:00Z"}),
            "no time at all", "2026-13-45 99:00:00 no time either",
        ])
    )  # fmt: skip
    (tmp_path / "postgres.log").write_text(f"{at(19.5)} UTC [1] FATAL:  terminating\n{at(60)} UTC [1] LOG:  far\n")
    (tmp_path / "envoy.log").write_text(f"[{at(20)}][1][warning] {'x' * 2 * LETTERS}\n")
    found = log_lines(tmp_path, failed(), ANCHOR)
    assert [(each.subject, each.at_ns / NS) for each in found] == [
        ("postgres.log", 24.5), ("envoy.log", 25.0), ("pod-1.log", 26.0),
    ]  # fmt: skip
    assert all(each.kind == "log_line" and len(each.message) <= LETTERS for each in found)


def test_they_are_bounded_and_those_that_speak_of_trouble_come_first(tmp_path: Path) -> None:
    for number in range(7):
        quiet = [f"{at(20 + n / 100)} INFO quiet" for n in range(50)]
        (tmp_path / f"pod-{number}.log").write_text("\n".join([*quiet, f"{at(28)} ERROR loud"]))
    found = log_lines(tmp_path, failed(), ANCHOR)
    assert len(found) == MOST_IN_ALL
    assert sum("loud" in each.message for each in found) == 7
    assert max(sum(each.subject == f"pod-{n}.log" for each in found) for n in range(7)) <= MOST_OF_A_FILE


def test_none_are_read_where_nothing_failed_or_there_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "pod.log").write_text(f"{at(20)} ERROR loud\n")
    assert log_lines(tmp_path, Gathered(), ANCHOR) == []
    assert log_lines(tmp_path / "gone", failed(), ANCHOR) == []


def test_a_log_that_grows_without_end_is_cut_to_its_end_and_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure, "LOG_BYTES", 2 * 2**20)
    monkeypatch.setattr(failure, "KEPT_BYTES", 2**20)
    (tmp_path / "quiet.log").write_bytes(bytes(2 * 2**20))
    with (tmp_path / "pod.log").open("ab", buffering=0) as target:
        target.write(b"first\n" + bytes(2 * 2**20) + b"last\n")
        assert ["pod.log" in str(told) for told in cut(tmp_path)] == [True]
        target.write(b"next\n")
    left = (tmp_path / "pod.log").read_bytes()
    assert len(left) == 2**20 + 5 and left.endswith(b"last\nnext\n")
    assert [*cut(tmp_path)] == [] and (tmp_path / "quiet.log").stat().st_size == 2 * 2**20
