"""Whose a run is: seen by the lock that its harness holds, from whatever container; and nothing is taken for dead
because it could not be looked at."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from harness.base.errors import StackNotStarted
from harness.base.home import home, runs_folder
from harness.stack.kind import orphans, record
from harness.stack.kind.docker import docker
from harness.stack.kind.images import building
from harness.stack.kubernetes import labels
from harness.stack.state import (
    MARKER,
    Lease,
    LeaseCondition,
    PartRecord,
    ProcessIdentity,
    RunState,
    condition,
    dead_runs,
    identify,
    lives,
    run_folder,
    shared_memory,
    sweep,
)
from harness.stack.state import processes as processes_module
from harness.stack.state.lease import HeldLock, home_mark, identity, is_held
from harness.stack.state.processes import this_boot, this_space
from harness.stack.state.sweeping import end_run
from tests import stub_docker
from tests.lines import Lines
from tests.session.needs import IN_A_SPACE, needs_spaces
from tests.swept import swept

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 60
#: Runs of a process's own name: what carries a run's marker is ended wherever it runs, and a test beside this one has
#: dead runs too.
DEAD, ALIVE = f"dead-{os.getpid()}", f"alive-{os.getpid()}"
#: Begins a run with a part, says so, and waits for its end: of the input, or by a signal.
BEGINS = """
import asyncio, sys
from harness.stack.process.processes import Spec, spawn
from harness.stack.state import RunState
async def main():
    state = RunState.begin(sys.argv[1])
    (state.folder / "data").write_text("x")
    spawn(Spec(part="envoy", command=["sleep", "60"], environment={}, log=state.folder / "log", folder=state.folder), state)
    print("begun", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""
SWEEPS = "from harness.stack.state import sweep; sweep(lambda line: print(line, flush=True))"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begins a run in a process of its own, in a space of process ids of its own with ``space``."""
    started: list[subprocess.Popen[str]] = []

    def begin(run_id: str, *, space: bool = False) -> subprocess.Popen[str]:
        command = [*(IN_A_SPACE if space else ()), sys.executable, "-c", BEGINS, run_id]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    sweep(lambda line: None)


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)


def in_another_space(code: str) -> list[str]:
    """What ``code`` prints there."""
    command = [*IN_A_SPACE, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    return done.stdout.splitlines()


def marked_processes(run_id: str) -> list[int]:
    return [process.pid for process, _ in processes_module.marked(MARKER, [run_id])]


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_until_the_last_who_has_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert is_held(path) is None
    lock = HeldLock(path)
    assert is_held(path) is True
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.descriptor,))
    lock.release()
    lock.release()
    assert is_held(path) is True
    child.kill()
    child.wait()
    assert is_held(path) is False


def test_a_link_is_not_followed_to_a_lock(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root")
    (tmp_path / "lock").symlink_to(tmp_path / "passwd")
    with pytest.raises(OSError, match="symbolic link"):
        HeldLock(tmp_path / "lock")
    with pytest.raises(OSError, match="symbolic link"):
        is_held(tmp_path / "lock")


# -- kill -9, then the next command ------------------------------------------------------------------------------------


def test_after_kill_9_all_of_the_dead_run_goes_and_nothing_else(begun: Callable[..., subprocess.Popen[str]]) -> None:
    dead, alive = begun(DEAD), begun(ALIVE)
    assert lives(DEAD) and lives(ALIVE)
    killed(dead)
    assert condition(run_folder(DEAD)) is LeaseCondition.ABANDONED
    assert dead_runs() == [DEAD]
    lines = sweep(lambda line: None)
    assert any("ended envoy" in str(line) for line in lines), lines
    assert marked_processes(DEAD) == [] and not run_folder(DEAD).exists()
    assert len(marked_processes(ALIVE)) == 1 and (run_folder(ALIVE) / "data").exists() and alive.poll() is None
    assert swept() == []


@needs_spaces
def test_a_live_run_in_another_container_is_spared(begun: Callable[..., subprocess.Popen[str]]) -> None:
    """Also one whose process id is nobody's, or another's, there; from inside and from outside."""
    inside, outside = begun("inside", space=True), begun("outside")
    assert in_another_space(SWEEPS) == []
    assert swept() == []
    assert all((run_folder(run_id) / "data").exists() for run_id in ("inside", "outside"))
    assert inside.poll() is None and outside.poll() is None
    assert str(end_run(run_folder("inside"))[-1]).endswith("some of it runs in another container; end it there")
    assert (run_folder("inside") / "data").exists()


@needs_spaces
def test_what_runs_on_in_another_container_is_left_to_it(begun: Callable[..., subprocess.Popen[str]]) -> None:
    """Its harness was killed; its PostgreSQL is not to lose its data folder under it, nor to be forgotten."""
    killed(begun(DEAD))
    (line,) = in_another_space(SWEEPS)
    assert (
        line
        == f"run {DEAD}: left to the next command there, its harness is gone, and parts of it run on in another container"
    )
    assert (run_folder(DEAD) / "data").exists()
    assert any("ended envoy" in str(line) for line in sweep(lambda line: None))
    assert not run_folder(DEAD).exists()


@needs_spaces
def test_what_a_container_that_is_gone_left_is_removed(begun: Callable[..., subprocess.Popen[str]]) -> None:
    killed(begun(DEAD, space=True))
    until = time.monotonic() + 10
    while condition(run_folder(DEAD)) is not LeaseCondition.ABANDONED:  # its processes are ended by the kernel
        assert time.monotonic() < until
        time.sleep(0.05)
    sweep(lambda line: None)
    assert not run_folder(DEAD).exists()


# -- what cannot be told -----------------------------------------------------------------------------------------------


def plant(run_id: str, content: bytes) -> Path:
    folder = runs_folder() / run_id
    folder.mkdir(parents=True)
    (folder / "lease.json").write_bytes(content)
    return folder


def test_a_lease_of_rules_not_known_here_is_told_and_left() -> None:
    folder = plant("newer", b'{"run_id": "newer", "owner": 7}')
    lines = Lines()
    assert swept(lines.tell) == [] and dead_runs() == []
    assert lines == [
        f"run newer: left as it is, whether its harness lives cannot be told; if none does, remove {folder}"
    ]
    assert folder.exists()


def test_a_lease_that_cannot_be_read_is_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    state = RunState.begin("locked")
    state._give_up()
    (state.folder / "lease.json").unlink()
    (state.folder / "lease.json").mkdir()  # EISDIR, for root reads all
    assert condition(state.folder) is LeaseCondition.UNKNOWN
    assert swept() == [] and state.folder.exists()


def test_a_torn_lease_with_its_locks_free_is_a_dead_run_s() -> None:
    """As a machine that lost its power may leave it."""
    state = RunState.begin("torn")
    (state.folder / "lease.json").write_bytes(b"")
    assert condition(state.folder) is LeaseCondition.LIVES
    state._give_up()
    sweep(lambda line: None)
    assert not state.folder.exists()


def test_a_proc_of_another_container_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stack.state.lease.sees_itself", lambda: False)
    with pytest.raises(StackNotStarted, match="/proc shows the processes of another container"):
        RunState.begin("one")
    assert not run_folder("one").exists()


# -- names and numbers -------------------------------------------------------------------------------------------------


def test_a_name_cut_amid_a_character_is_no_hindrance(tmp_path: Path) -> None:
    program = tmp_path / "walk散歩サーバ"  # the kernel keeps 15 bytes of it
    shutil.copy(shutil.which("sleep") or "", program)
    process = subprocess.Popen([program, "60"])
    try:
        until = time.monotonic() + 5
        while b"walk" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            assert time.monotonic() < until
        with pytest.raises(UnicodeDecodeError):
            Path(f"/proc/{process.pid}/stat").read_bytes().decode()
        found = identify(process.pid)
        assert found is not None and found.alive()
    finally:
        process.kill()
        process.wait()


def test_an_identity_is_of_one_space_of_process_ids() -> None:
    me = identify(os.getpid())
    assert me is not None and me.alive() and me.of_this_boot and not me.elsewhere
    other = msgspec.structs.replace(me, space="pid:[1]")
    assert other.elsewhere and not other.alive()
    assert msgspec.structs.replace(me, space="").alive()  # as an older version wrote it
    assert not msgspec.structs.replace(me, started="another:1").of_this_boot


class Segments:
    """The machine's System V segments, as a test has them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *made: shared_memory.Segment) -> None:
        self.removed: list[int] = []
        monkeypatch.setattr(shared_memory, "segments", lambda: list(made))
        monkeypatch.setattr(shared_memory, "remove", lambda segment: self.removed.append(segment.shmid))


NOBODY_S = 4_194_303  # a process id that is free


def segment(
    shmid: int, creator_pid: int = NOBODY_S, attached: int = 0, uid: int | None = None
) -> shared_memory.Segment:
    mine = os.geteuid() if uid is None else uid
    return shared_memory.Segment(shmid=shmid, creator_pid=creator_pid, attached=attached, uid=mine)


@pytest.mark.parametrize(
    ("boot", "space", "removed"),
    [("this", "", [1]), ("another", "", []), ("this", "pid:[1]", [])],
    ids=["of this boot", "after a reboot", "of another container"],
)
def test_segments_are_removed_by_numbers_of_this_boot_and_container_alone(
    monkeypatch: pytest.MonkeyPatch, boot: str, space: str, removed: list[int]
) -> None:
    found = Segments(
        monkeypatch, segment(1), segment(2, attached=1), segment(3, uid=os.geteuid() + 7), segment(4, os.getpid())
    )
    gone = ProcessIdentity(NOBODY_S, f"{this_boot() if boot == 'this' else 'x'}:1", space or this_space())
    reused = ProcessIdentity(os.getpid(), f"{this_boot()}:1", this_space())  # now another program's number
    parts = [PartRecord("postgres", gone), PartRecord("auth", reused)]
    lease = Lease(run_id="dead", owner=gone, parts=parts, home=home_mark())
    folder = plant("dead", msgspec.json.encode(lease))
    (folder / "postgres").mkdir()
    (folder / "postgres" / "postmaster.pid").write_text(f"{NOBODY_S}\n")
    sweep(lambda line: None)
    assert found.removed == removed and not folder.exists()


# -- Docker and clusters -----------------------------------------------------------------------------------------------


def lease(run_id: str, **changed: object) -> Lease:
    me = identify(os.getpid())
    assert me is not None
    return Lease(run_id=run_id, owner=msgspec.structs.replace(me, **changed))


def test_the_mark_of_a_folder_is_its_own_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = home_mark()
    assert home_mark() == mark and len(mark) == 16
    marks = {mark}
    for name in ("other", "copy"):
        if name == "copy":
            shutil.copytree(home(), tmp_path / name)
        monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / name))
        marks |= {home_mark(), record.mark().split("-")[1]}
    assert len({each[:8] for each in marks}) == 3


