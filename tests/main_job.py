"""Runs the main job as a person does, as a process, and looks at the machine afterwards with its own eyes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from harness.base.home import runs_folder
from harness.model.judgement import Judgement, Kind
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.published import RESULT, RESULT_JSON
from harness.stack.state import sweep
from harness.stack.state.lease import read_lease
from tests.lines import Lines

ROOT = Path(__file__).resolve().parent.parent
INTERRUPTED_WITHIN_S = 60.0  # a run that is told to end takes its stack down first
_UNDER_WAY: list[Job] = []


class Job:
    """One ``python -m harness run`` (or ``rollout``) under way; its standard error is read as it comes.

    It never outlives its test: tests/conftest.py ends what a test that failed or ran out of time has left under way.
    """

    def __init__(
        self,
        reports: Path,
        *words: str,
        scenario: str = "rollout_week3",
        command: tuple[str, ...] = (),
        on: EnvironmentKind | None = EnvironmentKind.LOCAL,
    ) -> None:
        """``on`` is ``None`` for a command that knows one rung."""
        self.reports = reports
        self.started = time.monotonic()
        if on is not None and "--resume" not in words:  # it goes on where the rollout began
            words = ("--on", on.value, *words)
        line = [sys.executable, "-m", "harness", *(command or ("run", scenario)), "--reports", str(reports), *words]
        self.temporary = Path(tempfile.mkdtemp(prefix="job-"))  # its own, so that others' files are not taken for its
        self.temporary.chmod(0o1777)  # PostgreSQL runs as another user where we are root
        self.process = subprocess.Popen(
            line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )  # fmt: skip
        _UNDER_WAY.append(self)
        self.lines = Lines()
        self.segments: set[str] = set()  # SysV shared memory seen in its processes' hands
        self.ports: set[int] = set()  # seen in its leases
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            self._see_what_it_owns()

    def _see_what_it_owns(self) -> None:
        if not self.reports.exists() or not any(path.is_dir() for path in self.reports.iterdir()):
            return
        own = self.run_ids
        self.segments |= {segment for segment, creator in _segments().items() if _marker(creator) in own}
        for lease in filter(None, (read_lease(runs_folder() / run_id) for run_id in own)):
            self.ports |= set(lease.ports)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, words: str, limit_s: float = 150) -> None:
        """Returns when a line holds ``words``."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if any(words in line for line in list(self.lines)):
                return
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.05)
        raise AssertionError(f"no line with {words!r}:\n{self.text}")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._close()

    def finish(self, limit_s: float = 420) -> int:
        """Waits for the end; the exit status. ``AssertionError`` with what it told where there is none in time."""
        try:
            status = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.interrupt()
            self.process.wait(INTERRUPTED_WITHIN_S)
            raise AssertionError(f"no end within {limit_s:g} s:\n{self.text}") from None
        self._close()
        return status

    def end(self) -> bool:
        """Ends it, whatever it does, and what it started; whether it was still under way."""
        under_way = self.process.poll() is None
        if under_way:
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(INTERRUPTED_WITHIN_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # the leader of a session of its own
            self.process.wait(10)
        if self.process.returncode < 0:  # killed: by the test, by us
            sweep(self.lines.tell)
        self._close()
        shutil.rmtree(self.temporary, ignore_errors=True)
        return under_way

    def _close(self) -> None:
        self._reader.join(10)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def folder(self) -> Path:
        """The run's report folder: the only one below ``reports``, beside the link ``latest``. The listing itself tells a
        folder from a link: the one that becomes ``latest`` may be gone, or there again, before a second look."""
        with os.scandir(self.reports) as entries:
            (name,) = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return self.reports / name

    @property
    def run_ids(self) -> set[str]:
        """The run, and of a rollout its weeks'."""
        return {self.folder.name, *(path.parent.name for path in self.folder.glob("*/evidence.sqlite"))}

    def result(self) -> Result:
        """The run's document."""
        return RESULT.read(self.folder / RESULT_JSON)


def criteria(result: Result) -> dict[str, Judgement]:
    """The week's criteria and rollback limits by id."""
    return {each.id: each for each in result.judgements if each.kind in (Kind.CRITERION, Kind.ROLLBACK_LIMIT)}


def checks(result: Result) -> dict[str, Judgement]:
    """What was looked at beside them, by id."""
    return {each.id: each for each in result.judgements if each.kind is Kind.CHECK}


def claimed(result: Result, claim: str) -> Judgement:
    """The one judgement on a claim."""
    [found] = [each for each in result.judgements if claim in each.claims]
    return found


def end_all() -> list[str]:
    """Ends every job of the test that has just ended; the words of those that it had left under way."""
    ended, _UNDER_WAY[:] = list(_UNDER_WAY), []
    return [" ".join(map(str, job.process.args)) for job in ended if job.end()]  # type: ignore[arg-type]


def closing_connect(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """A connection that its ``with`` closes; sqlite3's own only ends the transaction."""
    return contextlib.closing(sqlite3.connect(path))


def _marker(pid: int) -> str:
    """The run id in a process' environment; "" when it has none or is gone."""
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.environ().get("TEKUTOKO_RUN_ID", "")
    except psutil.Error:
        return ""


def _runs_of(pid: int) -> set[str]:
    """The runs a process belongs to: its own marker, or, for a harness, those of its children."""
    try:
        children = [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        children = []
    return {run_id for run_id in map(_marker, [pid, *children]) if run_id}


def processes_of_runs() -> dict[int, str]:
    """Every process of this user that carries a run's marker: the run id and the command line, by pid."""
    found = {}
    for process in psutil.process_iter():
        run_id = _marker(process.pid)
        if run_id:
            with contextlib.suppress(psutil.Error):
                found[process.pid] = f"{run_id}: {' '.join(process.cmdline())}"
    return found


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _listening(ports: set[int]) -> dict[str, int | None]:
    """Listening TCP sockets of the machine with the process of each. Files of processes are read before the sockets: one
    that is opened between has no process. Of ``ports`` such a one is looked at again for 2 s, as ``leaks`` does: another
    run's emulators try a port a few times before they open it.
    """

    def look() -> dict[str, int | None]:
        found = psutil.net_connections("tcp")
        return {f"{c.laddr.ip}:{c.laddr.port}": c.pid for c in found if c.laddr and c.status == psutil.CONN_LISTEN}

    found = look()
    for _ in range(10):
        if not any(pid is None and _port(at) in ports for at, pid in found.items()):
            break
        time.sleep(0.2)
        found = {at: pid for at, pid in look().items() if pid is not None or found.get(at, 0) is None}
    return found


def _orphan(pid: int | None) -> bool:
    """Whether nobody who lives started it: what a run leaves behind, and no test beside this one has under way."""
    try:
        return pid is None or psutil.Process(pid).ppid() == 1
    except psutil.Error:
        return False


def _segments() -> dict[str, int]:
    """SysV shared memory segments with the process that made each."""
    table = Path("/proc/sysvipc/shm")
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return {row[1]: int(row[4]) for row in rows}


def _mapped() -> dict[str, set[str]]:
    """POSIX shared memory that living processes have mapped: by name, their markers, "" for one without a marker."""
    markers: dict[str, set[str]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            for name in re.findall(rb"/dev/shm/(\S+)", Path(f"/proc/{process.pid}/maps").read_bytes()):
                markers.setdefault(os.fsdecode(name), set()).add(_marker(process.pid))  # a name may be any bytes
    return markers


def machine_state(*jobs: Job) -> dict[str, set[str]]:
    """What runs could leave, and ``jobs`` did: their processes, listening ports, shared memory, folders.

    Others use the machine too. A process is a job's by its run's marker; a port by its lease, when nobody else's process
    has it now; a folder by the run id or because it lies in the job's own temporary folder. POSIX shared memory has no
    owner written on it: what is there and mapped by nobody, or by a job's process, may be the job's.
    """
    own = {run_id for job in jobs for run_id in job.run_ids}
    ports = {port for job in jobs for port in job.ports}
    made = {segment for job in jobs for segment in job.segments}

    def ours(address: str, pid: int | None) -> bool:
        runs = _runs_of(pid) if pid is not None else set()
        return bool(runs & own) or (_port(address) in ports and not runs and _orphan(pid))

    shared = [path for path in Path("/dev/shm").glob("*") if not path.is_dir()]  # shm_open makes files alone
    mapped = _mapped() if jobs else {}
    return {
        "processes": {f"{pid} {what}" for pid, what in processes_of_runs().items() if what.split(":")[0] in own},
        "listening": {name for name, pid in _listening(ports).items() if ours(name, pid)},
        "sysv shared memory": made & _segments().keys(),
        "posix shared memory": {each.name for each in shared if mapped.get(each.name, set()) <= own and each.exists()},
        "run folders": _names(runs_folder()) & own,
        "temporary": {str(path) for job in jobs if job.temporary.exists() for path in job.temporary.iterdir()},
    }


def left_of(run_id: str) -> set[str]:
    """What is there of a run that no ``Job`` was of: its processes, by their marker, and its folders."""
    processes = {f"{pid} {what}" for pid, what in processes_of_runs().items() if what.startswith(f"{run_id}:")}
    return processes | {name for name in _names(runs_folder()) if name.startswith(run_id)}


def left_since(before: dict[str, set[str]], *jobs: Job) -> dict[str, set[str]]:
    """What is there now of ``jobs`` and was not before; {} when nothing is."""
    now = machine_state(*jobs)
    return {what: now[what] - before[what] for what in now if now[what] - before[what]}
