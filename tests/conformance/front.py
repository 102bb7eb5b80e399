"""What stands in front of an application and changes requests and answers on their way: where most plants are."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

WALKS = "/v1/walks"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Call(msgspec.Struct):
    """A request, whole. ``headers`` are by lower-case name."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON; ``None`` when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def walk_id(self) -> str:
        """The path's id, whatever it is; "" where there is none."""
        return self.path.removeprefix(f"{WALKS}/") if self.path.startswith(f"{WALKS}/") else ""

    @property
    def of_walk(self) -> bool:
        """Whether the path names a walk by a UUID."""
        return _UUID.fullmatch(self.walk_id) is not None

    @property
    def uid(self) -> str:
        """Who the token says is calling; "" without one, and where its claims are no mapping, or too deep."""
        try:
            part = self.headers["authorization"].split(".")[1]
            return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"])
        except (LookupError, TypeError, ValueError, RecursionError):
            return ""

    def asks(self, method: str, path: str = WALKS) -> bool:
        """Whether it is that call."""
        return self.method == method and self.path == path


class Answer(msgspec.Struct):
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON; ``None`` when it is empty."""
        return json.loads(self.body) if self.body else None

    def says(self, body: Any) -> None:
        """Another body."""
        self.body = json.dumps(body).encode()


def refusal(status: int, code: str = "INVALID_REQUEST") -> Answer:
    """An error in the contract's form."""
    answer = Answer(status, {"content-type": "application/json"}, b"")
    answer.says({"error": {"code": code, "message": "planted"}})
    return answer


class Front:
    """``before`` may change a call or answer it; ``after`` may change its answer. In the order they were added."""

    def __init__(self) -> None:
        self.before: list[Callable[[Call], Answer | None]] = []
        self.after: list[Callable[[Call, Answer], None]] = []
        self.broken: list[Exception] = []  # what one of them raised: a defect of a plant

    def around(self, app: Any) -> Any:
        """The application behind it; ``app`` itself when nothing is to change."""
        if not self.before and not self.after:
            return app

        async def fronted(scope: Any, receive: Any, send: Any) -> None:
            try:
                await _sent(await self._answered(app, scope, receive), send)
            except Exception as error:
                self.broken.append(error)
                raise

        return fronted

    async def _answered(self, app: Any, scope: Any, receive: Any) -> Answer:
        call = await _read(scope, receive)
        answer = next((answered for hook in self.before if (answered := hook(call)) is not None), None)
        if answer is None:
            answer = await _asked(app, scope, receive, call)
        for change in self.after:
            change(call, answer)
        return answer


async def _read(scope: Any, receive: Any) -> Call:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(parts),
    )


async def _asked(app: Any, scope: Any, receive: Any, call: Call) -> Answer:
    scope["headers"] = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in call.headers.items()
        if name != "content-length"
    ] + [(b"content-length", b"%d" % len(call.body))]
    scope["path"] = call.path
    scope["query_string"] = call.query.encode("latin-1")
    body: list[Any] = [{"type": "http.request", "body": call.body, "more_body": False}]
    sent: list[Any] = []

    async def receives() -> Any:
        return body.pop() if body else await receive()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receives, send)
    head, *rest = sent
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head["headers"]}
    return Answer(head["status"], headers, b"".join(each.get("body", b"") for each in rest))


async def _sent(answer: Answer, send: Any) -> None:
    headers = answer.headers | {"content-length": str(len(answer.body))}
    if answer.status == 204:
        del headers["content-length"]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})