def test_the_mark_of_a_folder_is_of_its_filesystem_and_not_of_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers made of one image share number and inode of a folder in it; a remount may change the number."""
    folder, mounts, stat = home(), tmp_path / "mountinfo", Path.stat
    monkeypatch.setattr("harness.stack.state.lease._MOUNTS", mounts)

    def at(device: int, *, fsid: int = 7, upper: str = "/upper/a", root: int = 99) -> str:
        """The mark on that device, in a container whose root is an overlay with the number ``root``."""
        mounts.write_text(
            "22 27 0:21 / /proc rw - proc proc rw\n"
            f"27 1 0:{root} / / rw shared:1 - overlay overlay rw,lowerdir=/lower,upperdir={upper},workdir=/work\n"
            f"28 27 0:{device} / /data rw - btrfs /dev/vdb rw\n"
        )

        def looked(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            found = stat(path, follow_symlinks=follow_symlinks)
            return os.stat_result((*found[:2], device, *found[3:])) if path == folder else found

        with monkeypatch.context() as planted:
            planted.setattr(Path, "stat", looked)
            planted.setattr(os, "statvfs", lambda _: SimpleNamespace(f_fsid=fsid))
            return home_mark()

    assert at(50, root=50) != at(50, root=50, upper="/upper/b")  # one number and fsid: a container and the next
    assert at(50, root=50) == at(61, root=61)  # begun again
    assert at(50) == at(61) == at(50, upper="/upper/b")  # remounted; shared by two containers as a volume
    assert at(50) != at(50, fsid=8)
    assert at(50, fsid=0) == at(50, fsid=0) != at(61, fsid=0)


def test_whose_a_container_is(monkeypatch: pytest.MonkeyPatch) -> None:
    state = RunState.begin("here")
    theirs = {labels.MACHINE: "another", labels.HOME: "another"}
    shared = {labels.MACHINE: "another"}  # of another container that shares the folder
    ours = labels.marks(state.lease)
    gone = {labels.OWNER: f"{os.getpid()}/{this_boot()}:1"}  # the number is another process' now
    assert labels.owned(ours) is labels.Owner.LIVE
    assert labels.owned({**ours, **shared}) is labels.Owner.LIVE
    assert labels.owned({**ours, **shared, **gone}) is labels.Owner.LIVE  # by its lock
    assert labels.owned({**ours, **theirs}) is labels.Owner.FOREIGN
    assert labels.owned({**ours, **theirs, **gone}) is labels.Owner.FOREIGN
    assert labels.owned({labels.OWNER: "1/old"}) is labels.Owner.FOREIGN  # of a version without marks
    assert labels.owned({**ours, **shared, labels.RUN: "../../etc"}) is labels.Owner.LIVE  # no run's name
    state.end()
    assert labels.owned({**ours, **gone}) is labels.Owner.DEAD
    assert labels.owned({**ours, **gone, labels.MACHINE: identity(), labels.HOME: "lost"}) is labels.Owner.DEAD
    assert labels.owned({**ours, labels.OWNER: "7/another:1"}) is labels.Owner.FOREIGN  # a machine of the same template
    assert labels.owned({**ours, labels.OWNER: f"{'9' * 5000}/another:1"}) is labels.Owner.FOREIGN
    (home() / "boots").write_text("another\n")
    assert labels.owned({**ours, labels.OWNER: "7/another:1"}) is labels.Owner.DEAD  # before this machine began anew


async def test_a_sweep_of_docker_removes_the_dead_run_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stub_docker.install(tmp_path / "docker").items():
        monkeypatch.setenv(name, value)
    state = RunState.begin("live")
    dead = labels.marks(lease("dead", started=f"{this_boot()}:1"))
    marks = {
        "live.postgres": labels.marks(state.lease),
        "dead.postgres": dead,
        "foreign.postgres": {**dead, labels.MACHINE: "another", labels.HOME: "another"},
        "foreign-node": {"io.x-k8s.kind.cluster": "tekutoko-0123abcd-kept"},
        "lost-node": {"io.x-k8s.kind.cluster": f"{record.mark()}lost"},
    }
    with building.building("an image") as build:
        live = building.interim(build, "node")
        names = [live, f"{record.mark()}image-dead.node", "tekutoko-0123abcd-image-dead.node", "image-dead.node"]
        await swept_beside(names, tmp_path, marks)
    state.end()


async def swept_beside(builds: list[str], tmp_path: Path, marks: dict[str, dict[str, str]]) -> None:
    """A sweep takes the second of ``builds``, as a container and as an image, and the dead run's alone of ``marks``."""
    images = [*(f"{building.INTERIM}:{name}" for name in builds), "tekutoko-rehearsal/api:current"]
    (tmp_path / "docker" / "images").write_text("\n".join(images))
    marks |= {name: {} for name in builds}
    for name, marked in marks.items():
        words = [word for label, value in marked.items() for word in ("--label", f"{label}={value}")]
        await docker("run", "--detach", "--name", name, *words, "image", what="running a container")
    lines, aside = Lines(), Lines()
    await orphans.sweep(lines.tell, aside.tell)
    left = ["foreign-node", "foreign.postgres", "live.postgres", *(name for name in builds if name != builds[1])]
    assert sorted(stub_docker.containers(tmp_path / "docker")) == sorted(left)
    assert stub_docker.images(tmp_path / "docker") == sorted(name for name in images if name != images[1])
    assert {"removed container dead.postgres", f"removed image {images[1]}"} <= set(lines)
    assert [line.partition(": ")[2] for line in aside] == ["foreign.postgres, tekutoko-0123abcd-kept"], "by name, once"
    assert "TEKUTOKO_REHEARSAL_HOME" in aside[0] and not [line for line in lines if "foreign" in line or "kept" in line]


