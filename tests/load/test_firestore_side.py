"""Firestore's client as the phone uses it: every call once, also a stream that breaks amid its answer."""

from __future__ import annotations

from typing import Any

from google.api_core.exceptions import ServiceUnavailable
from google.cloud.firestore_v1.query import Query

from harness.load.phone import NO_RETRY

GONE: Any = ServiceUnavailable  # the packages ship no types


def test_a_stream_that_breaks_is_asked_no_second_time() -> None:
    """The client's own way after an error of a stream; with ``None`` it fails by an AttributeError there."""
    query: Any = object.__new__(Query)
    assert query._retry_query_after_exception(GONE("gone"), NO_RETRY, None) is False


def test_no_call_is_made_twice() -> None:
    calls: list[int] = []

    def fails() -> None:
        calls.append(1)
        raise GONE("gone")

    try:
        NO_RETRY(fails)()
    except ServiceUnavailable as error:
        assert "gone" in str(error)
    assert len(calls) == 1
