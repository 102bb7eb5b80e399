"""``runs``, ``clean --keep`` and ``export``: a run judged in another home to the same bytes, and files that are none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.base.errors import BadInput, Exit
from harness.cli import unused
from harness.cli.stored.travel import pack, unpacked, without_secrets
from harness.report.history import read
from harness.report.index import recalled
from tests.corpus import today
from tests.stored.conftest import Made, main


def at_home(said: str, run: str) -> str:
    """What is said, paths aside: of a run of which something lacks it names the place."""
    return re.sub(r"/[\w./-]*/tekutoko-export-\w+", "FOLDER", said).replace(run, "FOLDER")


@pytest.mark.parametrize("name", ["week3_roll_back", "conformance", "dr_restore", "rollout_hold"])
def test_a_run_that_travelled_is_judged_to_the_same_bytes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pack(today.folder(name), tmp_path / "run.zip")
    assert file.read_bytes() == pack(today.folder(name), tmp_path / "again.zip").read_bytes()
    said = []
    for run in (str(today.folder(name)), str(file)):
        said.append(
            (main(["judge", run, "--json", "--reports", str(tmp_path / "none")]), at_home(capsys.readouterr().out, run))
        )
    assert said[0] == said[1]
    assert main(["compare", str(file), str(file)]) in (0, 10)


@pytest.mark.process
def test_and_in_another_home_and_folder(tmp_path: Path) -> None:
    file = pack(today.folder("week3_roll_back"), tmp_path / "run.zip")
    said = []
    for run, home in ((today.folder("week3_roll_back"), "one"), (file, "other")):
        (tmp_path / home).mkdir()
        env = {
            **os.environ,
            "TEKUTOKO_REHEARSAL_HOME": str(tmp_path / home / "home"),
            "HOME": str(tmp_path / home),
            "PYTHONPATH": str(Path.cwd()),
        }
        typed = [sys.executable, "-m", "harness", "judge", str(run), "--json"]
        done = subprocess.run(typed, env=env, cwd=tmp_path / home, capture_output=True, timeout=120, check=False)
        said.append((done.returncode, done.stdout))
    assert said[0] == said[1] and len(said[0][1]) > 1000


async def test_the_command_names_the_file_and_a_judgement_lies_beside_it(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await made()
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder.name}.zip\n"
    with zipfile.ZipFile(f"{folder.name}.zip") as archive:
        assert sorted(archive.namelist()) == [
            "evidence.sqlite",
            "machine.json",
            "manifests.json",
            "plan.json",
            "result.json",
        ]
    assert main(["judge", f"{folder.name}.zip", "--write"]) == 0
    assert json.loads((tmp_path / "judged-1.json").read_text())["same"]
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]  # noqa: PTH208 - a coroutine


def test_manifests_have_no_secrets() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "db"}, "stringData": {"url": "hidden"}, "data": {"a": "hidden"}}
    env = [
        {"name": "DB_PASSWORD", "value": "hidden"},
        {"name": "DATABASE_URL", "value": "postgres://me:hidden@db/walks"},
        {"name": "PORT", "value": "8080"},
    ]
    config = {
        "config": {"API_KEY": "hidden"},
        "secrets": {"X": "hidden"},
        "secret_keys": ["X"],
        "secretName": "db",
        "n": 3,
    }
    found = without_secrets({"documents": {"Secret/db": secret}, "env": env, **config})
    assert "hidden" not in json.dumps(found)
    assert found["env"][1:] == [{"name": "DATABASE_URL", "value": "postgres://me:@db/walks"}, env[2]]
    assert (found["secret_keys"], found["secretName"], found["n"]) == (["X"], "db", 3)


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"../result.json": b"{}"}, "does not write: '../result.json'"),
        ({"/etc/plan.json": b"{}"}, "does not write"),
        ({"a/b/c/plan.json": b"{}"}, "does not write"),
        ({"result.json": b"{}", "run.sh": b""}, "does not write: 'run.sh'"),
        ({f"r{number}/plan.json": b"" for number in range(1001)}, "more than a run has"),
        ({"result.json": bytes(200_000_001)}, "more than a run has"),
        ({"plan.json": b"{}"}, "no result.json"),
    ],
    ids=["up", "absolute", "deep", "other", "many", "large", "no-result"],
)
def test_a_file_that_export_did_not_write_is_refused(tmp_path: Path, files: dict[str, bytes], told: str) -> None:
    with pytest.raises(BadInput, match=told.replace("..", r"\.\.")):
        main(["judge", str(zipped(tmp_path / "x.zip", **files))])


def test_one_that_is_cut_or_changed_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    whole = pack(today.folder("conformance"), tmp_path / "x.zip").read_bytes()
    for content in (b"", whole[:-100], whole[:2000] + bytes(100) + whole[2100:]):
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(BadInput, match="cannot be unpacked"), unpacked(str(tmp_path / "x.zip")):
            pass
    assert not [*(tmp_path / "temp").iterdir()]


async def test_a_run_that_broke_is_remembered_without_a_decision(made: Made) -> None:
    folder = await made(dies=True)
    [line] = read(folder.parent) or []
    assert (line.run, line.decision, line.exit_status) == (folder.name, None, Exit.RUN_BROKEN)
    assert str(line.reason) == "part died"


async def test_runs_lists_them_and_clean_keeps_the_newest(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = await made(), await made(rows=1, at_least=2)
    [line] = read(good.parent) or []
    assert (line.run, line.rehearsal, line.good, line.reason) == (good.name, "stand_in", True, None)
    assert line.facts and (good.parent / "index.ja.html").is_file()
    bad.rename(good.parent / "another")
    for words, names in (((), [good.name, "another"]), (("--failed",), ["another"])):
        assert main(["runs", "--reports", str(good.parent), *words]) == 0
        told = capsys.readouterr().out
        assert [name for name in (good.name, "another") if name in told] == names
    assert main(["runs", "--json", "--reports", str(good.parent)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    for path in good.parent.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    (good.parent / "latest").unlink()
    [old] = unused.runs(good.parent, 0, keep=1)
    assert old.name == str(good) and unused.remove(old)
    assert [each.run for each in recalled(good.parent)] == ["another"] == [each.run for each in read(good.parent) or ()]
