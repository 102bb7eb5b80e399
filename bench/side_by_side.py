"""The bundled API against its twin: one worker each, the same PostgreSQL, the same requests, A B A B."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import msgspec
import psutil

from bench import client, clock, requests
from bench.database import Database, running
from bench.equality import asked, differences
from bench.processes import busy_s, cpu_s, serving, told
from bench.result import Figure, Result, of_runs

LIMIT = 0.6
PER_MINUTE = 100
_TICK_S = 0.01  # the least that the kernel tells of a process's CPU
_STAYS_BELOW = 90  # of PER_MINUTE
CONNECTIONS = 16
HOW = (
    "bundled API against the hand-written twin; one worker each, {connections} closed-loop connections of another "
    "process, {users} users (each below 100 requests a minute, the limit as it is), PostgreSQL with synchronous_commit "
    "off, A B A B x {rounds}, {seconds:g} s an arm"
)


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    users: int
    rounds: int
    seconds: float


FULL = Size(users=1000, rounds=4, seconds=2.0)
QUICK = Size(users=60, rounds=1, seconds=0.5)


class _Side(msgspec.Struct, kw_only=True):
    name: str
    port: int
    process: psutil.Process
    asked: int = 0
    per_s: dict[str, list[float]] = {}
    cpu_us: dict[str, list[float]] = {}


class _Meanwhile(msgspec.Struct, frozen=True, kw_only=True):
    """In one arm: cores taken, and the share of the whole machine that nobody took."""

    kind: str
    postgres: float
    clients: float
    idle: float


async def bench(folder: Path, size: Size) -> Result:
    """Checks that both answer alike, then measures. Raises ``RuntimeError`` when they do not."""
    uids = requests.users(size.users)
    spare = [f"spare-{number}" for number in range(4)]
    async with running(folder, [*uids, *spare]) as database:
        ports = [database.state.take_port() for _ in range(2)]
        async with (
            serving("api", ports[0], folder / "api.log", _environment(database, "api", ports[0])) as api,
            serving("bench.twin", ports[1], folder / "twin.log", _environment(database, "twin", ports[1])) as twin,
        ):
            sides = [_Side(name="api", port=ports[0], process=api), _Side(name="twin", port=ports[1], process=twin)]
            found = await differences(ports[0], ports[1], requests.cases(spare))
            found += await _limits_differ(ports, spare[3])
            if found:
                raise RuntimeError("the twin does not answer as the API does:\n" + "\n".join(found))
            others = await _measure(sides, database, uids, size)
            return _result(sides, size, others, len(requests.cases(spare)) + 1)


def _environment(database: Database, part: str, port: int) -> dict[str, str]:
    marked = database.state.environment(part)  # so that the next run ends what a killed bench left
    return (
        database.environment
        | marked
        | {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "ENVIRONMENT": "rehearsal",
            "FIREBASE_PROJECT_ID": requests.PROJECT,
            "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:1",  # unsigned tokens are accepted; nobody is asked
            "MIRROR_SHARE_PERCENT": "0",
            "POD_NAME": "bench",
            "RATE_LIMIT_PER_MINUTE": str(PER_MINUTE),
        }
    )


async def _limits_differ(ports: list[int], uid: str) -> list[str]:
    """Both must refuse the same request of a user who asks too often."""
    request = requests.http("GET", "/v1/walks", requests.token(uid))
    ends = []
    for port in ports:
        answers = [await asked(port, request) for _ in range(PER_MINUTE + 1)]
        first = next((n for n, answer in enumerate(answers) if answer.status == 429), None)
        # Retry-After depends on how long the requests took.
        headers = [header for header in answers[-1].headers if header[0] != b"retry-after"]
        after = [1 <= int(value) <= 60 for name, value in answers[-1].headers if name == b"retry-after"]
        ends.append((first, headers, answers[-1].body, after))
    return [] if ends[0] == ends[1] and ends[0][0] == PER_MINUTE else [f"the limit: {ends[0]} is not {ends[1]}"]


async def _measure(sides: list[_Side], database: Database, uids: list[str], size: Size) -> list[_Meanwhile]:
    """Fills ``sides``; what else took CPU in each arm."""
    kinds = {"list": requests.lists(uids), "PUT": requests.puts(uids)}
    for texts in reversed(kinds.values()):
        for side in sides:  # every token verified, every walk made, every statement prepared
            await _arm(side, texts, seconds=20.0, most=len(uids))
    others: list[_Meanwhile] = []
    for kind, texts in kinds.items():
        for _ in range(size.rounds):
            for side in sides:
                most = min(10**6, _STAYS_BELOW * len(uids) - side.asked)
                backends, cpu, busy = cpu_s(*database.processes()), cpu_s(side.process), busy_s()
                began_ns = clock.now_ns()
                seen = await _arm(side, texts, seconds=size.seconds, most=most)
                used = max(cpu_s(side.process) - cpu, _TICK_S)
                side.per_s.setdefault(kind, []).append(seen.answered / seen.seconds)
                side.cpu_us.setdefault(kind, []).append(used / seen.answered * 1e6)
                others.append(
                    _Meanwhile(
                        kind=kind,
                        postgres=(cpu_s(*database.processes()) - backends) / seen.seconds,
                        clients=seen.cpu_s / seen.seconds,
                        idle=1 - (busy_s() - busy) / (clock.now_ns() - began_ns) * 1e9 / (psutil.cpu_count() or 1),
                    )
                )
    return others


async def _arm(side: _Side, texts: list[str], *, seconds: float, most: int) -> client.Seen:
    if most < len(texts):
        raise RuntimeError("the users would come near their limit of requests a minute: take more users")
    plan = client.Plan(
        port=side.port, requests=texts, connections=CONNECTIONS, seconds=seconds, most=most, start_at=side.asked
    )
    seen = msgspec.json.decode(await told("bench.client", plan, seconds + 30), type=client.Seen)
    side.asked += seen.answered
    if seen.not_200 or not seen.answered:
        raise RuntimeError(f"{side.name}: {seen.not_200} answers were no 200, {seen.answered} were")
    return seen


def _result(sides: list[_Side], size: Size, others: list[_Meanwhile], cases: int) -> Result:
    figures = [Figure(name="answers compared to the byte, all equal", value=cases, unit="cases")]
    for kind in ("list", "PUT"):
        ratios = [a / b for a, b in zip(sides[0].per_s[kind], sides[1].per_s[kind], strict=True)]
        figures.append(
            Figure(
                name=f"{kind}: requests/s, API / twin", value=median(ratios), unit="", limit=LIMIT, at_least=True,
                runs=tuple(ratios),
            )
        )  # fmt: skip
        cpu = median(sides[1].cpu_us[kind]) / median(sides[0].cpu_us[kind])
        figures.append(Figure(name=f"{kind}: CPU a request, twin / API", value=cpu, unit=""))
        figures += [of_runs(f"{kind}: {side.name}", "requests/s", side.per_s[kind]) for side in sides]
        figures += [of_runs(f"{kind}: {side.name}", "us of its CPU a request", side.cpu_us[kind]) for side in sides]
        arms = [each for each in others if each.kind == kind]
        figures.append(of_runs(f"{kind}: PostgreSQL meanwhile", "cores", [arm.postgres for arm in arms]))
        figures.append(of_runs(f"{kind}: the clients meanwhile", "cores", [arm.clients for arm in arms]))
        figures.append(of_runs(f"{kind}: the machine's idle share", "", [arm.idle for arm in arms]))
    how = HOW.format(connections=CONNECTIONS, users=size.users, rounds=size.rounds, seconds=size.seconds)
    return Result(name="api", how=how, figures=tuple(figures))
