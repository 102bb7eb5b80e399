"""The Remote Config emulator as a real process: ours, over its wire, and firebase-tools' own client against it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import BadInput, PartDied
from harness.model.flag import FLAG, FlagClient, FlagCondition, Parameter, Template, evaluate
from harness.model.stack import Address
from harness.stack.firebase import admin, commands, rest
from harness.stack.firebase.template import decode, to_template
from harness.stack.state import npm
from tests.firebase.processes import running
from tests.ports import free_address

pytestmark = pytest.mark.process

PROJECT = "demo-tekutoko"
PATH = f"/v1/projects/{PROJECT}/remoteConfig"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    address = free_address()
    async with running(commands.remote_config_command(address), address, commands.remote_config_ready, tmp_path):
        yield address


def _week(percent: float, *audiences: str) -> Template:
    return Template(
        conditions=(FlagCondition(name="rollout", audiences=audiences, percent=percent),),
        parameters={FLAG: Parameter(default="false", conditional=(("rollout", "true"),))},
    )


async def _put(address: Address, document: Any, etag: str | None, query: str = "") -> rest.Answer:
    headers = {} if etag is None else {"If-Match": etag}
    return await rest.request(address, "PUT", PATH + query, body=json.dumps(document).encode(), headers=headers)


async def _current(address: Address, project: str = PROJECT) -> tuple[Template, int]:
    """The active template and its version, 0 when none was published."""
    answer = await rest.request(address, "GET", f"/v1/projects/{project}/remoteConfig")
    assert answer.status == 200, answer.body
    document = decode(answer.body)
    return to_template(document), int(document.version.versionNumber) if document.version else 0


def _error(answer: rest.Answer) -> tuple[int, str, str]:
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status
    return answer.status, error["status"], error["message"]


async def test_publish_read_and_roll_back(address: Address) -> None:
    assert await _current(address) == (Template(), 0)
    assert await admin.publish(address, PROJECT, _week(10)) == 1
    assert await admin.publish(address, PROJECT, _week(30, "beta")) == 2
    assert await _current(address) == (_week(30, "beta"), 2)
    assert await admin.rollback(address, PROJECT, 1) == 3
    assert await _current(address) == (_week(10), 3)
    assert await _current(address, "demo-other") == (Template(), 0)


async def test_of_two_who_read_the_same_etag_one_wins(address: Address) -> None:
    etag = (await rest.request(address, "GET", PATH)).headers["etag"]
    answers = await asyncio.gather(
        *(_put(address, {"parameters": {f"p{i}": {"defaultValue": {"value": "x"}}}}, etag) for i in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200, *[400] * 7]
    for answer in answers:
        if answer.status != 200:
            assert _error(answer) == (
                400,
                "FAILED_PRECONDITION",
                f"[VERSION_MISMATCH]: Expected version 0, found 1 for project: {PROJECT}",
            )
    assert (await _current(address))[1] == 1


async def test_eight_publishers_at_once_all_get_in_or_are_told(address: Address) -> None:
    results = await asyncio.gather(
        *(admin.publish(address, PROJECT, _week(i)) for i in range(8)), return_exceptions=True
    )
    versions = [result for result in results if isinstance(result, int)]
    assert versions
    assert sorted(versions) == list(range(1, len(versions) + 1))
    for result in results:
        assert isinstance(result, int) or (isinstance(result, BadInput) and "VERSION_MISMATCH" in str(result))


async def test_if_match(address: Address) -> None:
    assert _error(await _put(address, {}, None))[:2] == (400, "INVALID_ARGUMENT")
    assert _error(await _put(address, {}, "etag-demo-other-0"))[:2] == (400, "INVALID_ARGUMENT")
    assert _error(await _put(address, {}, "nonsense"))[:2] == (400, "INVALID_ARGUMENT")
    assert (await _put(address, {}, "*")).status == 200
    assert _error(await _put(address, {}, f"etag-{PROJECT}-0"))[1] == "FAILED_PRECONDITION"
    assert (await _put(address, {}, f'"etag-{PROJECT}-1"')).headers["etag"] == f"etag-{PROJECT}-2"


async def test_validate_only_writes_nothing(address: Address) -> None:
    wrong = {"conditions": [{"name": "c", "expression": "device.os == 'ios'"}]}
    for query in ("?validateOnly=true", "?validate_only=true"):
        answer = await _put(address, {}, "*", query)
        assert (answer.status, answer.headers["etag"]) == (200, f"etag-{PROJECT}-0")
        assert (await _put(address, wrong, "*", query)).status == 400
    assert _error(await _put(address, {}, "*", "?validateOnly=maybe"))[1] == "INVALID_ARGUMENT"
    assert (await _current(address))[1] == 0


async def test_conditions_are_strict_and_a_refusal_leaves_the_old_template(address: Address) -> None:
    await admin.publish(address, PROJECT, _week(10))
    for expression in ("device.os == 'ios'", "percent <= 10", "percent('a') <= 10 || true", ""):
        document = {"conditions": [{"name": "c", "expression": expression}]}
        status, code, message = _error(await _put(address, document, "*"))
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert "not supported here" in message
    assert _error(await rest.request(address, "PUT", PATH, body=b"{", headers={"If-Match": "*"}))[0] == 400
    assert await _current(address) == (_week(10), 1)


async def test_versions(address: Address) -> None:
    for percent in (1, 2, 3):
        await admin.publish(address, PROJECT, _week(percent))
    await _put(address, {"version": {"description": "by hand", "versionNumber": "99"}}, "*")
    await admin.rollback(address, PROJECT, 2)
    listed = json.loads((await rest.request(address, "GET", f"{PATH}:listVersions")).body)["versions"]
    assert [v["versionNumber"] for v in listed] == ["5", "4", "3", "2", "1"]
    assert [v["updateType"] for v in listed] == ["ROLLBACK", "FORCED_UPDATE", *["INCREMENTAL_UPDATE"] * 3]
    assert (listed[0]["rollbackSource"], listed[1]["description"]) == ("2", "by hand")
    assert all(v["updateTime"].endswith("Z") for v in listed)
    first = json.loads((await rest.request(address, "GET", f"{PATH}:listVersions?pageSize=2")).body)
    second = json.loads(
        (await rest.request(address, "GET", f"{PATH}:listVersions?pageSize=9&pageToken={first['nextPageToken']}")).body
    )
    assert [*first["versions"], *second["versions"]] == listed
    assert "nextPageToken" not in second
    third = await rest.request(address, "GET", f"{PATH}?versionNumber=3")
    assert third.headers["etag"] == f"etag-{PROJECT}-3"
    assert "percent('rollout') <= 3" in third.body.decode()
    assert _error(await rest.request(address, "GET", f"{PATH}?versionNumber=77"))[1] == "NOT_FOUND"
    assert _error(await rest.request(address, "GET", f"{PATH}?versionNumber=x"))[1] == "INVALID_ARGUMENT"
    assert _error(await rest.request(address, "GET", f"{PATH}:listVersions?pageSize=0"))[1] == "INVALID_ARGUMENT"
    for wanted, code in (
        ("77", "NOT_FOUND"),
        ("5", "INVALID_ARGUMENT"),
        ("0", "NOT_FOUND"),
        ("-1", "INVALID_ARGUMENT"),
    ):
        body = json.dumps({"versionNumber": wanted}).encode()
        assert _error(await rest.request(address, "POST", f"{PATH}:rollback", body=body))[1] == code


async def test_only_the_last_300_versions_are_kept(address: Address) -> None:
    for _ in range(301):
        assert (await _put(address, {}, "*")).status == 200
    listed = json.loads((await rest.request(address, "GET", f"{PATH}:listVersions")).body)["versions"]
    assert (len(listed), listed[0]["versionNumber"], listed[-1]["versionNumber"]) == (300, "301", "2")


async def _fetch(address: Address, client: FlagClient, etag: str = "") -> tuple[rest.FetchAnswer, str]:
    headers = {"If-None-Match": etag} if etag else {}
    answer = await rest.request(address, "POST", rest.path(PROJECT), body=rest.body(client), headers=headers)
    assert answer.status == 200, answer.body
    return rest.answer(answer.body), answer.headers.get("etag", "")


async def test_a_client_fetches_and_learns_of_no_change(address: Address) -> None:
    client = FlagClient(instance_id="one", audience="developers")
    assert (await _fetch(address, client))[0] == rest.FetchAnswer(state="NO_TEMPLATE")
    await admin.publish(address, PROJECT, _week(100, "developers"))
    answer, etag = await _fetch(address, client)
    assert answer == rest.FetchAnswer(state="UPDATE", entries={FLAG: "true"}, templateVersion="1")
    assert (await _fetch(address, client, etag))[0] == rest.FetchAnswer(state="NO_CHANGE", templateVersion="1")
    await admin.publish(address, PROJECT, _week(0, "developers"))
    assert (await _fetch(address, client, etag))[0] == rest.FetchAnswer(
        state="UPDATE", entries={FLAG: "false"}, templateVersion="2"
    )
    await _put(address, {}, "*")
    assert (await _fetch(address, client))[0] == rest.FetchAnswer(state="EMPTY_CONFIG", entries={}, templateVersion="3")
    refused = await rest.request(address, "POST", rest.path(PROJECT), body=b'{"colour": "red"}')
    assert _error(refused)[1] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("percent", [0, 10, 30, 50, 100])
async def test_the_share_is_the_percentage_sticky_and_growing(address: Address, percent: int) -> None:
    clients = [FlagClient(instance_id=f"i-{n}", audience="general") for n in range(500)]
    template = _week(percent)
    await admin.publish(address, PROJECT, template)
    on = set()
    for client in clients:
        answer, _etag = await _fetch(address, client)
        assert answer.entries == evaluate(template, client)
        if answer.entries[FLAG] == "true":
            on.add(client.instance_id)
    smaller = {c.instance_id for c in clients if evaluate(_week(percent / 2), c)[FLAG] == "true"}
    assert smaller <= on  # who was in stays in
    # Drawn by hash, so the share of 500 lies within four standard deviations; 0 and 100 exactly.
    assert abs(len(on) / 500 - percent / 100) <= 4 * (percent / 100 * (1 - percent / 100) / 500) ** 0.5


async def test_admin_says_what_is_wrong(address: Address) -> None:
    with pytest.raises(BadInput, match="steps of"):
        await admin.publish(address, PROJECT, _week(200))
    with pytest.raises(BadInput, match="404"):
        await admin.rollback(address, PROJECT, 9)
    with pytest.raises(PartDied, match="does not answer"):
        await admin.publish(free_address(), PROJECT, _week(10))


async def test_sigterm_ends_it_at_once_even_with_an_open_connection(tmp_path: Path) -> None:
    address = free_address()
    async with running(
        commands.remote_config_command(address), address, commands.remote_config_ready, tmp_path
    ) as process:
        _reader, writer = await asyncio.open_connection(address.host, address.port)
        process.terminate()
        assert process.wait(timeout=5) == 0
        writer.close()
    log = (tmp_path / f"{address.port}.log").read_text()
    assert log == f"remote config emulator on {address}\n"


async def test_a_port_taken_is_said_and_ends_it(address: Address) -> None:
    command = commands.remote_config_command(address)
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 3  # uvicorn's own status of a failed start
    assert second.stdout == ""
    assert "address already in use" in second.stderr


CLIENT = """
const path = require("node:path");
const base = path.join(process.argv[2], "firebase-tools", "lib", "remoteconfig");
const { getTemplate } = require(path.join(base, "get"));
const { publishTemplate } = require(path.join(base, "publish"));
const { rollbackTemplate } = require(path.join(base, "rollback"));
const { getVersions } = require(path.join(base, "versionslist"));
(async () => {
  const project = "demo-tekutoko";
  const first = await getTemplate(project);
  first.parameters.use_go_backend.defaultValue.value = "true";
  const published = await publishTemplate(project, { ...first, etag: "etag-demo-tekutoko-1" });
  let refused = "";
  await publishTemplate(project, { ...first, etag: "etag-demo-tekutoko-1" }).catch((error) => (refused = error.original.message));
  const back = await rollbackTemplate(project, 1);
  const listed = await getVersions(project, 10);
  console.log(JSON.stringify({ published, refused, back, listed, old: await getTemplate(project, "1") }));
})();
"""


@pytest.mark.stack
@pytest.mark.slow
async def test_firebase_tools_own_client_works_against_it(address: Address, tmp_path: Path) -> None:
    """``firebase remoteconfig:get``, ``:rollback`` and ``:versions:list`` run these functions."""
    tree = commands.ensure(print)
    await admin.publish(address, PROJECT, _week(30))
    script = tmp_path / "client.js"
    script.write_text(CLIENT)
    environment = os.environ | {"FIREBASE_REMOTE_CONFIG_URL": f"http://{address}", "HOME": str(tmp_path)}
    result = await asyncio.to_thread(
        subprocess.run,
        [npm.node(), script, tree],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["published"]["version"]["versionNumber"] == "2"
    assert "[VERSION_MISMATCH]: Expected version 1, found 2" in told["refused"]
    assert (told["back"]["version"]["rollbackSource"], told["back"]["version"]["versionNumber"]) == ("1", "3")
    assert [v["versionNumber"] for v in told["listed"]["versions"]] == ["3", "2", "1"]
    assert told["old"]["parameters"][FLAG]["defaultValue"]["value"] == "false"
    assert await _current(address) == (_week(30), 3)
