"""The runbook of the restore, run: every block of the page, in order, on a PostgreSQL 15 whose table was dropped."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.stack.local import postgres_programs, postgres_template

PAGE = ROOT / "docs" / "runbooks" / "restore.md"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
archive_mode = on
archive_command = 'cp %p {archive}/%f'
"""


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


@dataclass(frozen=True)
class Machine:
    """A folder with a primary of its own, and the shell of the account that PostgreSQL runs as."""

    folder: Path
    variables: dict[str, str]

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        account = postgres_template.account()
        who = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
        programs = postgres_programs.whole()
        environment = {**programs.environment, **self.variables, "PGCONNECT_TIMEOUT": "5"}
        environment["PATH"] = f"{programs.folder}:{environment['PATH']}"
        ended: subprocess.CompletedProcess[str] = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=environment, capture_output=True,
            text=True, timeout=120, check=False, **who,
        )  # type: ignore[call-overload]  # fmt: skip
        return ended

    def done(self, script: str) -> str:
        ran = self.shell(script)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return str(ran.stdout)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A primary that archives, with a base backup, ten walks after it, and a moment; then its table is dropped."""
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="runbook-"))  # pytest's folders are for their owner alone
    account = postgres_template.account()
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    places = {name: str(folder / name.lower()) for name in ("BACKUP", "ARCHIVE", "RESTORED", "DATA")}
    login = f"host=127.0.0.1 port={port} user=postgres dbname=tekutoko"
    made = Machine(folder, {**places, "PRIMARY": login, "PORT": str(free_port())})
    conf = SETTINGS.format(port=port, archive=places["ARCHIVE"])
    made.done(f"""
mkdir "$ARCHIVE"
initdb -D "$DATA" -U postgres -A trust >/dev/null
cat >> "$DATA/postgresql.conf" <<'END'{conf}END
pg_ctl -D "$DATA" -l "$DATA/log" -w start >/dev/null
createdb -h 127.0.0.1 -p {port} -U postgres tekutoko
psql "$PRIMARY" -qc "CREATE TABLE walks (id int PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT clock_timestamp())"
pg_basebackup -d "$PRIMARY" -D "$BACKUP" --checkpoint=fast
psql "$PRIMARY" -qc "INSERT INTO walks SELECT generate_series(1, 10)"
""")
    moment = made.done('psql "$PRIMARY" -Atc "SELECT clock_timestamp()"').strip()
    made.done('psql "$PRIMARY" -qc "INSERT INTO walks VALUES (11)" && psql "$PRIMARY" -qc "DROP TABLE walks"')
    try:
        yield Machine(folder, {**made.variables, "MOMENT": moment})
    finally:
        made.shell('for each in "$DATA" "$RESTORED"; do [ ! -d "$each" ] || pg_ctl -D "$each" -m immediate stop; done')
        shutil.rmtree(folder)


@pytest.mark.process
def test_every_block_of_the_page_restores_to_the_moment(machine: Machine) -> None:
    found = blocks(PAGE)
    assert len(found) == 3
    said = machine.done("\n".join(found))
    assert re.search(r"^10\|", said, re.M), said
    # A moment too late is seen by the page's own check: the walk behind it is there.
    rows = machine.done(
        'psql "host=127.0.0.1 port=$PORT user=postgres dbname=tekutoko" -Atc "INSERT INTO walks VALUES (11)"'
    )
    assert "INSERT" in rows and machine.shell(found[-1]).returncode != 0
