"""Checks that are data: requests, and what is expected of each answer. ``scenarios/checks/contract.yaml`` has them, and
says how they are written."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from harness.base import yamltext
from harness.base.clock import NS, unix_ns
from harness.base.data import CHECKS
from harness.base.planfile import RuleError, at, mapping
from harness.checks.contract.check import (
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_carry,
    must_not_fail,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.people import changed
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, SentenceSource, SourceKind
from harness.checks.contract.shape import FULL_WALK, WALK, is_uuid, location, problems, same_time
from harness.model.message import joined, message
from harness.stack.firebase.documents import Fields, Value

T = TypeVar("T")
#: Stands for a time, in seconds.
NOW = re.compile(r"\{now([+-]\d+)\}")
_PLACE = re.compile(r"\{(walk|WALK|new|NEW|others|uid|word|\w+\.[\w.]+)(\+1)?\}")


class RequestStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent with each of a step's requests, and what is expected: ``body``, or each of ``bodies`` or
    ``raw``, with each of ``words``. ``claims`` are other ones of the user's token, ``token`` stands in its place.

    ``answers`` is the status; without it and ``carries``, a code of an error with its status, a 2xx is needed.
    ``a_walk``: the answer has every field of one. ``holds`` are fields of the answer, ``leaves`` those of the walk that
    is read afterwards, ``document`` those of its document, each with its type.
    """

    asked: str
    body: Any = None
    bodies: tuple[Any, ...] = ()
    raw: tuple[Any, ...] = ()
    words: tuple[Any, ...] = ("",)
    headers: dict[str, str] = {}
    claims: dict[str, Any] = {}
    token: str = ""
    answers: int | str | None = None
    carries: tuple[int, str] | None = None
    a_walk: bool = False
    holds: dict[str, Any] = {}
    leaves: dict[str, Any] = {}
    document: dict[str, Any] = {}


class CheckRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A check. A step is a request, or one with what is expected of it."""

    says: str
    steps: tuple[str | dict[str, Any], ...]
    source: str = ""

    def __post_init__(self) -> None:
        """Raises ``RuleError`` for a step of several requests with expectations of their own."""
        for n, each in enumerate(self.steps):
            if isinstance(each, dict) and len(each) != 1:
                raise RuleError(message("a step is one request, with what is expected of it"), "steps", n)


def table(file: str, of: type[T]) -> Mapping[str, Mapping[str, T]]:
    """The rows of ``scenarios/checks/FILE``, by group and id."""
    where, data, lines = _read(file)
    return {
        group: {id_: at((group, id_), row, where, lines, of) for id_, row in rows.items()}
        for group, rows in data.items()
    }


@functools.cache
def _read(file: str) -> tuple[str, dict[str, Any], yamltext.Lines]:
    """Where ``scenarios/checks/FILE`` is, what it says, and the lines of that."""
    path = CHECKS / file
    return str(path), *mapping(yamltext.read(path), str(path), message("checks stand under their group"))


_FILE = "contract.yaml"
_CONTRACT = table(_FILE, CheckRow)


def checks(group: str, source: SentenceSource, finding: DeviationKind = DeviationKind.BODY) -> Checks:
    """The rows of a group; functions may be added."""
    found = Checks(source, finding)
    for id_, row in _CONTRACT[group].items():
        steps = [_step(each, (group, id_, "steps", n)) for n, each in enumerate(row.steps)]
        run = functools.partial(_run, steps)
        place = SentenceSource(SourceKind.CONTRACT, f"docs/contract/{row.source}") if row.source else None
        found(id_, row.says, place)(run)
    return found


def _step(said: str | dict[str, Any], place: yamltext.Path_) -> RequestStep:
    """A step that stands at ``place`` of the file. Raises ``BadInput`` with its line."""
    if isinstance(said, str):
        return RequestStep(said)
    [(asked, wanted)] = said.items()
    fields = {"asked": asked, **(wanted if isinstance(wanted, dict) else {"answers": wanted})}
    where, _, lines = _read(_FILE)
    return at((*place, asked), fields, where, lines, RequestStep)


async def _run(steps: list[RequestStep], bench: ContractClient) -> None:
    tried = _Tried(bench)
    for step in steps:
        for word in step.words:
            for body in map(_bytes, step.raw) if step.raw else step.bodies or (step.body,):
                for asked in step.asked.split(", "):
                    await tried.ask(step, asked, text(word), body)


class _Tried:
    """One check under way: its people, and the ids that its requests name."""

    def __init__(self, bench: ContractClient) -> None:
        self._bench = bench
        self._people = {"nobody": bench.nobody}
        self._ids: dict[str, str] = {}

    async def ask(self, step: RequestStep, asked: str, word: str, body: object) -> None:
        """One request."""
        *who, method, path = (await self._filled(asked.replace("{word}", word))).split(" ")
        me = await self._who(who[0] if who else "me")
        token = changed(str(me.token), **await self._filled(step.claims)) if step.claims else step.token
        caller = self._bench.with_token(token) if token else me
        headers = {name: value.replace("{word}", word) for name, value in step.headers.items()}
        exchange = await caller.send(method, path, await self._filled(body, word), headers)
        _answered(self._bench, step, exchange)
        if step.a_walk:
            well_formed(self._bench, exchange)
        _held(await self._filled(step.holds), exchange.json(), exchange, DeviationKind.BODY)
        if step.leaves:
            walk = await me.walk(path.rpartition("/")[2])
            _held(await self._filled(step.leaves), walk, exchange, DeviationKind.EFFECT)
        if step.document:
            fields = await self._bench.document(path.rpartition("/")[2], updated_at(exchange))
            if any("." in name for name in step.document):
                locations_of(fields)
            held = {name: _plain(each) for name, each in fields.items()}
            _held(await self._filled(step.document), held, exchange, DeviationKind.EFFECT)

    async def _who(self, name: str) -> ContractCaller:
        if name not in self._people:
            self._people[name] = await self._bench.user()
        return self._people[name]

    async def _filled(self, value: Any, word: str = "") -> Any:
        """With what stands for its places; a location by its number, ``full`` for every field of a walk, and a text by
        its length."""
        if isinstance(value, str):
            if now := NOW.fullmatch(value):
                return unix_ns(self._bench.clock.anchor, self._bench.clock.now_ns()) // NS + int(now[1])
            for place in {match[0]: match for match in _PLACE.finditer(value)}.values():
                value = value.replace(place[0], word if place[1] == "word" else await self._value(place))
            return value
        if isinstance(value, list):
            return [await self._filled(each, word) for each in value]
        if not isinstance(value, dict):
            return value
        if "times" in value:
            times = value["times"]
            return text(value | {"times": self._bench.rule(times) if isinstance(times, str) else times})
        fields = {name: await self._filled(each, word) for name, each in value.items()}
        absent = dict.fromkeys(fields.pop("without", ()), ...)
        full = FULL_WALK if fields.pop("full", False) else {}
        return location(fields.pop("at"), **fields, **absent) if "at" in fields else full | fields

    async def _value(self, place: re.Match[str]) -> str:
        name = place[1].lower()
        if "." in name:
            return str(self._bench.rule(place[1]) + bool(place[2]))
        if name == "uid":
            return (await self._who("me")).uid
        if name not in self._ids:
            who = {"walk": "me", "others": "other"}.get(name)
            self._ids[name] = await (await self._who(who)).new_walk() if who else self._bench.walk_id()
        return self._ids[name].upper() if place[1].isupper() else self._ids[name]


def updated_at(exchange: HttpExchange) -> object:
    """That of the walk as answered."""
    answered = exchange.json()
    return answered.get("updated_at") if isinstance(answered, dict) else None


def locations_of(fields: Fields) -> list[Fields]:
    """Those of a walk's document."""
    held = fields.get("location_data")
    if held is None or held.kind != "array" or not all(each.kind == "map" for each in held.value):
        raise NotExercised(message("it needs location_data, an array of maps; it is {held}", held=str(held)))
    return [each.value for each in held.value]


