"""The runbooks typed: each page's commands in order, until one fails, on what the run has of its own for it."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from string import Template

import msgspec

from harness.base.clock import NS, Clock
from harness.base.data import ROOT
from harness.base.errors import NotCapable, StackNotStarted
from harness.base.free_port import any_free_port
from harness.load.rest import status_of
from harness.model.command import Ran
from harness.model.judgement import Verdict
from harness.model.manifests import Manifests
from harness.model.message import message, raw_text
from harness.model.parts import listed, nth
from harness.model.result import Part
from harness.model.section import Block, Blocks, Section
from harness.model.stack import Address, Capability
from harness.rehearsals.runbooks.facts import PHRASES, facts
from harness.rehearsals.runbooks.types import (
    Balanced,
    RestoredWalks,
    RunbookPage,
    RunbooksDetails,
    RunbooksPlan,
    RunbookTarget,
    Typed,
)
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.local.site import Site
from harness.stack.protocol import ByKubectl, StackNeeds

# A load balancer's place on a cluster that has none: the Service gets a node's address, where kube-proxy listens.
# As the controllers for clusters without a cloud do (k3s' ServiceLB): the type is the document's, the status is
# written, and kube-proxy leads what comes to that address and port on to the pods.

SERVICE = "tekutoko-api"
PORT = 80
_NODE = ("get", "nodes", "-l", "!node-role.kubernetes.io/control-plane", "-o",
         'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')  # fmt: skip
_ADDRESS = ("get", "service", SERVICE, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
_TYPE = json.dumps({"spec": {"type": "LoadBalancer"}})
_ASK_LIMIT_S = 10.0


async def give_address(stack: ByKubectl, limit_s: float) -> None:
    """What a cloud's controller does within minutes. Raises ``StackNotStarted`` where one of its commands fails."""
    node = (await _kubectl_done(stack, *_NODE, limit_s=limit_s)).strip()
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": node}]}}})
    patch = ("patch", "service", SERVICE, "--type=merge", "-p")
    await _kubectl_done(stack, *patch, _TYPE, limit_s=limit_s)
    await _kubectl_done(stack, *patch, status, "--subresource=status", limit_s=limit_s)


async def _kubectl_done(stack: ByKubectl, *words: str, limit_s: float) -> str:
    said = await stack.kubectl(*words, limit_s=limit_s)
    if said.status != 0:
        raise StackNotStarted(
            message(
                "the load balancer's place: {command}: status {status}", command=said.command, status=str(said.status)
            ),
            where=said.output.strip()[-200:],
        )
    return said.output


async def asked(stack: ByKubectl, limit_s: float) -> Balanced | None:
    """``/health`` at the address that the Service has; ``None`` where nobody said which that is."""
    said = await stack.kubectl(*_ADDRESS, limit_s=limit_s)
    if said.status != 0:
        return None
    address = said.output.strip()
    status = await status_of(Address(host=address, port=PORT), "/health", _ASK_LIMIT_S) if address else 0
    return Balanced(address=address, status=status)


# A PostgreSQL to practise the restore on: it archives its WAL, has a base backup, and its table was dropped.
# The commands of a page: what stands in its ``sh`` blocks, with the heading above each. Pure.

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


DOCS = ROOT / "docs"
#: What exercises apply: a copy lies at hand under its own name.
EXERCISES = DOCS / "exercises"
_NODES = ("get", "nodes", "-o", "jsonpath={range .items[*]}{.metadata.name}={.metadata.labels.topology\\.kubernetes\\.io/zone} {end}")  # fmt: skip  # noqa: E501
_PODS = ("get", "pods", "-l", "app=tekutoko-api", "-o", "jsonpath={range .items[*]}{.spec.nodeName} {end}")


