"""The gate before a deployment: only a fresh green verdict of the branch about this very digest opens it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from night import gate
from night.command import main
from night.errors import Trouble
from night.github import GitHub

from tests.night.stand_in import REPOSITORY, TOKEN, Server, serving

pytestmark = pytest.mark.process
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"ghcr.io/team/walk-api@{DIGEST}"
NAME = f"rehearsal-verdict-sha256-{'a' * 64}"


#: In the place of GitHub's own program: it keeps what it is asked, and finds what the environment says.
GH = """#!/bin/sh
echo "$GH_TOKEN $*" >> "$0.asked"
cat "$3" >> "$0.content"
echo no attestation >&2
exit "${SIGNED:-0}"
"""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with serving() as server:
        yield server


def verdict(word: str = "green", digest: str = DIGEST, **changes: str) -> dict[str, Any]:
    """What the night says of itself; its own time is no time that counts."""
    return {"verdict": word, "image_digest": digest, "ended_utc": NOW.isoformat(), **changes}


def begun(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(api: Server, *, signed: bool = True) -> str:
    github = GitHub.of(api.environment())
    return gate.allowed(github, IMAGE, gate.Producer(signed=signed), timedelta(hours=36), NOW)


def test_a_fresh_green_verdict_opens_it_and_the_token_stays_with_the_api(api: Server) -> None:
    api.add_artifact(NAME, verdict(), begun(10), head_sha="before")
    assert "green, begun" in ask(api)
    assert api.with_token_elsewhere == 0


def test_the_newest_verdict_decides_and_all_pages_are_read(api: Server) -> None:
    for day in range(5, 0, -1):
        api.add_artifact(NAME, verdict(), begun(24 * day))
    api.add_artifact(NAME, verdict("red"), begun(1), conclusion="failure")
    with pytest.raises(Trouble, match=r"newest verdict about .* is red"):
        ask(api)


NONE = "no night of"


@pytest.mark.parametrize(
    ("document", "run", "said"),
    [
        (None, {}, NONE),
        (verdict(), {"created_at": begun(40)}, "40.0 h old, 36 h are the most"),
        (verdict(), {"created_at": begun(-2)}, "-2.0 h old"),
        (verdict(digest=f"sha256:{'b' * 64}"), {}, "the verdict is about sha256:b"),
        (verdict(run_url="https://example.org/team/walk-api/actions/runs/9"), {}, "of another run"),
        (verdict(), {"expired": True}, NONE),
        (verdict(), {"conclusion": "failure"}, "is failure, not success"),
        (verdict(), {"conclusion": None, "status": "in_progress"}, "is in_progress, not success"),
        ({"verdict": "green"}, {}, "does not read"),
    ],
)
def test_anything_else_keeps_it_shut(
    api: Server, document: dict[str, Any] | None, run: dict[str, Any], said: str
) -> None:
    if document is not None:
        api.add_artifact(NAME, document, begun(1), **run)
    with pytest.raises(Trouble, match=said):
        ask(api)


#: Runs that may upload a green verdict of any name, and write any time into it.
OF_OTHERS: list[dict[str, Any]] = [
    {"path": ".github/workflows/build.yml"},
    {"path": ".github/workflows/build.yml@refs/heads/main"},
    {"event": "pull_request_target"},
    {"event": "push"},
    {"head_branch": "feature"},
    {"head_repository": {"id": 8}},
    {"head_repository": None, "repository": None},
    {"head_sha": "elsewhere"},  # of a tag that is called main
    {"head_sha": "ahead"},
]


@pytest.mark.parametrize("run", OF_OTHERS, ids=str)
def test_a_verdict_that_another_run_uploaded_is_none_and_hides_none(api: Server, run: dict[str, Any]) -> None:
    api.add_artifact(NAME, verdict(), begun(1), **run)
    with pytest.raises(Trouble, match=NONE):
        ask(api)
    api.add_artifact(NAME, verdict("red"), begun(10), conclusion="failure")
    with pytest.raises(Trouble, match="is red"):
        ask(api)


def test_github_s_program_is_asked_for_the_signature_of_the_very_run(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.add_artifact(NAME, verdict(), begun(1))
    ask(api)
    (asked,) = (tmp_path / "gh.asked").read_text().splitlines()
    assert asked.startswith(f"{TOKEN} attestation verify ")
    for words in (
        f"--repo {REPOSITORY} --deny-self-hosted-runners",
        f"--signer-workflow {REPOSITORY}/.github/workflows/rehearsal.yml",
        "--source-ref refs/heads/main --source-digest tip",
    ):
        assert words in asked
    assert json.loads((tmp_path / "gh.content").read_text()) == api.documents[1]
    monkeypatch.setenv("SIGNED", "1")
    with pytest.raises(Trouble, match="not signed by"):
        ask(api)
    assert "green, begun" in ask(api, signed=False)


def test_without_github_s_program_it_stays_shut(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add_artifact(NAME, verdict(), begun(1))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Trouble, match="not looked at"):
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
    api.add_artifact(NAME, verdict(), datetime.now(UTC).isoformat())
    assert main(["gate", IMAGE, "--branch", "main"]) == 0
    monkeypatch.setenv("SIGNED", "1")
    assert main(["gate", IMAGE, "--branch", "main"]) == 1
    assert main(["gate", IMAGE, "--branch", "main", "--unsigned"]) == 0
    assert main(["gate", IMAGE, "--workflow", ".github/workflows/other.yml", "--unsigned"]) == 1
