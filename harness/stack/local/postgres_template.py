"""PostgreSQL's template data folder: made once a machine and version, copied for each run.

It lies below ``home()/template/``.

PostgreSQL, one server a run, reached by TCP on loopback alone.

Durability settings are PostgreSQL's own (fsync on). Shared memory is mapped from the data folder, so that nothing
lies in ``/dev/shm``; one small System V segment, PostgreSQL's lock, goes with the server.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.base.home import home, use
from harness.base.private import open_beneath, write_private
from harness.model.message import message
from harness.model.stack import Address
from harness.stack.local import postgres_programs
from harness.stack.local.postgres_programs import Programs
from harness.stack.process.processes import Process, Spec, SystemAccount, spawn
from harness.stack.process.waiting import logs_in, until
from harness.stack.protocol import STANDBY
from harness.stack.state import RunState

MAX_CONNECTIONS = 100  # PostgreSQL's own default
READY_LIMIT_S = 20.0
FAST_STOP_S = 3.0
BACKUP_LIMIT_S = 60.0
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


async def remove_killed(data: Path, clock: Clock) -> None:
    """Removes the data folder of a killed server, whose children may still write for a moment. ``StackNotStarted``."""
    for _ in range(100):
        if await asyncio.to_thread(_removed, data):
            return
        await clock.sleep(0.05)
    raise StackNotStarted("the data folder of the killed server cannot be removed", where=str(data))


def _removed(data: Path) -> bool:
    shutil.rmtree(data, ignore_errors=True)
    return not data.exists()


class Postgres:
    """One run's server. ``start`` then ``ready``; ``stop`` is a fast shutdown."""

    def __init__(self, state: RunState, logs: Path, clock: Clock, part: str = "postgres") -> None:
        """``programs`` are the npm package's, until others are set before ``start``."""
        self.part = part
        self.programs: Programs = postgres_programs.server()
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self.data = state.folder / part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self.password = ""
        self.process: Process | None = None

    async def start(self) -> Process:
        """Copies the template (made first where missing) and starts the server."""
        template = await ensure(self.programs, self._clock)
        self.password = (template / "password").read_text()
        copy(template, self.data)
        return self._spawn()

    async def follow(self, primary: Postgres) -> Process:
        """Instead of ``start``: a standby of ``primary``, by ``pg_basebackup -R``. Raises ``StackNotStarted``."""
        self.password = primary.password
        owner = account()
        self.data.mkdir(mode=0o700)
        if owner is not None:
            os.chown(self.data, owner.uid, owner.gid, follow_symlinks=False)
        login = f"host={primary.address.host} port={primary.address.port} user={SUPERUSER} application_name={STANDBY}"
        program = self.programs.path("pg_basebackup")
        options = ("-w", "-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-D", str(self.data))
        backup = spawn(
            Spec(
                part=f"{self.part}-basebackup",
                command=[program, "-d", login, *options],
                environment={**self.programs.environment, "PGPASSWORD": self.password},
                log=self._log,
                folder=self.data,
                account=owner,
            ),
            self._state,
        )
        try:
            await backup.ended_within(BACKUP_LIMIT_S)
            if backup.returncode != 0:
                raise backup.not_started(f"the base backup {backup.died()}")
        finally:
            await backup.stop(signal.SIGKILL, 0)
        return self._spawn()

    async def restart(self) -> Process:
        """Fast shutdown, then the same data again; follow with ``ready``."""
        await self.stop()
        return self._spawn()

    def _spawn(self) -> Process:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        program = self.programs.path("postgres")
        spec = Spec(
            part=self.part,
            command=[program, "-D", str(self.data), "-p", str(self.address.port), *settings],
            environment=self.programs.environment,
            log=self._log,
            folder=self.data,
            account=account(),
        )
        self.process = process = spawn(spec, self._state)
        return process

    async def ready(self) -> None:
        """Returns when the application's role can log in. Raises ``StackNotStarted``."""
        assert self.process is not None
        await until(self._logs_in, self.process, self._clock, limit_s=READY_LIMIT_S, what="accepted a login")

    async def stop(self) -> None:
        """Fast shutdown, then immediate, then SIGKILL; each bounded."""
        if self.process is not None:
            self.process.send(signal.SIGINT)
            await self.process.ended_within(FAST_STOP_S)
            await self.process.stop(signal.SIGQUIT, 1.0)

    async def _logs_in(self) -> bool:
        return await logs_in(self.address, USER, DATABASE, self.password)


USER = DATABASE = "tekutoko"
LAYOUT = 1  # rises when the template is made differently
MAKE_LIMIT_S = 60.0
# The application's role is no superuser, as on Cloud SQL; it owns its database.
ROLES = "CREATE ROLE {user} LOGIN PASSWORD '{password}';\nCREATE DATABASE {database} OWNER {user};\n"