class Runbooks(Rehearsal[RunbooksPlan, RunbooksDetails]):
    """The rehearsal."""

    name = "runbooks"
    plan, details = RunbooksPlan, RunbooksDetails
    phrases = PHRASES

    def claims(self, plan: RunbooksPlan) -> Iterator[tuple[str, str]]:
        """Those of each page."""
        yield from ((page.name, claim) for page in plan.parts for claim in page.claims.values())

    def needs(self, plan: RunbooksPlan) -> Mapping[str, Iterable[Capability]]:
        """What each page names."""
        return {page.name: page.needs for page in plan.parts}

    def parts(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Sequence[Part]:
        """The pages."""
        typed = seen.details.typed.items()
        return listed(plan.parts, {page: sum(each.seconds for each in of) for page, of in typed})

    def stack_spec(self, plan: RunbooksPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A cluster that nobody else is on: nodes are drained."""
        _ = plan, options
        return StackNeeds(manifests=manifests, use_kept=False)

    async def run(self, plan: RunbooksPlan, on: RunContext[RunbooksDetails]) -> None:
        """The pages that the environment can have."""
        pages = [page for page in plan.parts if not self.missing_capabilities(plan, on.stack.capabilities, page.name)]
        if any(page.ground is not RunbookTarget.DATABASE for page in pages):
            await on.up()
        for page in pages:
            on.phase(page.name, nth(pages, page))
            await (_run_scripts if page.ground is RunbookTarget.DATABASE else _type)(plan, page, on)
            on.mark(page.name)

    def measured(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Iterable[Fact]:
        """From the details alone."""
        return facts(plan, seen.details)

    def sections(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Iterable[Section]:
        """What each command said."""
        _ = plan
        for name, typed in seen.details.typed.items():
            yield Blocks(
                title=message("What was typed"),
                blocks=tuple(
                    Block(
                        caption=each.ran.command,
                        text=each.ran.output[-2000:],
                        verdict=Verdict.FAIL if each.ran.status else _SHOWN[each.ran.answered],
                    )
                    for each in typed
                ),
                part=name,
            )


async def _type(plan: RunbooksPlan, page: RunbookPage, on: RunContext[RunbooksDetails]) -> None:
    stack = on.stack
    if not isinstance(stack, ByKubectl):
        raise NotCapable("this environment has no kubectl", remedy="use --on kind")
    if page.ground is RunbookTarget.BALANCED:
        await give_address(stack, plan.limit_s)
    zone = await _zone(stack) if Capability.NODES in page.needs else ""
    if zone:
        on.details.zone = zone

        async def uncordon() -> None:
            await stack.kubectl("uncordon", "-l", f"topology.kubernetes.io/zone={zone}", limit_s=plan.limit_s)

        on.add_finalizer(uncordon)
    lines = [*commands((DOCS / page.page).read_text("utf-8"), {"ZONE": zone})]
    on.details.lines[page.name] = len(lines)
    typed = on.details.typed.setdefault(page.name, [])
    for line in lines if zone or Capability.ZONES not in page.needs else ():
        on.say(raw_text(f"kubectl {' '.join(line.words)}"))
        begun_ns = on.clock.now_ns()
        ran = await stack.kubectl(*line.words, limit_s=plan.limit_s, folder=EXERCISES)
        typed.append(_typed(line, ran, begun_ns, on.clock))
        if ran.status != 0:
            return
    if page.ground is RunbookTarget.BALANCED:
        on.details.balanced = await asked(stack, plan.limit_s)


async def _run_scripts(plan: RunbooksPlan, page: RunbookPage, on: RunContext[RunbooksDetails]) -> None:
    site = Site.begin(f"{on.run_id}-{page.name}", on.folder / "logs", on.clock)
    on.register_cleanup(site)
    await site.provide(on.progress)
    variables = variables_in(site)

    async def stop_it() -> None:
        await stop(site, variables, plan.limit_s)

    on.add_finalizer(stop_it)
    variables["MOMENT"] = await damaged(site, variables, plan.limit_s)
    blocks = [*scripts((DOCS / page.page).read_text("utf-8"))]
    on.details.lines[page.name] = len(blocks)
    typed = on.details.typed.setdefault(page.name, [])
    for block in blocks:
        on.say(raw_text(block.heading))
        begun_ns = on.clock.now_ns()
        ran = await run_script(site, block.words[0], variables, plan.limit_s)
        typed.append(_typed(block, ran, begun_ns, on.clock))
        if ran.status != 0:
            return
    walks = await walks_again(site, variables, plan.limit_s)
    on.details.restored = RestoredWalks(walks=walks, of=WALKS)


def _typed(line: TypedCommand, ran: Ran, begun_ns: int, clock: Clock) -> Typed:
    seconds = (clock.now_ns() - begun_ns) / NS
    return Typed(chapter=line.chapter, heading=line.heading, ran=ran, seconds=seconds)


async def _zone(stack: ByKubectl) -> str:
    """The zone with the most of the API's pods, "" where that is not known."""
    zones, pods = await stack.kubectl(*_NODES), await stack.kubectl(*_PODS)
    nodes = dict(each.split("=", 1) for each in zones.output.split()) if zones.status == pods.status == 0 else {}
    return next((zone for zone, _ in Counter(nodes.get(node, "") for node in pods.output.split()).most_common(1)), "")


_SHOWN = {True: Verdict.PASS, False: Verdict.INCONCLUSIVE}
REHEARSAL = Runbooks()
