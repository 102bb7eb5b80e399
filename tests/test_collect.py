"""What the collector waits for at a window's edge: every call that is due, each to its timeout, and no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from harness.base.clock import NS, Anchor
from harness.base.errors import EvidenceNeverWritten, EvidenceNotRead, EvidenceNotWritten, PartDied
from harness.evidence.spool import SpoolWriter
from harness.evidence.store import EVIDENCE, Collector, EvidenceStore, stored
from harness.model.evidence import Due, ProbeRow, Row, SampleRow, happened, probe_call
from harness.run.closing import measure_stores
from tests.rules.evidence import probe, request


class Moved:
    """A clock whose sleeps are over at once; at given times rows come in."""

    anchor = Anchor(monotonic_ns=0, unix_ns=0)

    def __init__(self, spool: SpoolWriter, coming: dict[int, Row]) -> None:
        self.now, self.spool, self.coming = 0, spool, coming

    def now_ns(self) -> int:
        return self.now

    def wall_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * NS)
        for at_s in [at_s for at_s in self.coming if at_s * NS <= self.now]:
            self.spool.write(self.coming.pop(at_s))
            self.spool.flush()


USERS = [request(0, "a"), request(1, "a")]
ROWS: list[Row] = [*USERS, probe(2, number=5)]
DUE = [Due(id=row.operation_id, user="a", due_ns=0) for row in USERS]
PROBE = Due(id=probe_call(5), user="c", due_ns=0)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolWriter]:
    with SpoolWriter(tmp_path / "s.jsonl") as writer:
        yield writer


@pytest.mark.parametrize(
    ("coming", "until_s"),
    [
        ({10: ROWS[0], 12: ROWS[1], 14: ROWS[2]}, 14),  # all are in
        ({10: ROWS[0], 29: ROWS[1], 39: ROWS[2]}, 39),  # one of a user who had waited for the one before
        ({10: ROWS[0], 25: ROWS[1]}, 36),  # the probe never comes: for a timeout after the last that did
        ({}, 31),
        ({10: ROWS[0], 11: ROWS[1], 30: request(9, "a")}, 31),  # another call is none of these
    ],
)
async def test_the_last_answers_are_awaited_to_their_timeout(
    coming: dict[int, Row], until_s: int, spool: SpoolWriter, tmp_path: Path
) -> None:
    clock = Moved(spool, dict(coming))
    with EvidenceStore(tmp_path / "e.sqlite", "run", clock.anchor) as store:
        collector = Collector(store, clock)
        collector.follow([spool.path])
        await collector.last_answers([*DUE, PROBE], 20 * NS, 11.0)
    assert clock.now / NS == pytest.approx(until_s, abs=0.11)


async def test_a_spool_that_cannot_be_read_keeps_none_of_the_others_from_being_read(tmp_path: Path) -> None:
    spools = [tmp_path / f"{name}.jsonl" for name in ("broken", "good", "torn")]
    clock = Moved(SpoolWriter(spools[1]), {})
    spools[0].write_bytes(b"no row\n")
    clock.spool.write(USERS[0])
    clock.spool.close()
    spools[2].write_bytes(b'["request",')
    with EvidenceStore(tmp_path / "e.sqlite", "run", clock.anchor) as store:
        collector = Collector(store, clock)
        collector.follow(spools)
        with pytest.raises(EvidenceNotRead, match="line 1 is no row"):
            collector.gather()
        assert collector.requests == USERS[:1]
        with pytest.raises(EvidenceNotRead) as caught:
            collector.gather(last=True)
    assert "line 1 is no row" in caught.value.what and "the last line was cut" in caught.value.what
    assert caught.value.where == f"{spools[0]}, {spools[2]}"
    assert [error.subject for error in collector.ledger.measurement_errors] == ["broken", "torn"]
    assert collector.requests == USERS[:1]


@pytest.mark.parametrize("last", [False, True])
def test_what_a_full_disk_refused_is_written_once_there_is_room_again(
    *, last: bool, spool: SpoolWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Moved(spool, {})
    with EvidenceStore(tmp_path / EVIDENCE, "run", clock.anchor) as store, SpoolWriter(tmp_path / "t.jsonl") as other:
        collector = Collector(store, clock)
        collector.follow([spool.path, other.path])
        spool.write(probe(0, number=0))
        other.write(probe(0, number=1))
        spool.flush()
        other.flush()
        with monkeypatch.context() as full:
            full.setattr(store, "append", Mock(side_effect=EvidenceNotWritten("full", where="e")))
            with pytest.raises(EvidenceNotWritten):
                collector.add([probe(0, number=2)])
            for _ in range(2):
                with pytest.raises(EvidenceNotWritten):
                    collector.gather(last=last)
            assert not collector.rows
        spool.write(probe(0, number=3))
        spool.flush()
        collector.gather(last=True)
    assert {each.probe_id for each in collector.probes} == {0, 1, 2, 3}
    assert stored(tmp_path).probes == collector.probes


def test_what_stays_refused_is_said_at_the_end_and_stands_before_what_came_later(
    spool: SpoolWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Moved(spool, {})
    with EvidenceStore(tmp_path / EVIDENCE, "run", clock.anchor) as store:
        collector = Collector(store, clock)
        collector.follow([spool.path])
        real = store.append

        def append(rows: Sequence[Row]) -> None:
            if any(isinstance(each, ProbeRow) and each.probe_id == 0 for each in rows):
                raise EvidenceNotWritten("no room for these", where="e")
            real(rows)

        with monkeypatch.context() as small:
            small.setattr(store, "append", append)
            for number in (0, 1):
                with pytest.raises(EvidenceNotWritten):
                    collector.add([probe(0, number=number)])
            spool.write(probe(0, number=2))
            spool.flush()
            with spool.path.open("ab") as cut:
                cut.write(b'["probe",')
            for _ in range(2):
                with pytest.raises(EvidenceNotWritten):
                    collector.gather(last=True)
        collector.add([])
        assert [error.subject for error in collector.ledger.measurement_errors] == ["s"], "the line that was cut"
    assert [each.probe_id for each in collector.probes] == [0, 1, 2]
    assert stored(tmp_path).probes == collector.probes


@pytest.mark.parametrize(
    "never",
    [
        probe(0, number=2**63),
        SampleRow(at_ns=0, metric="m", subject="\ud800", value=0.0),
        happened(0, "phase", "week", "it began", {"\ud800": 1}),
        happened(0, "phase", "week", "it began", {"pods": object()}),
        SampleRow(at_ns=0, metric="m", subject="s", value=object()),  # type: ignore[arg-type]  # as ``Any`` lets through
    ],
)
def test_rows_that_no_disk_takes_are_lost_aloud_once_and_keep_no_others_out(
    never: Row, spool: SpoolWriter, tmp_path: Path
) -> None:
    with EvidenceStore(tmp_path / EVIDENCE, "run", Moved.anchor) as store:
        collector = Collector(store, Moved(spool, {}))
        with pytest.raises(EvidenceNeverWritten, match="and is lost"):
            collector.add([never])
        collector.add([probe(0, number=1)])
        collector.gather(last=True)
    assert stored(tmp_path).probes == collector.probes == [probe(0, number=1)]


async def test_what_the_stores_hold_is_evidence_too_and_no_refusal_of_it_is_passed_over() -> None:
    refused = Mock(add=Mock(side_effect=EvidenceNotWritten("full", where="e")))
    stores = Mock(volume=AsyncMock(return_value={("stored_bytes", "database"): 1.0}))
    with pytest.raises(EvidenceNotWritten):
        await measure_stores(Mock(evidence=refused, stores=stores))
    stores.volume.side_effect = PartDied("the database does not answer")
    await measure_stores(Mock(evidence=refused, stores=stores))
