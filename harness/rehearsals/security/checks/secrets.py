"""Secrets that are planted in requests, and looked for where they must not be: logs, answers, the run's own folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from harness.checks.contract.check import WALKS, Checks, ContractClient, Deviates
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, environment, walk_api
from harness.checks.contract.shape import location
from harness.model.message import Message, gettext_noop, message
from harness.rehearsals.security.ground import TOKEN, Canaries, of

CHECKS = Checks(environment("log-lines"), DeviationKind.LEAK)

#: What an answer tells of the inside of a target.
_INSIDE = {
    gettext_noop("a stack trace"): re.compile(
        rb"Traceback \(most recent|goroutine \d+ \[|^\s+at [\w.$]+\(.*:\d+\)|panic: ", re.MULTILINE
    ),
    gettext_noop("a file's path"): re.compile(
        rb"/(?:usr|home|root|app|opt|var|site-packages|go/src)/[\w./-]+\.(?:py|go|js|rb|java)\b"
    ),
    gettext_noop("an error of SQL"): re.compile(
        rb"SQLSTATE|syntax error at or near|\bpq: |\bpgx\b|asyncpg|psycopg|relation \\?\"\w+|violates \w+ constraint"
    ),
    gettext_noop("where the database is"): re.compile(rb"postgres(?:ql)?://|DB_PASSWORD|\bpassword authentication\b"),
    gettext_noop("a token"): TOKEN,
}
_MOST_BYTES = 64 * 1024 * 1024  # of a file
_MOST_SHOWN = 5
_WAIT_S = 1.0  # for lines that are still to be written


def told_by(exchanges: Sequence[HttpExchange], canaries: Canaries) -> None:
    """Notes what answers tell of the target's inside."""
    for exchange in exchanges:
        canaries.answers += bool(exchange.status)
        text = (
            exchange.body + b"\n" + "\n".join(f"{name}: {value}" for name, value in exchange.headers.items()).encode()
        )
        canaries.told += [(what, exchange) for what, form in _INSIDE.items() if form.search(text)]


@CHECKS("secret.answers", "no answer of the run tells of the target's inside", walk_api("errors"))
async def answers(bench: ContractClient) -> None:
    """Stack traces, files, SQL, where the database is; whatever was asked."""
    if told := of(bench).canaries.told:
        what, exchange = told[0]
        # Not the answer itself: its body holds it.
        shown = message("{call}: status {status}", call=_call(exchange), status=str(exchange.status))
        got = message(
            "{what} in {count} answers, for example {answer}",
            what=Message(text=what),
            count=str(len(told)),
            answer=shown,
        )
        raise Deviates(message("none of it"), got, exchange)
    if not of(bench).canaries.answers:
        raise NotExercised(message("the target answered no request"))


async def planted(bench: ContractClient) -> dict[str, str]:
    """The secrets that were sent, each in its place; the first who asks has them sent."""
    if not (found := of(bench).canaries.planted):
        await _plant(bench)
    return found


async def _plant(bench: ContractClient) -> None:
    sent = {
        name: f"canary-{bench.walk_id()}"
        for name in ("token", "query", "cookie", "header", "bad_body", "description", "title")
    }
    me = await bench.user()
    await bench.with_token(sent["token"]).get(WALKS)
    await bench.nobody.get(f"{WALKS}?access_token={sent['query']}&page=x")
    await me.send("GET", f"{WALKS}/x", headers={"Cookie": f"session={sent['cookie']}", "X-Api-Key": sent["header"]})
    await me.post(b'{"title": "' + sent["bad_body"].encode() + b'", "title": ]')
    body = {"title": sent["title"], "description": sent["description"], "locations": [location(0, latitude=12.3456789)]}
    await me.put(bench.walk_id(), body)
    await me.put("not-a-uuid", body)
    of(bench).canaries.planted |= sent
    of(bench).canaries.unanswered = next(
        (_unanswered(each) for each in bench.exchanges if not 200 <= each.status < 500), None
    )
    bench.exchanges.clear()  # what is kept of a finding holds none of them
    await bench.clock.sleep(_WAIT_S)


def _call(exchange: HttpExchange) -> str:
    """What was asked, without a query, which may hold what was sent."""
    return f"{exchange.method} {exchange.path.partition('?')[0]}"


def _unanswered(exchange: HttpExchange) -> Message:
    """What was asked and how it ended: no word of a body, which may hold what was sent."""
    answer = message("status {status}", status=str(exchange.status)) if exchange.status else exchange.shown
    return message("it needs {call} to work: {answer}", call=_call(exchange), answer=answer)


def _logs(bench: ContractClient) -> Iterator[tuple[str, bytes]]:
    """What is read of each pod's log, by its file's name."""
    for path in _logs_there(bench):
        with path.open("rb") as file:
            yield path.name, file.read(_MOST_BYTES)


