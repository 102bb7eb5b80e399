"""What metrics-server makes of two readings."""

from __future__ import annotations

from harness.control.metrics_server import ContainerCounters, usage

S = 10**9


def _at(at_s: float, cpu_s: float, *, started_s: float = 0, memory: int = 1000) -> ContainerCounters:
    return ContainerCounters(round(at_s * S), round(started_s * S), cpu_s, memory)


def test_cpu_is_the_rate_between_two_readings_and_memory_the_later_one() -> None:
    (found,) = usage({"api": {"api": _at(100, 5)}}, {"api": {"api": _at(115, 11, memory=7)}})
    assert found.containers_m == {"api": {"cpu": 400, "memory": 7000}}
    assert (found.at_ns, found.window_ns) == (115 * S, 15 * S)


def test_a_fresh_container_is_measured_from_its_start_once_it_ran_ten_seconds() -> None:
    for age_s, seen in ((9.9, False), (10, True), (14.9, True), (15, False)):
        found = usage({}, {"api": {"api": _at(100, 2, started_s=100 - age_s)}})
        assert bool(found) is seen
        assert not seen or found[0].window_ns == round(age_s * S)


def test_a_restarted_container_has_no_rate_over_its_restart() -> None:
    assert usage({"api": {"api": _at(100, 50)}}, {"api": {"api": _at(115, 1, started_s=110)}}) == []


def test_a_pod_of_which_one_container_has_no_value_has_none() -> None:
    before = {"api": {"api": _at(100, 5)}}
    last = {"api": {"api": _at(115, 6), "proxy": _at(115, 1, started_s=110)}}
    assert usage(before, last) == []
    assert [each.name for each in usage(before, {"api": {"api": last["api"]["api"]}})] == ["api"]


def test_the_window_of_a_pod_is_the_one_that_ends_first() -> None:
    before = {"api": {"api": _at(100, 5), "proxy": _at(100.5, 1)}}
    (found,) = usage(before, {"api": {"api": _at(115, 6), "proxy": _at(114, 1)}})
    assert (found.at_ns, found.window_ns) == (114 * S, round(13.5 * S))


def test_a_standing_reading_gives_no_rate() -> None:
    same = {"api": {"api": _at(100, 5)}}
    assert usage(same, same) == []


def test_a_fresh_container_s_rate_is_of_all_that_it_used() -> None:
    (found,) = usage({}, {"api": {"api": _at(100, 2, started_s=90)}})
    assert found.containers_m["api"]["cpu"] == 200


def test_a_rate_is_rounded_up_to_a_millicore_and_never_below_none() -> None:
    for cpu_s, millicores in ((5.75, 50), (5.001, 1), (5, 0), (4, 0)):
        (found,) = usage({"api": {"api": _at(100, 5)}}, {"api": {"api": _at(115, cpu_s)}})
        assert found.containers_m["api"]["cpu"] == millicores
