"""A log has records: lines with a severity and a message."""

from __future__ import annotations

import pytest

from harness.checks.mirror_losses import structured


@pytest.mark.parametrize(
    ("lines", "has"),
    [
        ([b'{"severity":"INFO","message":"Walk API started","pod_name":"a"}'], True),
        ([b"Traceback", b'{"severity":"INFO","message":"started"}'], True),
        ([b"started"], False),
        ([b"{}", b'{"severity":"INFO"}', b'{"message":"started"}', b"[1]"], False),
        ([], False),
    ],
)
def test_any_line_is_no_record(lines: list[bytes], has: bool) -> None:
    assert structured(lines) is has
