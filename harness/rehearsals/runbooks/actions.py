"""A PostgreSQL to practise the restore on: it archives its WAL, has a base backup, and its table was dropped.

The commands of a page: what stands in its ``sh`` blocks, with the heading above each. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from shlex import quote
from string import Template

import msgspec

from harness.base.errors import StackNotStarted
from harness.base.free_port import any_free_port
from harness.model.command import Ran
from harness.model.message import message
from harness.stack.local.site import Site

#: How many walks there were at the moment that is restored to.
WALKS = 10
# One more comes after the moment, and must not be there again.
_DAMAGE = f"""
mkdir "$ARCHIVE"
initdb -D "$DATA" -U postgres -A trust
cat >> "$DATA/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = $PRIMARY_PORT
archive_mode = on
archive_command = 'cp %p $ARCHIVE/%f'
END
pg_ctl -D "$DATA" -l "$DATA/log" -w start
createdb -h 127.0.0.1 -p $PRIMARY_PORT -U postgres tekutoko
psql "$PRIMARY" -qc "CREATE TABLE walks (id int PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT clock_timestamp())"
pg_basebackup -d "$PRIMARY" -D "$BACKUP" --checkpoint=fast
psql "$PRIMARY" -qc "INSERT INTO walks SELECT generate_series(1, {WALKS})"
"""
_MOMENT = 'psql "$PRIMARY" -Atc "SELECT clock_timestamp()"'
_AGAIN = 'psql "host=127.0.0.1 port=$PORT user=postgres dbname=tekutoko" -Atc "SELECT count(*) FROM walks WHERE id > 0"'
_STOP = 'for each in "$RESTORED" "$DATA"; do [ ! -e "$each/postmaster.pid" ] || pg_ctl -D "$each" -m fast -w stop; done'
_DROP = 'psql "$PRIMARY" -qc "INSERT INTO walks VALUES (0)" && psql "$PRIMARY" -qc "DROP TABLE walks"'


def variables_in(site: Site) -> dict[str, str]:
    """The page's, and those of the database that it is typed on; all but the moment."""
    port = any_free_port()
    folders = {name: str(site.folder / name.lower()) for name in ("BACKUP", "ARCHIVE", "RESTORED", "DATA")}
    return {
        **folders,
        "PRIMARY_PORT": str(port),
        "PRIMARY": f"host=127.0.0.1 port={port} user=postgres dbname=tekutoko",
        "PORT": str(any_free_port()),
    }


async def damaged(site: Site, variables: Mapping[str, str], limit_s: float) -> str:
    """Makes the database as the page finds it: the moment before the damage. Raises ``StackNotStarted``."""
    said = [await _done(site, script, variables, limit_s) for script in (_DAMAGE, _MOMENT, _DROP)]
    return said[1].strip()


async def walks_again(site: Site, variables: Mapping[str, str], limit_s: float) -> int | None:
    """How many of the moment's walks the restored database has; ``None`` where it does not answer."""
    asked = await run_script(site, _AGAIN, variables, limit_s)
    return int(asked.output) if asked.status == 0 and asked.output.strip().isdecimal() else None


async def stop(site: Site, variables: Mapping[str, str], limit_s: float) -> None:
    """Ends both servers in order: one that is killed leaves its shared memory. Raises ``StackNotStarted``."""
    await _done(site, _STOP, variables, limit_s)


async def run_script(site: Site, script: str, variables: Mapping[str, str], limit_s: float) -> Ran:
    """A block, run by bash as PostgreSQL's account; it ends at the first command that fails."""
    path = f"{site.programs.folder}:{site.programs.environment['PATH']}"
    known = "".join(f"export {name}={quote(value)}\n" for name, value in {**variables, "PATH": path}.items())
    done = await site.tool("/bin/bash", "-euo", "pipefail", "-c", known + script, check=False, limit_s=limit_s)
    return Ran(command=script, status=done.status, output=done.out + done.err)


async def _done(site: Site, script: str, variables: Mapping[str, str], limit_s: float) -> str:
    ran = await run_script(site, script, variables, limit_s)
    if ran.status != 0:
        raise StackNotStarted(
            message("the database to practise on: {output}", output=ran.output[-800:]), where=str(site.folder)
        )
    return ran.output


_FENCE = "```"
PROGRAM = "kubectl"


class TypedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A line to type: the words behind ``kubectl``; or a block that a shell runs whole, as one word. ``chapter`` is the
    page's heading of level 2 above it, ``heading`` the nearest."""

    chapter: str
    heading: str
    words: tuple[str, ...]


def commands(page: str, values: Mapping[str, str] | None = None) -> Iterator[TypedCommand]:
    """In the page's order, each ``$NAME`` replaced by its value.

    Raises ``ValueError`` for a line that is no command of kubectl, or needs a shell, and ``KeyError`` for a name
    without a value.
    """
    for chapter, heading, lines in _blocks(page):
        for line in lines:
            if typed := shlex.split(line, comments=True):
                if typed[0] != PROGRAM or set(typed) & {"|", "&&", ";", ">", "<"}:
                    raise ValueError(f"{line!r} is no single command of {PROGRAM}")
                words = (Template(word).substitute(values or {}) for word in typed[1:])
                yield TypedCommand(chapter=chapter, heading=heading, words=tuple(words))


def scripts(page: str) -> Iterator[TypedCommand]:
    """The blocks of a page that a shell runs, in order; the shell knows the variables."""
    for chapter, heading, lines in _blocks(page):
        yield TypedCommand(chapter=chapter, heading=heading, words=("\n".join(lines),))


def _blocks(page: str) -> Iterator[tuple[str, str, list[str]]]:
    """What stands in each ``sh`` block, below which headings."""
    chapter = heading = ""
    inside: str | None = None
    lines: list[str] = []
    for line in page.splitlines():
        if line.startswith(_FENCE):
            if inside == "sh":
                yield chapter, heading, lines
            inside, lines = (line.removeprefix(_FENCE).strip() if inside is None else None), []
        elif inside is not None:
            lines.append(line)
        elif found := re.match(r"(##+) (.*)", line):
            heading = found[2]
            chapter = heading if found[1] == "##" else chapter
