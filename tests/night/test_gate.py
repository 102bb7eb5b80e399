"""The gate before a deployment: only a fresh green verdict of the branch about this very digest opens it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from night import gate
from night.command import main
from night.errors import Trouble
from night.github import GitHub

from tests.night.stand_in import Server, serving

pytestmark = pytest.mark.process
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"ghcr.io/team/walk-api@{DIGEST}"
NAME = f"rehearsal-verdict-sha256-{'a' * 64}"


@pytest.fixture
def api() -> Iterator[Server]:
    with serving() as server:
        yield server


def verdict(hours: float, word: str = "green", digest: str = DIGEST) -> dict[str, Any]:
    ended = (NOW - timedelta(hours=hours)).isoformat()
    return {"verdict": word, "image_digest": digest, "ended_utc": ended, "run_url": "https://example.org/run"}


def ask(api: Server) -> str:
    github = GitHub.of(api.environment())
    return gate.allowed(github, IMAGE, "main", timedelta(hours=36), NOW)


def test_a_fresh_green_verdict_opens_it_and_the_token_stays_with_the_api(api: Server) -> None:
    api.add_artifact(NAME, verdict(10), "2026-11-26T02:00:00Z")
    assert "green since" in ask(api)
    assert api.with_token_elsewhere == 0


def test_the_newest_verdict_decides_and_all_pages_are_read(api: Server) -> None:
    for day in range(20, 25):
        api.add_artifact(NAME, verdict(10), f"2026-11-{day}T02:00:00Z")
    api.add_artifact(NAME, verdict(1, "red"), "2026-11-26T11:00:00Z")
    with pytest.raises(Trouble, match=r"newest verdict about .* is red"):
        ask(api)


@pytest.mark.parametrize(
    ("document", "run", "said"),
    [
        (None, {}, "no night of the branch main rehearsed"),
        (verdict(40), {}, "40.0 h old, 36 h are the most"),
        (verdict(-2), {}, "-2.0 h old"),
        (verdict(1, digest=f"sha256:{'b' * 64}"), {}, "the verdict is about sha256:b"),
        (verdict(1), {"head_branch": "feature"}, "no night of the branch main"),
        (verdict(1), {"head_repository_id": 8}, "no night of the branch main"),
        (verdict(1), {"head_repository_id": None, "repository_id": None}, "no night of the branch main"),
        (verdict(1), {"expired": True}, "no night of the branch main"),
        ({"verdict": "green"}, {}, "does not read"),
    ],
)
def test_anything_else_keeps_it_shut(
    api: Server, document: dict[str, Any] | None, run: dict[str, Any], said: str
) -> None:
    if document is not None:
        api.add_artifact(NAME, document, "2026-11-26T11:00:00Z", **run)
    with pytest.raises(Trouble, match=said):
        ask(api)


@pytest.mark.parametrize("image", ["ghcr.io/team/walk-api:main", "sha256:abc", f"x@sha512:{'a' * 64}", ""])
def test_a_tag_is_no_digest(image: str) -> None:
    with pytest.raises(Trouble, match="names no image by digest"):
        gate.digest(image)


def test_by_the_command_line_it_ends_in_1_and_says_what_to_do(
    api: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in api.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["gate", IMAGE, "--branch", "main"]) == 1
    assert "gh workflow run rehearsal.yml" in capsys.readouterr().err
    fresh = {**verdict(0), "ended_utc": datetime.now(UTC).isoformat()}
    api.add_artifact(NAME, fresh, "2026-11-26T11:00:00Z")
    assert main(["gate", IMAGE, "--branch", "main"]) == 0
