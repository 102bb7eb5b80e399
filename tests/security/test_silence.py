"""A target that no longer answers has kept nothing: neither what it would have refused, nor what it would have logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.checks.contract import http
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.logs import Logs
from harness.model.evidence import happened
from harness.rehearsals.security.checks import secrets
from tests.conformance.in_process import POD, Plant, Target
from tests.conformance.outcomes import Outcome, ended
from tests.security.in_process import CHECKS, checked, of

#: Of logs without a secret: what says nothing where the target read none.
OF_LOGS = ("secret.log_token", "secret.log_header", "secret.log_personal", "secret.log_password")
#: What asks the target nothing.
NOT_ASKED = ("privilege.", "secret.images", "secret.folder", "heavy.slow")


def silent_from(answered: int, broken: str) -> Plant:
    """So many requests are answered, and no further one."""

    def plant(target: Target) -> None:
        real, asked = http.send_raw, [0]

        async def send_raw(address: Any, raw: bytes, *, method: str, path: str, **more: Any) -> HttpExchange:
            asked[0] += 1
            if asked[0] <= answered:
                return await real(address, raw, method=method, path=path, **more)
            return HttpExchange(
                method=method, path=path, sent_headers=(), sent_body=b"", raw=raw, status=0, broken=broken
            )

        target.patch("harness.checks.contract.http.send_raw", send_raw)

    return plant


@pytest.mark.parametrize("broken", ["not within 10 s", "ConnectionRefusedError"])
@pytest.mark.parametrize(
    ("id_", "answered"),
    [
        ("injection.header", 2),
        ("injection.cors", 2),
        ("injection.smuggled", 0),
        ("identity.alike", 4),
        ("ownership.leak", 1),
        ("token.nobody_written", 0),
        ("secret.answers", 0),
        *((id_, 0) for id_ in OF_LOGS),
    ],
)
def test_a_target_that_falls_silent_keeps_nothing(id_: str, answered: int, broken: str, tmp_path: Path) -> None:
    assert ended(checked(of(id_), [silent_from(answered, broken)], tmp_path), Outcome.PASSED) == set()


def test_a_target_that_never_answers_keeps_no_sentence(tmp_path: Path) -> None:
    checks = [check for check in CHECKS if not check.id.startswith(NOT_ASKED)]
    assert ended(checked(checks, [silent_from(0, "ConnectionRefusedError")], tmp_path), Outcome.PASSED) == set()


@pytest.mark.parametrize("id_", OF_LOGS)
def test_a_log_that_is_not_there_shows_nothing(id_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(logs: Logs, *_: object) -> None:
        real(logs, *_)  # type: ignore[arg-type]
        for pod, state in ((POD, "Ready"), ("pod-2", "Running"), ("pod-3", "Pending"), ("pod-3", "Gone")):
            logs.saw(happened(0, "pod", pod, "told", {"state": state}))

    real = Logs.__init__
    monkeypatch.setattr(Logs, "__init__", lost)
    found = checked(of(id_), [], tmp_path)
    assert ended(found, Outcome.NOT_EXERCISED) == {id_}
    assert "pod-2.log" in str(found[id_].lacking) and "pod-3.log" not in str(found[id_].lacking)


@pytest.mark.parametrize("id_", [*OF_LOGS, "secret.folder"])
def test_what_is_too_large_to_be_read_whole_shows_nothing(
    id_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long(target: Target) -> None:
        target.front.after.append(lambda *_: target.write(b"." * 5000))
        (tmp_path / "logs" / "postgres.log").write_bytes(b"." * 5000)

    monkeypatch.setattr(secrets, "_MOST_BYTES", 4096)
    found = checked(of(id_), [long], tmp_path)
    assert ended(found, Outcome.NOT_EXERCISED) == {id_}
    assert ("postgres.log" if id_ == "secret.folder" else POD) in str(found[id_].lacking)


def test_a_secret_in_a_log_is_found_though_another_request_was_not_answered(tmp_path: Path) -> None:
    def logged(target: Target) -> None:
        target.front.after.append(lambda call, _: target.write(call.headers.get("authorization", "").encode() + b"\n"))

    found = checked(of("secret.log_token"), [logged, silent_from(3, "ConnectionRefusedError")], tmp_path)
    assert ended(found, Outcome.DEVIATION) == {"secret.log_token"}
