"""The doctor: each lack is named with what to do, and what a rung does not need is no lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import doctor


@pytest.mark.process
@pytest.mark.parametrize(
    ("instances", "lacking", "ok"), [("128", "", False), ("1024", "", True), ("128", "there is no Docker", True)]
)
def test_inotify_instances(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instances: str, lacking: str, ok: bool
) -> None:
    file = tmp_path / "max_user_instances"
    file.write_text(instances + "\n")
    monkeypatch.setattr(doctor, "INOTIFY", file)
    monkeypatch.setattr("harness.stack.kind.at_hand.lacking", lambda: lacking)
    found = next(check for check in doctor.examine() if check.name == "inotify instances")
    assert found.ok is ok
    assert instances in found.found and "sysctl" in found.remedy


@pytest.mark.process
def test_every_lack_says_what_to_do() -> None:
    assert all(check.remedy for check in doctor.examine() if not check.ok)
