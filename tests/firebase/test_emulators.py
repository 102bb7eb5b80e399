"""The real Auth and Firestore emulators, started by our commands, used by Google's own clients."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.model.stack import Address
from harness.stack.firebase import commands, rest
from harness.stack.state import npm
from tests.firebase.processes import running
from tests.ports import free_address

PROJECT = "demo-tekutoko"
pytestmark = [pytest.mark.stack, pytest.mark.slow]
API = "/identitytoolkit.googleapis.com/v1"


@pytest.fixture(scope="module")
def tree() -> Path:
    return commands.ensure(print)


def _loopback_only(pid: int) -> bool:
    addresses = {c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN}
    return addresses == {"127.0.0.1"}


VERIFY = """
import json, sys
import firebase_admin
from firebase_admin import auth
firebase_admin.initialize_app(options={"projectId": sys.argv[1]})
claims = auth.verify_id_token(sys.argv[2])
print(json.dumps([claims["uid"], claims["email"], auth.get_user_by_email("a@example.com").uid]))
try:
    auth.verify_id_token(sys.argv[2][:-2] + "x.y")
except auth.InvalidIdTokenError as error:
    print("refused")
"""


async def test_auth_signs_up_and_firebase_admin_verifies(tree: Path, tmp_path: Path) -> None:
    address = free_address()
    async with running(
        commands.auth_command(tree, PROJECT, address), address, commands.auth_ready, tmp_path
    ) as process:
        assert _loopback_only(process.pid)
        body = json.dumps({"email": "a@example.com", "password": "secret-1", "returnSecureToken": True}).encode()
        answer = await rest.request(address, "POST", f"{API}/accounts:signUp?key=k", body=body)
        assert answer.status == 200, answer.body
        account = json.loads(answer.body)
        again = await rest.request(address, "POST", f"{API}/accounts:signUp?key=k", body=body)
        assert (again.status, json.loads(again.body)["error"]["message"]) == (400, "EMAIL_EXISTS")
        verified = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-W", "ignore", "-c", VERIFY, PROJECT, account["idToken"]],
            env=os.environ | {"FIREBASE_AUTH_EMULATOR_HOST": str(address)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stderr
        first, second = verified.stdout.splitlines()
        assert json.loads(first) == [account["localId"], "a@example.com", account["localId"]]
        assert second == "refused"
        process.terminate()
        assert process.wait(timeout=5) == 0


EAGER = """
const path = require("node:path");
const [tree, port] = process.argv.slice(2);
const auth = path.join(tree, "firebase-tools", "lib", "emulator", "auth");
require(path.join(auth, "server")).createApp("demo-tekutoko", require(auth).SingleProjectMode.NO_WARNING)
  .then((app) => app.listen(Number(port), "127.0.0.1"));
