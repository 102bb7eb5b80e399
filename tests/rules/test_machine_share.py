"""How much of its machine a run had: told on every run with evidence, of the measured stretch alone, gating nothing."""

from __future__ import annotations

from pathlib import Path

from harness.base import machine
from harness.base.clock import NS
from harness.model.evidence import MACHINE, STOLEN, WAITED, SampleRow
from harness.model.judgement import Kind
from harness.rules.machine_share import OBSERVED, observed
from tests.rules.evidence import START_NS, probe


def counted(name: str, *values: float) -> list[SampleRow]:
    """A counter at 0 s, 5 s, 10 s, ..."""
    return [
        SampleRow(at_ns=START_NS + 5 * number * NS, metric=name, subject=MACHINE, value=value)
        for number, value in enumerate(values)
    ]


CALLS = [probe(6, latency_ms=1000), probe(19, latency_ms=2000)]


def test_the_share_is_of_the_measured_stretch_and_gates_nothing() -> None:
    waited = counted(WAITED, 100, 105, 106, 107, 111, 112, 117)  # crowded before and after
    (found,) = observed(waited, CALLS)
    assert (found.id, found.kind, found.gates) == (OBSERVED, Kind.OBSERVATION, False)
    assert "a processor 35% of the time, and 80% of the worst 5 s" in found.reason  # 105 to 112 in 20 s
    assert "host" not in found.reason


def test_what_the_host_took_is_told() -> None:
    (found,) = observed([*counted(WAITED, 0, 0, 0, 0, 0, 0), *counted(STOLEN, 3, 3, 4, 6, 7.5, 9)], CALLS)
    assert "a processor 0% of the time" in found.reason
    (none,) = observed([*counted(WAITED, 0, 0, 0, 0, 0, 0), *counted(STOLEN, 3, 3, 3, 3, 3, 3)], CALLS)
    assert "host" not in none.reason
    assert "its host gave 6.0 s of processors to others" in found.reason


def test_two_samples_are_enough_and_the_ends_of_the_stretch_are_samples_themselves() -> None:
    calls = [probe(5, latency_ms=5000)]  # from the second sample to the third
    waited, stolen = counted(WAITED, 0, 1, 3, 8), counted(STOLEN, 0, 2, 2.5, 9)
    (found,) = observed([*waited, *stolen], calls)
    assert "a processor 40% of the time, and 40% of the worst 5 s" in found.reason
    assert found.reason.endswith("; its host gave 0.5 s of processors to others")
    (found,) = observed([*waited[1:3], *stolen[1:3]], calls)
    assert found.reason.endswith("; its host gave 0.5 s of processors to others")
    (found,) = observed([*waited, *stolen[1:2]], calls)
    assert "host" not in found.reason


def test_samples_that_came_twice_or_out_of_order_say_the_same() -> None:
    waited, stolen = counted(WAITED, 100, 105, 106, 107, 111, 112, 117), counted(STOLEN, 3, 3, 4, 6, 7.5, 9)
    once = [*observed([*waited, *stolen], CALLS)]
    assert len(once) == 1
    assert [*observed([*waited, *stolen, *waited[2:4], *stolen[:2]], CALLS)] == once
    assert [*observed([*waited[::-1], *stolen[3:], *stolen[:3]], CALLS)] == once


def test_a_counter_that_lags_its_clock_says_no_more_than_all_of_the_time() -> None:
    (found,) = observed(counted(WAITED, 0, 0, 6, 6), [probe(5, latency_ms=5000)])
    assert "a processor 100% of the time, and 100% of the worst 5 s" in found.reason


def test_nothing_is_said_where_nothing_was_counted_or_called() -> None:
    assert [*observed([], CALLS)] == [*observed(counted(WAITED, 1), CALLS)] == []
    assert [*observed(counted(WAITED, 0, 1, 2), [])] == []
    foreign = [
        SampleRow(at_ns=row.at_ns, metric=WAITED, subject="pod/a", value=row.value) for row in counted(WAITED, 0, 5)
    ]
    assert [*observed(foreign, CALLS)] == []


def test_the_kernel_s_count_is_read_and_one_that_does_not_count_is_no_error(tmp_path: Path) -> None:
    pressure = tmp_path / "cpu"
    pressure.write_text("some avg10=72.54 avg60=85.92 avg300=75.77 total=18472394166\nfull avg10=0.00 total=0\n")
    assert machine.waited_s(pressure) == 18472.394166
    pressure.write_text("")
    assert machine.waited_s(pressure) is machine.waited_s(tmp_path / "none") is None
