"""The client's rule for fetching, in own cases and on any history of successes and failures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.flag import FlagClient
from harness.stack.firebase import rest
from harness.stack.firebase.rest import FlagCache

S = 1_000_000_000


def test_false_before_any_fetch_and_due_at_once() -> None:
    cache = FlagCache(60)
    assert cache.due(0)
    assert cache.next_due_ns() is None
    assert not cache.value("flag")
    assert not cache.fetched


def test_within_the_interval_the_cached_value_is_used() -> None:
    cache = FlagCache(60)
    cache.store({"flag": "true"}, 3, 100 * S)
    assert cache.value("flag")
    assert cache.version == 3
    assert not cache.due(160 * S - 1)
    assert cache.due(160 * S)


def test_the_default_interval_is_twelve_hours() -> None:
    cache = FlagCache()
    cache.store({}, 1, 0)
    assert not cache.due(12 * 3600 * S - 1)
    assert cache.due(12 * 3600 * S)


def test_nothing_changed_keeps_the_values_and_moves_the_version() -> None:
    cache = FlagCache(60)
    cache.store({"flag": "true"}, 3, 0)
    cache.store(None, 4, 60 * S)
    assert cache.value("flag")
    assert cache.version == 4


def test_without_an_answer_the_last_good_value_stays_and_a_retry_is_soon() -> None:
    cache = FlagCache(60, retry_s=5)
    cache.store({"flag": "true"}, 1, 0)
    cache.failed(60 * S)
    assert cache.value("flag")
    assert not cache.due(65 * S - 1)
    assert cache.due(65 * S)


def test_a_busy_service_is_backed_off_from_and_a_success_ends_it() -> None:
    cache = FlagCache(10)
    waits = []
    for _ in range(9):
        cache.failed(0, 503)
        waits.append((cache.next_due_ns() or 0) // S)
    assert waits == [120, 240, 480, 960, 1920, 3840, 7680, 14400, 14400]
    cache.store({}, 1, 0)
    cache.failed(0, 429)
    assert cache.next_due_ns() == 120 * S
    cache.failed(0, 400)  # a refusal is no reason to back off
    assert cache.next_due_ns() == 10 * S


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("true", True),
        ("YES", True),
        ("1", True),
        ("t", True),
        (" 001", True),
        ("-5", True),
        ("false", False),
        ("0", False),
        ("", False),
        ("on", False),
        ("00", False),
    ],
)
def test_a_value_is_read_as_the_app_reads_it(text: str, on: bool) -> None:
    cache = FlagCache(60)
    cache.store({"flag": text}, 1, 0)
    assert cache.value("flag") is on


EVENT = st.tuples(st.integers(0, 100), st.sampled_from(["true", "false", "down", "busy"]))


@settings(deadline=None)
@given(st.lists(EVENT, max_size=30), st.integers(0, 50))
def test_the_value_is_the_last_success_and_no_two_successes_are_nearer_than_the_interval(
    events: list[tuple[int, str]], interval_s: int
) -> None:
    cache = FlagCache(interval_s)
    now_ns, last_ns, value = 0, None, False
    for wait_s, event in events:
        now_ns += wait_s * S
        if not cache.due(now_ns):
            continue
        if event in {"true", "false"}:
            assert last_ns is None or now_ns - last_ns >= interval_s * S
            cache.store({"flag": event}, 1, now_ns)
            last_ns, value = now_ns, event == "true"
        else:
            cache.failed(now_ns, 503 if event == "busy" else 0)
        assert cache.value("flag") is value


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_what_a_client_sends_is_what_the_service_reads(instance: str, audience: str) -> None:
    client = FlagClient(instance_id=instance, audience=audience)
    assert rest.client(rest.body(client)) == client


def test_camel_case_is_read_too_and_unknown_fields_are_refused() -> None:
    sent = b'{"appInstanceId": "i", "analyticsUserProperties": {"audience": "beta"}, "languageCode": "ja"}'
    assert rest.client(sent) == FlagClient(instance_id="i", audience="beta")
    for wrong in (b"{}", b'{"appInstanceId": ""}', b'{"app_instance_id": "i", "colour": "red"}', b"[]", b"{"):
        with pytest.raises(ValueError, match=r"\S"):
            rest.client(wrong)