"""


@pytest.mark.nightly  # 94 s of compiling, for a package whose version is locked
async def test_compiling_late_changes_no_answer(tree: Path, tmp_path: Path) -> None:
    """Our starter has schemas compiled at their first use; the emulator as it is compiles them at its start."""
    script = tmp_path / "eager.js"
    script.write_text(EAGER)
    ours, theirs = free_address(), free_address()
    eager = [str(npm.node()), str(script), str(tree), str(theirs.port)]
    asked = [
        ("POST", f"{API}/accounts:signUp?key=k", b"{"),
        ("POST", f"{API}/accounts:signUp?key=k", b'{"email": 5}'),
        ("POST", f"{API}/accounts:signUp?key=k", b'{"email": "c@example.com", "emailVerified": "perhaps"}'),
        ("POST", f"{API}/accounts:signUp?key=k", b'{"email": "no address", "password": "secret-1"}'),
        ("POST", f"{API}/accounts:signInWithPassword?key=k", b'{"email": "b@example.com", "password": "wrong-1"}'),
        ("POST", f"{API}/accounts:signInWithPassword", b"{}"),
        ("POST", f"{API}/projects/{PROJECT}/accounts:lookup", b'{"localId": "not a list"}'),
        ("POST", f"{API}/projects/{PROJECT}/accounts:batchCreate", b'{"users": [{"localId": "u", "createdAt": true}]}'),
        ("GET", f"{API}/projects/{PROJECT}/accounts:batchGet?maxResults=many", b""),
        ("PATCH", f"/emulator/v1/projects/{PROJECT}/config", b'{"signIn": {"allowDuplicateEmails": "perhaps"}}'),
        ("GET", "/emulator/openapi.json", b""),
        ("GET", "/no/such/path", b""),
    ]
    async with (
        running(commands.auth_command(tree, PROJECT, ours), ours, commands.auth_ready, tmp_path),
        running(eager, theirs, commands.auth_ready, tmp_path, limit_s=150),
    ):
        statuses = set()
        for method, path, body in asked:
            headers = {"Authorization": "Bearer owner"} if "projects" in path else {}
            mine, real = [
                await rest.request(a, method, path, body=body, headers=headers, timeout_s=20) for a in (ours, theirs)
            ]
            same = mine.body.replace(str(ours).encode(), b"@") == real.body.replace(str(theirs).encode(), b"@")
            assert (mine.status, same) == (real.status, True), (path, mine.body[:500], real.body[:500])
            statuses.add(mine.status)
        assert {200, 400, 404} <= statuses


FIRESTORE = """
import asyncio, sys
from datetime import UTC, datetime
from google.api_core.exceptions import FailedPrecondition
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
async def main():
    client = firestore.AsyncClient(project=sys.argv[1], credentials=AnonymousCredentials())
    walk = client.collection("walks").document("w1")
    await walk.set({"title": "散歩", "at": 1.5, "points": [{"lat": 35.0}], "n": 1})
    await walk.update({"n": firestore.Increment(2)})
    print((await walk.get()).to_dict() == {"title": "散歩", "at": 1.5, "points": [{"lat": 35.0}], "n": 3})
    seen = client.write_option(last_update_time=(await walk.get()).update_time)
    await asyncio.sleep(0.01)
    await walk.update({"n": 4}, option=seen)
    for late in (walk.update({"n": 9}, option=seen), walk.delete(option=seen)):
        try:
            await late
        except FailedPrecondition:
            continue
        print("a write on a condition that does not hold was carried out")
    print((await walk.get()).to_dict()["n"] == 4)
    await walk.delete()
    print((await walk.get()).exists)
    kinds = {
        "nothing": None, "no": False, "zero": 0, "below": -5, "large": 2**52, "nought": 0.0, "text": "", "bytes": b"\\x00\\xff",
        "at": datetime(1969, 12, 31, 23, 59, 59, 5000, tzinfo=UTC), "empty": [], "map": {}, "names": {"a.b": {"ä": [1, [2.5][0]]}},
        "place": firestore.GeoPoint(0.0, -0.5), "other": client.document("walks/w2"),
    }
    for number in (3, 1, 2):
        await client.collection("walks").document(f"k{number}").set(kinds)
    held = (await client.collection("walks").document("k1").get()).to_dict()
    print(held == kinds and all(type(held[name]) is type(kinds[name]) for name in kinds if name != "at"))
    found = [each async for each in client.collection("walks").order_by("__name__").select(["text", "zero"]).stream()]
    print([each.id for each in found] == ["k1", "k2", "k3"] and all(each.to_dict() == {"text": "", "zero": 0} for each in found))
    print(all(each.update_time == each.create_time for each in found))
asyncio.run(main())
"""


async def test_firestore_answers_google_own_client(tree: Path, tmp_path: Path) -> None:
    address = free_address()
    command = commands.firestore_command(tree, PROJECT, address)
    async with running(command, address, commands.firestore_ready, tmp_path) as process:
        assert _loopback_only(process.pid)
        used = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-W", "ignore", "-c", FIRESTORE, PROJECT],
            env=os.environ | {"FIRESTORE_EMULATOR_HOST": str(address)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert used.returncode == 0, used.stderr
        assert used.stdout.split() == ["True", "True", "False", "True", "True", "True"]
        process.terminate()
        assert process.wait(timeout=5) == 0


@pytest.mark.parametrize("command", [commands.auth_command, commands.firestore_command])
async def test_a_port_taken_is_said_and_ends_it(tree: Path, command: Callable[[Path, str, Address], list[str]]) -> None:
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    address = Address(host="127.0.0.1", port=taken.sockets[0].getsockname()[1])
    async with taken:
        result = await asyncio.to_thread(
            subprocess.run, command(tree, PROJECT, address), capture_output=True, text=True, timeout=30
        )
    assert result.returncode == 1
    assert "EADDRINUSE" in result.stderr or "No address added" in result.stderr


async def test_readiness_is_false_where_nothing_or_something_else_listens() -> None:
    address = free_address()
    checks = (commands.auth_ready, commands.firestore_ready, commands.remote_config_ready)
    assert [await check(address) for check in checks] == [False] * 3

    ended = asyncio.Semaphore(0)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.release()

    server = await asyncio.start_server(mute, address.host, address.port)
    async with server, asyncio.timeout(60):
        assert [await check(address, 0.2) for check in checks] == [False] * 3
        for _ in checks:  # each check closed its connection
            await ended.acquire()
