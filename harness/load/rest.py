"""JSON over HTTP to the emulators, with the standard library: under gevent its sockets are greenlet-aware."""

from __future__ import annotations

import http.client

import msgspec

from harness.base.errors import NOT_JSON, MeasurementFailed
from harness.load.runtime import runtime
from harness.model.message import message
from harness.model.stack import Address


class JsonClient:
    """One kept connection to one emulator; used by one greenlet at a time."""

    def __init__(self, name: str, address: Address, timeout_s: float) -> None:
        self._name = name
        self._address = address
        self._connection = runtime().http(address, timeout_s)

    def post(self, path: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """The body of a 200 answer. Raises ``MeasurementFailed`` for anything else.

        A connection that the emulator closed while idle is opened again once.
        """
        fresh = self._connection.sock is None
        try:
            status, answer = self._exchange(path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise self._failed(path, f"{type(error).__name__}: {error}") from error
            return self.post(path, payload, headers)
        if status != 200:
            raise self._failed(path, f"status {status}: {answer[:200].decode(errors='replace')}", status)
        return answer

    def post_json(self, path: str, body: object, headers: dict[str, str] | None = None) -> dict[str, object]:
        """The same with JSON either way; the answer is an object."""
        answer = self.post(path, msgspec.json.encode(body), headers)
        try:
            return msgspec.json.decode(answer, type=dict[str, object])
        except NOT_JSON as error:
            raise self._failed(path, f"not a JSON object: {answer[:200]!r}") from error

    def close(self) -> None:
        """Idempotent; the next call connects again."""
        self._connection.close()

    def _exchange(self, path: str, payload: bytes, headers: dict[str, str] | None) -> tuple[int, bytes]:
        self._connection.request("POST", path, payload, {"Content-Type": "application/json", **(headers or {})})
        with self._connection.getresponse() as response:
            return response.status, response.read()

    def _failed(self, path: str, why: str, status: int = 0) -> MeasurementFailed:
        return MeasurementFailed(
            message("{name} did not answer ({why})", name=self._name, why=why),
            where=f"POST http://{self._address}{path.split('?', maxsplit=1)[0]}",
            remedy=message("see the log of {name}", name=self._name),
            status=status,
        )