def _logs_there(bench: ContractClient) -> list[Path]:
    paths = (of(bench).folder / "logs" / f"{pod}.log" for pod in sorted(bench.ground.logs.pods))
    return [path for path in paths if path.is_file()]


def _read_whole(bench: ContractClient) -> None:
    """Raises ``NotExercised`` where logs without a secret show nothing: the target wrote none, wrote more than was
    looked at, or read no secret."""
    there = _logs_there(bench)
    if not any(path.stat().st_size for path in there):
        raise NotExercised(message("the pods wrote no log line"))
    if missing := {f"{pod}.log" for pod in bench.ground.logs.ran} - {path.name for path in there}:
        raise NotExercised(message("there is no {what}", what=", ".join(sorted(missing))))
    _not_too_large((path.name, path) for path in there)
    if (unanswered := of(bench).canaries.unanswered) is not None:
        raise NotExercised(unanswered)


def _in_logs(id_: str, sentence: str, which: Sequence[str], *, advice: bool = False) -> None:
    @CHECKS(id_, sentence, advice=advice)
    async def look(bench: ContractClient) -> None:
        canaries = await planted(bench)
        for file, content in _logs(bench):
            for name in which:
                if canaries[name].encode() in content:
                    raise Deviates(
                        message("no such secret in a log"),
                        message("{file} holds the one sent as {name}", file=file, name=name),
                    )
            if "token" in which and TOKEN.search(content):
                raise Deviates(message("no token in a log"), message("{file} holds one", file=file))
        _read_whole(bench)


_in_logs("secret.log_token", "no log line of a pod holds a token, wherever it was sent", ("token", "query"))
_in_logs(
    "secret.log_header", "no log line of a pod holds a cookie or a key of a header", ("cookie", "header"), advice=True
)
_in_logs(
    "secret.log_personal",
    "no log line of a pod holds what a user wrote",
    ("bad_body", "description", "title"),
    advice=True,
)


@CHECKS("secret.log_password", "no log line of a pod holds the database's password")
async def log_password(bench: ContractClient) -> None:
    """Where the database was away, too: a client's error often names its address whole."""
    password = bench.endpoints.database_password
    if not password:
        raise NotExercised(message("the database of this environment has no password"), allowed=True)
    await planted(bench)
    for file, content in _logs(bench):
        if password.encode() in content:
            raise Deviates(message("no password in a log"), message("{file} holds it", file=file))
    _read_whole(bench)


@CHECKS("secret.folder", "the run's folder and its report hold no token, no password and no secret that was sent")
async def folder(bench: ContractClient) -> None:
    """Logs of every part, evidence, manifests, the requests that show a finding, and what will be reported."""
    ground = of(bench)
    sent = (await planted(bench)).items()
    wanted = [(message("the secret sent as {name}", name=name), each.encode()) for name, each in sent]
    if password := bench.endpoints.database_password:
        wanted.append((message("the database's password"), password.encode()))
    pods = {f"{pod}.log" for pod in bench.ground.logs.pods}  # what pods write has sentences of its own
    contents: list[tuple[str, Callable[[], bytes]]] = [("the report", ground.facts)]
    files = [(str(path.relative_to(ground.folder)), path) for path in _files(ground.folder) if path.name not in pods]
    contents += [(name, path.read_bytes) for name, path in files if not _too_large(path)]
    for name, read in contents:
        content = read()
        for what, text in wanted:
            if text in content:
                raise Deviates(message("none of them"), message("{file} holds {what}", file=name, what=what))
        if TOKEN.search(content):
            raise Deviates(message("no token"), message("{file} holds one", file=name))
    _not_too_large(files)


@CHECKS("secret.images", "the images of the pods hold no key, no password and no token, in no layer")
async def images(bench: ContractClient) -> None:
    """What a later layer took away is in the image all the same; so is what built it."""
    look = of(bench).images
    if look is None:
        raise NotExercised(message("the environment has no images"), allowed=True)
    if wrong := await look():
        raise Deviates(message("none of them"), "; ".join(wrong[:_MOST_SHOWN]))


def _files(root: Path) -> Iterator[Path]:
    """All, in their order."""
    yield from (path for path in sorted(root.rglob("*")) if path.is_file())


def _too_large(path: Path) -> bool:
    return path.stat().st_size > _MOST_BYTES


def _not_too_large(files: Iterable[tuple[str, Path]]) -> None:
    """Raises ``NotExercised`` where one of them was not read whole."""
    if names := [name for name, path in files if _too_large(path)]:
        most = str(_MOST_BYTES // 2**20)
        raise NotExercised(message("more than {mib} MiB, not read whole: {what}", mib=most, what=", ".join(names)))
