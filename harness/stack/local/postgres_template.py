"""PostgreSQL's template data folder: made once a machine and version, copied for each run.

It lies below ``home()/template/``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.base.home import home, use
from harness.base.private import open_beneath, write_private
from harness.model.message import message
from harness.stack.local.postgres_programs import Programs
from harness.stack.processes import Account

USER = DATABASE = "tekutoko"
LAYOUT = 1  # rises when the template is made differently
MAKE_LIMIT_S = 60.0
# The application's role is no superuser, as on Cloud SQL; it owns its database.
ROLES = "CREATE ROLE {user} LOGIN PASSWORD '{password}';\nCREATE DATABASE {database} OWNER {user};\n"


def account() -> Account | None:
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
    return Account(entry.pw_uid, entry.pw_gid)


def check_account() -> None:
    """Raises ``StackNotStarted`` when this user has no entry in passwd, as a random one that a container was begun
    with: PostgreSQL's ``initdb`` asks for its name."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StackNotStarted(
            message(
                "PostgreSQL's template cannot be made by user {uid}, who has no entry in passwd",
                uid=str(os.geteuid()),
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
