"""``clean``: what nobody has and nobody used for 30 days is listed, and removed when that is typed; nothing else is."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base import home
from harness.base.errors import Exit
from harness.base.home import ENVIRONMENT_VARIABLE, use
from harness.cli import machine
from harness.cli.main import main

DAY_S = 86_400
pytestmark = pytest.mark.process
OLD = (
    "venv/old",
    "npm/old",
    "template/postgresql-15.18-old-1",
    "wheels/old",
    "kind/binaries/kind-old",
    "venv/.x.removed",
)
#: Of images: name, days since it was named, whether a container is of it.
IMAGES = {
    "aaa": ("tekutoko-rehearsal/node:old", 40, False),
    "bbb": ("tekutoko-rehearsal/base:held", 40, True),
    "ccc": ("tekutoko-rehearsal/sidecar:new", 3, False),
}
DOCKER = """#!{python}
import json, pathlib, sys
folder, words = pathlib.Path(__file__).parent, sys.argv[1:]
images = json.loads((folder / "images.json").read_text())
if words[:2] == ["image", "ls"]:
    assert "reference=tekutoko-rehearsal/*" in words
    print("\\n".join(images))
elif words[:2] == ["image", "inspect"]:
    print(json.dumps([images[name] for name in words[2:]]))
elif words[0] == "ps":
    print("c1" if words[-1] == "ancestor=bbb" else "", end="")
else:
    (folder / "said").write_text(" ".join(words))
"""


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of state in which everything is of long ago, and an engine with images of ours."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "home"))
    for name in OLD:
        folder = tmp_path / "home" / name
        folder.mkdir(parents=True)
        (folder / "content").write_bytes(bytes(3 * 2**20))
        aged(folder, 40)
    (tmp_path / "docker").write_text(DOCKER.replace("{python}", sys.executable))
    (tmp_path / "docker").chmod(0o755)
    named = {
        key: {"Id": key, "RepoTags": [name], "Created": "2020-01-01T00:00:00Z", "Size": 2**30,
              "Metadata": {"LastTagTime": time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() - days * DAY_S))}}
        for key, (name, days, _) in IMAGES.items()
    }  # fmt: skip
    (tmp_path / "images.json").write_text(json.dumps(named))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "home"


def aged(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * DAY_S,) * 2)


def listed(capsys: pytest.CaptureFixture[str], *words: str, status: int = Exit.OK) -> dict[str, bool]:
    """What was listed, by its name below the folder of state, and whether it was removed."""
    assert main(["clean", "--json", *words]) == status
    found = json.loads(capsys.readouterr().out)
    assert all(each["mib"] >= 3 and each["used"][:10] < time.strftime("%Y-%m-%d") for each in found)
    return {each["name"].partition("/home/")[2] or Path(each["name"]).name: each["removed"] for each in found}


def test_what_is_old_is_listed_and_removed_only_when_that_is_typed(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {*OLD, "node:old"}
    assert listed(capsys) == dict.fromkeys(named, False)
    assert all((old / name).is_dir() for name in OLD)
    assert listed(capsys, "--yes") == dict.fromkeys(named, True)
    assert [path for name in OLD for path in (old / name).parent.iterdir() if path.is_dir()] == []
    assert (old.parent / "said").read_text() == "image rm tekutoko-rehearsal/node:old"


def test_what_was_used_is_not_old(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_another = "from pathlib import Path; import sys; from harness.base.home import use; use(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", in_another, str(old / "venv/old")], check=True, timeout=60)
    assert "venv/old" not in listed(capsys, "--yes")
    aged(old / "venv/old.used", 29)
    assert "venv/old" not in listed(capsys, "--yes")
    aged(old / "venv/old.used", 31)
    assert listed(capsys, "--yes")["venv/old"]


def test_what_a_process_has_stays_however_long_ago_it_took_it(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process, and one that it handed it to, as a kept stack's parts have it."""
    monkeypatch.setattr(home, "IN_USE", {})
    use(old / "npm/old")
    part = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=home.IN_USE.values())
    try:
        aged(old / "npm/old.used", 40)
        assert "npm/old" not in listed(capsys, "--yes")
        for descriptor in home.IN_USE.values():
            os.close(descriptor)
        assert "npm/old" not in listed(capsys, "--yes")
    finally:
        part.kill()
        part.wait()
    assert listed(capsys, "--yes")["npm/old"]


def test_what_is_taken_between_the_list_and_the_removal_stays(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli import unused

    remove = unused.remove

    def taken(item: unused.Unused) -> bool:
        with (old / "venv/old.used").open("a") as mark:
            fcntl.flock(mark, fcntl.LOCK_SH)
            return remove(item)

    monkeypatch.setattr(unused, "remove", taken)
    assert listed(capsys, "--yes", status=Exit.LEAK) == {**dict.fromkeys([*OLD, "node:old"], True), "venv/old": False}
    assert (old / "venv/old/content").exists()


def test_stored_runs_go_only_by_their_age_and_never_the_newest_nor_evidence_of_a_sign_off(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "reports"
    for name in ("gone", "under-way", "newest", "evidence", "young", "tests"):
        (reports / name).mkdir(parents=True)
        (reports / name / ("plan.json" if name != "tests" else "whole.json")).write_bytes(bytes(3 * 2**20))
        aged(reports / name / ("plan.json" if name != "tests" else "whole.json"), 10 if name == "young" else 100)
    (reports / "latest").symlink_to("newest")
    (reports / "signoff").mkdir()
    (reports / "signoff" / "signoff.json").write_text('{"evidence": [{"folder": "evidence/week1"}]}')
    (old / "runs" / "under-way").mkdir(parents=True)
    where = ("--reports", str(reports))
    assert listed(capsys, *where) == dict.fromkeys([*OLD, "node:old"], False)
    assert listed(capsys, *where, "--runs-older-than", "90", "--yes")["gone"]
    assert sorted(path.name for path in reports.iterdir()) == [
        "evidence", "latest", "newest", "signoff", "tests", "under-way", "young",
    ]  # fmt: skip


def test_the_doctor_says_how_much_it_is_and_people_read_both(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CHECKS", [machine._unused])
    assert main(["doctor"]) == Exit.OK
    assert "1.0 GiB; python3 -m harness clean" in capsys.readouterr().out
    assert main(["clean"]) == Exit.OK
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(OLD) + 2 and told[-1] == "1.0 GiB are left; --yes removes them"
    assert main(["clean", "--yes"]) == Exit.OK
    told = capsys.readouterr().out.splitlines()
    assert all(line.startswith("removed: ") for line in told[:-1]) and told[-1].startswith("0.0 GiB")