def _plain(value: Value) -> object:
    """A field of a document as text, with its type; of an array of maps each."""
    if value.kind == "array" and all(each.kind == "map" for each in value.value):
        return [{name: str(each) for name, each in of.value.items()} for of in value.value]
    return str(value)


def text(value: Any) -> str:
    """As it is, in parts, or one that is repeated up to a length, and ``more``."""
    if isinstance(value, list):
        return "".join(map(text, value))
    if isinstance(value, str):
        return value
    begin = value.get("begin", "")
    return str(begin + value["of"] * (value["times"] + value.get("more", 0) - len(begin)))


def _bytes(value: Any) -> bytes:
    return text(value).encode("latin-1")


def _answered(bench: ContractClient, step: RequestStep, exchange: HttpExchange) -> None:
    if step.carries is not None:
        must_carry(exchange, *step.carries)
    elif step.answers is None:
        needs(exchange)
    elif step.answers == "below 500":
        must_not_fail(exchange)
    elif step.answers == "refused":
        if exchange.status >= 500 or 200 <= exchange.status < 300:
            raise Deviates(message("a refusal (4xx)"), exchange.shown, exchange, DeviationKind.STATUS)
    elif step.answers == "2xx":
        must(exchange, exchange.status if 200 <= exchange.status < 300 else 201)
    elif step.answers != "any":
        must(exchange, bench.rule(step.answers) if isinstance(step.answers, str) else step.answers)


def well_formed(bench: ContractClient, exchange: HttpExchange) -> dict[str, Any]:
    """The walk in the body, when it has every field that it must have."""
    body = exchange.json()
    wrong = problems(body, WALK, bench.rule("walk.optional"), bench.rule("walk.nullable"))
    if wrong:
        raise Deviates(message("a Walk of the contract"), joined(wrong), exchange, DeviationKind.BODY)
    assert isinstance(body, dict)
    return body


def _held(wanted: Mapping[str, Any], body: object, exchange: HttpExchange, finding: DeviationKind) -> None:
    """Deviates by the first field that is not as wanted."""
    for name, value in wanted.items():
        held = _field(body, name)
        if isinstance(value, dict):
            _held(value, held, exchange, finding)
        elif not (held == value or same_time(held, value) or (is_uuid(held) and str(held).lower() == value)):
            raise Deviates(f"{name} {value!r}", f"{held!r}", exchange, finding)


def _field(body: object, name: str) -> object:
    """A field of an answer. Of locations: ``locations.N``, the one of that number; ``locations.FIELD``, of each."""
    if not isinstance(body, dict):
        return ...  # no field of it is anything that a row asks for
    field, _, of = name.partition(".")
    held = body.get(field)
    if not of or not isinstance(held, list):
        return held
    if not of.isdecimal():
        return [each.get(of) if isinstance(each, dict) else ... for each in held]
    found = [each for each in held if isinstance(each, dict) and each.get("sequence_number") == int(of)]
    return found[0] if len(found) == 1 else found