def account() -> SystemAccount | None:
    """Whom PostgreSQL runs as: ourselves, or ``nobody`` where we are root, which PostgreSQL refuses.

    Raises ``StackNotStarted`` where there is no nobody.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        remedy = "add it to /etc/passwd, or run as another user"
        what = "PostgreSQL refuses to run as root, and there is no user nobody to run it as"
        raise StackNotStarted(what, where="/etc/passwd", remedy=remedy) from None
    return SystemAccount(entry.pw_uid, entry.pw_gid)


def check_account() -> None:
    """Raises ``StackNotStarted`` when this user has no entry in passwd, as a random one that a container was begun
    with: PostgreSQL's ``initdb`` asks for its name."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StackNotStarted(
            message(
                "PostgreSQL's template cannot be made by user {uid}, who has no entry in passwd", uid=str(os.geteuid())
            ),
            where="/etc/passwd",
            remedy=message(
                "add one (echo 'rehearsal:x:{uid}:{gid}::/tmp:/bin/sh' >>/etc/passwd), or run as a user who has",
                uid=str(os.geteuid()),
                gid=str(os.getegid()),
            ),
        ) from None


async def ensure(programs: Programs, clock: Clock) -> Path:
    """The template of ``programs``: ``data`` and ``password`` (the roles'). A second run waits for the first.

    Raises ``StackNotStarted``. Making it holds up the event loop for about 2 s, once a machine.
    """
    build = hashlib.sha256(str(programs.folder.resolve()).encode()).hexdigest()[:8]
    template = use(home() / "template" / f"postgresql-{programs.version}-{build}-{LAYOUT}")
    if template.exists():
        return template
    template.parent.mkdir(parents=True, exist_ok=True)
    again = polling(clock, limit_s=MAKE_LIMIT_S, every_s=0.1)
    while not _made_alone(programs, template):
        if not await again():
            raise StackNotStarted(
                "another run is still making PostgreSQL's template",
                where=message("{template}.lock", template=str(template)),
            )
    return template


def copy(template: Path, data: Path) -> None:
    """Copies the template's data folder, owners and modes as PostgreSQL wants them; about 0.2 s."""
    owner = account()

    def copy_file(source: str, target: str) -> None:
        # Not copy2: times and attributes of 1,300 files cost four times as much as their content.
        # The template is the account's too: a link that it put there is not read as root.
        with os.fdopen(open_beneath(template, Path(source), os.O_RDONLY), "rb") as file, Path(target).open("wb") as new:
            shutil.copyfileobj(file, new)
        Path(target).chmod(0o600)
        if owner is not None:
            os.chown(target, owner.uid, owner.gid, follow_symlinks=False)

    shutil.copytree(template / "data", data, symlinks=True, copy_function=copy_file)
    if owner is not None:
        # The deepest first: in a folder that is the account's already, nothing of ours is changed any more.
        for folder, _folders, _files in os.walk(data, topdown=False):
            os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)


def _made_alone(programs: Programs, template: Path) -> bool:
    """Makes the template under its lock; false while another run holds that."""
    with Path(f"{template}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if not template.exists():
            _make(programs, template)
        return True


def _make(programs: Programs, template: Path) -> None:
    check_account()
    folder = Path(f"{template}.new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    password = secrets.token_urlsafe(18)  # a secret of this machine, no die of a run's seed
    kept, handed = folder / "password", folder / "initdb-password"
    for file in (kept, handed):
        write_private(file, password.encode())
    data = folder / "data"
    data.mkdir(mode=0o700)
    if (owner := account()) is not None:
        for path in (data, handed):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    options = ["--no-sync", "--username=postgres", f"--pwfile={handed}", "--auth=scram-sha-256", "--encoding=UTF8"]
    _run(programs, "initdb", (*options, "--no-locale", "-D", str(data)), folder, "")
    handed.unlink()
    roles = ROLES.format(user=USER, password=password, database=DATABASE)
    _run(programs, "postgres", ("--single", "-D", str(data), "postgres"), folder, roles)
    folder.rename(template)


def _run(programs: Programs, name: str, arguments: Sequence[str], folder: Path, stdin: str) -> None:
    owner = account()
    command = [programs.path(name), *arguments]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=MAKE_LIMIT_S,
            check=False,
            cwd=folder,
            env=programs.environment,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_made(command[0], str(error)) from error
    # A single-user server ends in 0 even when a statement failed.
    if done.returncode != 0 or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
        raise _not_made(command[0], done.stderr.strip()[-1500:])


def _not_made(program: str, why: str) -> StackNotStarted:
    remedy = message(
        "check the space below {home}, and that the user nobody can reach the program where we run as root",
        home=str(home()),
    )
    return StackNotStarted(
        message("PostgreSQL's template could not be made: {why}", why=why), where=program, remedy=remedy
    )
