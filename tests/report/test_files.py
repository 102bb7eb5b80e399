"""Reports on a disk that refuses, and the link to the newest run."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base.errors import EvidenceNotWritten, Exit
from harness.model.result import Result
from harness.report.html import write_html, write_summary
from harness.report.language import write_atomically
from harness.report.latest import point_latest, results
from harness.report.published import RESULT, RESULT_JSON
from harness.report.write_all import write_junit, write_reports
from tests.report.results import advanced

PLAIN = advanced()

WRITERS: list[Callable[[Path, Result], Path]] = [
    RESULT.write,
    write_junit,
    lambda folder, run: write_summary(folder, run, {}),
    lambda folder, run: write_html(folder, run, {}),
]


@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_that_refuses_is_named(write: Callable[[Path, Result], Path]) -> None:
    with pytest.raises(EvidenceNotWritten, match="could not be written") as caught:
        write(Path("/sys/kernel"), PLAIN)
    assert caught.value.exit is Exit.RUN_BROKEN
    assert "/sys/kernel/" in caught.value.where
    assert caught.value.remedy


_FULL = """
    import resource, sys
    from pathlib import Path
    from harness.base.errors import EvidenceNotWritten
    from harness.report.language import write_atomically
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    path = Path(sys.argv[1])
    write_atomically(path, b"old")
    try:
        write_atomically(path, b"x" * 5000)
    except EvidenceNotWritten as error:
        print(error.where)
"""


@pytest.mark.process
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL), str(path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (str(path), "")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_of_one_number_write_one_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two containers may that share the reports folder."""
    path, replace = tmp_path / "result.json", Path.replace

    def while_another_writes(part: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        assert write_atomically(path, b"the other's").read_bytes() == b"the other's"
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", while_another_writes)
    assert write_atomically(path, b"ours").read_bytes() == b"ours"
    assert list(tmp_path.iterdir()) == [path]


def test_everything_is_written_and_nothing_half(tmp_path: Path) -> None:
    written = write_reports(tmp_path, PLAIN, {})
    assert [path.name for path in written] == ["result.json", "junit.xml", "summary.md", "report.html"]
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert all(path.stat().st_size for path in written)
    assert write_atomically(tmp_path / "result.json", b"new").read_bytes() == b"new"


def test_latest_points_to_the_newest_run_wherever_the_reports_are_moved(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name in ("run-1", "run-2"):
        (reports / name).mkdir(parents=True)
        link = point_latest(reports, reports / name)
        assert link.resolve() == reports / name
    moved = reports.rename(tmp_path / "elsewhere")
    assert (moved / "latest").resolve() == moved / "run-2"
    assert sorted(path.name for path in moved.iterdir()) == ["latest", "run-1", "run-2"]


def test_each_result_is_read_once_while_a_link_is_moved(tmp_path: Path) -> None:
    runs = [tmp_path / "run-1", tmp_path / "sequence", tmp_path / "sequence" / "week1"]
    for run in runs:
        run.mkdir()
        (run / RESULT_JSON).touch()
        point_latest(run.parent, run)
        (run.parent / f".latest.{run.name}").symlink_to(run.name)  # as between its two steps
    assert sorted(results(tmp_path)) == [run / RESULT_JSON for run in runs]


def test_latest_replaces_a_link_that_dangles(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("gone")
    (tmp_path / "run-1").mkdir()
    assert point_latest(tmp_path, tmp_path / "run-1").resolve() == tmp_path / "run-1"


def test_latest_leaves_a_real_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "mine").write_text("x")
    with pytest.raises(EvidenceNotWritten, match="where the link to the newest run belongs"):
        point_latest(tmp_path, tmp_path / "run-1")
    assert (tmp_path / "latest" / "mine").read_text() == "x"


def test_latest_in_a_folder_that_refuses() -> None:
    with pytest.raises(EvidenceNotWritten) as caught:
        point_latest(Path("/proc"), Path(f"/proc/{os.getpid()}"))
    assert "/proc/latest" in caught.value.where


def test_two_processes_that_write_one_file_at_once_both_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two sign-offs of one reports folder: the one took the other's half file away."""
    path, seen = tmp_path / "signoff.json", list[bytes]()

    def meanwhile(_: int) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(os, "getpid", lambda: 4321)
        write_atomically(path, b"the other's")
        monkeypatch.undo()
        seen.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_atomically(path, b"the one's")
    assert [*seen, path.read_bytes()] == [b"the other's", b"the one's"]
    assert [each.name for each in tmp_path.iterdir()] == ["signoff.json"]
