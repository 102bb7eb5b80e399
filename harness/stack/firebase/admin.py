"""The rehearsal's own side of Remote Config: publish and roll back, over REST as a person's tool would."""

from __future__ import annotations

import msgspec

from harness.base.errors import BadInput, PartDied
from harness.model.flag import Template
from harness.model.message import message
from harness.model.stack import Address
from harness.stack.firebase import rest
from harness.stack.firebase.template import JsonTemplate, decode, to_json

_ATTEMPTS = 3


async def publish(address: Address, project_id: str, template: Template, *, timeout_s: float = 5.0) -> int:
    """Makes ``template`` the active one and returns its version.

    Against the ETag just read, as Firebase's guide asks; tried again when somebody else published in between. Raises
    ``BadInput`` when the template is refused, ``PartDied`` when Remote Config does not answer.
    """
    try:
        body = msgspec.json.encode(to_json(template))
    except ValueError as error:
        raise BadInput(str(error), where="the Remote Config template") from error
    for attempt in range(_ATTEMPTS):
        now = await _request(address, "GET", _path(project_id), timeout_s=timeout_s)
        etag = now.headers.get("etag", "")
        answer = await _request(
            address, "PUT", _path(project_id), body=body, headers={"If-Match": etag}, timeout_s=timeout_s
        )
        if answer.status == 200 or b"[VERSION_MISMATCH]" not in answer.body or attempt == _ATTEMPTS - 1:
            break
    return _number(_document(answer, address))


async def rollback(address: Address, project_id: str, version: int, *, timeout_s: float = 5.0) -> int:
    """Publishes an older version again and returns the new version. Raises as ``publish``."""
    body = msgspec.json.encode({"versionNumber": str(version)})
    answer = await _request(address, "POST", f"{_path(project_id)}:rollback", body=body, timeout_s=timeout_s)
    return _number(_document(answer, address))


def _path(project_id: str) -> str:
    return f"/v1/projects/{project_id}/remoteConfig"


def _number(document: JsonTemplate) -> int:
    return int(document.version.versionNumber) if document.version else 0


def _document(answer: rest.Answer, address: Address) -> JsonTemplate:
    where = f"Remote Config on {address}"
    if answer.status >= 500:
        raise PartDied(
            message("Remote Config answered {status}", status=str(answer.status)),
            where=where,
            remedy="read the log of remote_config",
        )
    if answer.status != 200:
        raise BadInput(
            message(
                "Remote Config refused: {status} {body}",
                status=str(answer.status),
                body=str(answer.body[:500].decode(errors="replace")),
            ),
            where=where,
        )
    return decode(answer.body)


async def _request(
    address: Address,
    method: str,
    path: str,
    *,
    timeout_s: float,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> rest.Answer:
    try:
        return await rest.request(address, method, path, body=body, headers=headers, timeout_s=timeout_s)
    except OSError as error:
        raise PartDied(
            message("Remote Config does not answer: {why}", why=str(error or type(error).__name__)),
            where=str(address),
            remedy="read the log of remote_config in the run's folder",
        ) from error
