"""Resets emulators that an earlier run has used, and proves them empty: the two are apart, so that each can be tested.

Reset asks each emulator to forget; ``left`` asks it what it still holds, by another call than the one that cleared it.
"""

from __future__ import annotations

import msgspec

from harness.base.errors import PartDied
from harness.model.stack import Address, Endpoints
from harness.stack.firebase import rest, storage

_TIMEOUT_S = 5.0
_OWNER = {"Authorization": "Bearer owner"}  # the Auth emulator's administrator


async def reset(endpoints: Endpoints) -> None:
    """Accounts, documents and templates go. Raises ``PartDied`` when an emulator does not answer, or refuses."""
    accounts = f"/emulator/v1/projects/{endpoints.project_id}/accounts"
    await _rest(endpoints.auth, "DELETE", accounts)
    await _rest(endpoints.remote_config, "DELETE", "/emulator/v1/projects")
    await _firestore(endpoints.firestore, "Clear")
    if endpoints.storage is not None:
        await storage.reset(endpoints.storage)


async def left(endpoints: Endpoints) -> list[str]:
    """One line for each thing an emulator still holds; empty when all are as just started. Raises ``PartDied``."""
    lines = await _left_of_auth(endpoints)
    documents = int(await _firestore(endpoints.firestore, "Count"))
    versions = msgspec.json.decode(await _rest(endpoints.remote_config, "GET", "/emulator/v1/projects"))
    if documents:
        lines.append(f"firestore holds {documents} documents")
    if endpoints.storage is not None:
        lines += await _left_of_storage(endpoints.storage, endpoints.storage_bucket)
    return lines + [f"remote_config holds {count} versions of {name}" for name, count in versions.items()]


async def _left_of_auth(endpoints: Endpoints) -> list[str]:
    """Accounts, and what outlives them in the emulator: e-mailed codes, text-message codes, tenants, settings."""
    project, address = endpoints.project_id, endpoints.auth
    query = f"/identitytoolkit.googleapis.com/v1/projects/{project}/accounts:query"
    accounts = msgspec.json.decode(await _rest(address, "POST", query, b'{"returnUserInfo": false}'))
    held = {"accounts": int(accounts.get("recordsCount", 0))}
    for name in ("oobCodes", "verificationCodes"):
        answer = await _rest(address, "GET", f"/emulator/v1/projects/{project}/{name}")
        held[name] = len(msgspec.json.decode(answer).get(name, []))
    answer = await _rest(address, "GET", f"/identitytoolkit.googleapis.com/v2/projects/{project}/tenants")
    held["tenants"] = len(msgspec.json.decode(answer).get("tenants", []))
    settings = msgspec.json.decode(await _rest(address, "GET", f"/emulator/v1/projects/{project}/config"))
    held["changed sign-in settings"] = int(settings.get("signIn", {}).get("allowDuplicateEmails", False))
    return [f"auth holds {count} {name}" for name, count in held.items() if count]


async def _left_of_storage(address: Address, bucket: str) -> list[str]:
    """Objects of any bucket, and a list of buckets that is not as at the start."""
    answer = msgspec.json.decode(await _rest(address, "GET", "/storage/v1/b?project=any"))
    buckets = sorted(each["name"] for each in answer.get("items", []))
    held = {name: len(await storage.objects(address, name)) for name in buckets}
    lines = [f"storage holds {count} objects in {name}" for name, count in held.items() if count]
    return lines if buckets == [bucket] else [*lines, f"storage holds the buckets {buckets}, not {bucket} alone"]


async def _rest(address: Address, method: str, path: str, body: bytes = b"") -> bytes:
    try:
        answer = await rest.request(address, method, path, body=body, headers=_OWNER, timeout_s=_TIMEOUT_S)
    except OSError as error:
        raise PartDied(f"{method} {path}: {error or type(error).__name__}", where=str(address)) from error
    if answer.status != 200:
        raise PartDied(f"{method} {path} answered {answer.status}: {answer.body[:200]!r}", where=str(address))
    return answer.body


async def _firestore(address: Address, method: str) -> bytes:
    """A call of our own service in the Firestore emulator's process (node/firestore.js)."""
    import grpc.aio  # 0.1 s, which nobody pays who keeps nothing

    try:
        async with grpc.aio.insecure_channel(str(address)) as channel:
            call = channel.unary_unary(f"/rehearsal.Firestore/{method}")
            answer: bytes = await call(b"", timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        raise PartDied(f"Firestore {method}: {error.code()} {error.details()}", where=str(address)) from error
    return answer