def cluster(name: str, **changed: object) -> record.Cluster:
    me = identify(os.getpid())
    assert me is not None
    made = record.Cluster(
        name=name, maker=me, kept=False, complete=False, own_images=True, images=[], config_digest="", api_port=1,
        ports={}, nodes=[f"{name}-control-plane"],
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def test_a_cluster_is_its_maker_s_while_that_holds_its_lock() -> None:
    elsewhere = ProcessIdentity(1, f"{this_boot()}:1", "pid:[1]")
    made = cluster("made", maker=elsewhere)
    record.write(made)
    assert record.left_behind("made") is False and record.maker_lives(made)
    record._held.pop("made").release()  # as when it is killed
    assert record.left_behind("made") is True and not record.maker_lives(made)
    record.write(msgspec.structs.replace(made, kept=True, complete=True))
    assert record.left_behind("made") is False
    (record.folder("made") / "cluster.json").write_text('{"name": "of another version"}')
    assert record.left_behind("made") is True  # its lock is free
    (record.folder("made") / "maker.lock").unlink()
    assert record.left_behind("made") is None
    record.remove("made")


def test_clusters_of_two_folders_and_of_two_runs_never_have_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those of two runs whose process ids are the same, in two containers."""
    names = {record.name_of(label) for label in ("kept", record.run_label("one"), record.run_label("two"))}
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "volume of another container"))
    names |= {record.name_of(label) for label in ("kept", record.run_label("one"), record.run_label("two"))}
    assert len(names) == 6
    assert max(len(f"{name}-control-plane") for name in names) <= 63


# -- pairs of harnesses ------------------------------------------------------------------------------------------------


def pair(folder: Path, rounds: int, engine: Mapping[str, str], image: Sequence[str]) -> list[str]:
    """Two small harnesses, each in a space of process ids of its own, on one folder of state and one Docker engine, the
    one of the variables ``engine``, where containers are made of ``image``; what was lost. ``folder`` is made.
    """
    folder.mkdir()
    command = [*IN_A_SPACE, sys.executable, "-m", "tests.pair_job", str(folder), str(rounds), *image]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **engine}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=LIMIT_S * rounds)[0] for process in both]
    return [f"{process.returncode}: {text}" for process, text in zip(both, said, strict=True) if process.returncode]


def pair_on_a_stub(folder: Path, rounds: int) -> list[str]:
    """What was lost, and what is left."""
    docker_folder = folder.parent / f"{folder.name}-docker"
    lost = pair(folder, rounds, stub_docker.install(docker_folder), ["image"])
    return lost + [f"container {name} is left" for name in stub_docker.containers(docker_folder)]


HOLDS = """
import asyncio, os, sys
from tests.pair_job import Held
async def main():
    held = Held(int(sys.argv[1]))
    await held.make()
    print(held.state.lease.run_id, flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


@pytest.mark.parametrize("space", [False, pytest.param(True, marks=needs_spaces)], ids=["here", "in a container"])
def test_kill_9_leaves_its_process_container_and_cluster_to_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: bool
) -> None:
    """And what a live run has stays. In a container the kernel ends the processes."""
    for name, value in stub_docker.install(tmp_path / "docker").items():
        monkeypatch.setenv(name, value)
    both, run_ids = [], []
    for number in range(2):
        command = [*(IN_A_SPACE if space else ()), sys.executable, "-c", HOLDS, str(number)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        both.append(process)
        run_ids.append(process.stdout.readline().strip())
    try:
        (dead, alive), (its, others) = both, run_ids
        killed(dead)
        until = time.monotonic() + 10
        while condition(run_folder(its)) is not LeaseCondition.ABANDONED:
            assert time.monotonic() < until
            time.sleep(0.05)
        state_lines = sweep(lambda line: None)
        asyncio.run(orphans.sweep(lambda line: None, lambda line: None))
        assert any(its in str(line) for line in state_lines) and not any(others in str(line) for line in state_lines)
        node = f"{record.name_of(record.run_label(others))}-control-plane"
        assert sorted(stub_docker.containers(tmp_path / "docker")) == sorted([f"{others}.postgres", node])
        assert marked_processes(its) == [] and not run_folder(its).exists()
        assert alive.poll() is None and len(marked_processes(others)) == 1 and (run_folder(others) / "data").exists()
    finally:
        for process in both:
            process.kill()
            process.communicate()
        sweep(lambda line: None)


@pytest.mark.parametrize("space", [False, pytest.param(True, marks=needs_spaces)], ids=["here", "in a container"])
def test_a_copied_folder_takes_nothing_away_from_its_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: bool
) -> None:
    """Neither from a run that began before the folder was copied, nor from one that began later."""
    for name, value in stub_docker.install(tmp_path / "docker").items():
        monkeypatch.setenv(name, value)
    both: list[subprocess.Popen[str]] = []
    try:
        run_ids = []
        for number in range(2):
            command = [*(IN_A_SPACE if space else ()), sys.executable, "-c", HOLDS, str(number)]
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            both.append(process)
            run_ids.append(process.stdout.readline().strip())
            if not number:
                shutil.copytree(home(), tmp_path / "copy")
        with monkeypatch.context() as from_the_copy:
            from_the_copy.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "copy"))
            lines, aside = Lines(), Lines()
            assert sweep(lines.tell) == [] and dead_runs() == [] and record.recorded() == []
            asyncio.run(orphans.sweep(lines.tell, aside.tell))
        clusters = [record.name_of(record.run_label(run_id)) for run_id in run_ids]
        containers = sorted(f"{run_id}.postgres" for run_id in run_ids)
        nodes = sorted(f"{name}-control-plane" for name in clusters)
        assert sorted(stub_docker.containers(tmp_path / "docker")) == sorted([*containers, *nodes])
        assert [line.partition(" of it: ")[2] for line in aside] == [", ".join(sorted([*containers, *clusters]))]
        assert len(lines) == 1 and run_ids[0] in lines[0], "told of the folder that was copied, once"
        for process, run_id in zip(both, run_ids, strict=True):
            assert process.poll() is None and len(marked_processes(run_id)) == 1
            assert (run_folder(run_id) / "data").exists()
    finally:
        for process in both:
            process.kill()
            process.communicate()
        sweep(lambda line: None)


def test_a_run_of_a_folder_is_not_judged_in_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = RunState.begin("original")
    assert condition(state.folder) is LeaseCondition.LIVES
    shutil.copytree(home(), tmp_path / "copy")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "copy"))
    assert condition(run_folder("original")) is LeaseCondition.UNKNOWN
    state._give_up()


@needs_spaces
def test_two_harnesses_in_two_containers_do_each_other_no_harm(tmp_path: Path) -> None:
    assert pair_on_a_stub(tmp_path / "pair", rounds=2) == []


@needs_spaces
@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(20))
def test_twenty_pairs_do_each_other_no_harm(tmp_path: Path, number: int) -> None:
    assert pair_on_a_stub(tmp_path / f"pair-{number}", rounds=3) == []
