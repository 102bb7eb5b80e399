"""Messages: what may stand in their places, and what is left of an error's when another error is made of it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncpg
import msgspec
import pytest

from harness.base.errors import BadInput, PartDied, RehearsalError, StackNotStarted
from harness.base.planfile import RuleError
from harness.migration.load import Loader
from harness.model.message import Message, first_line, message, whole
from harness.rehearsals.chaos.night import ScheduleBroke, ended_as
from harness.rehearsals.chaos.types import EndedSchedule, Schedule
from harness.rehearsals.deploy import plan as deploy
from harness.rehearsals.rollout.command import fault
from harness.rehearsals.rollout.sequence import attempt_of
from harness.report.signoff.counting import broken
from harness.stack.kube.stack import examine
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError
from harness.stack.manifests.folder import ManifestPlaces
from harness.stack.process.base_stack import BaseStack
from harness.stack.state import ports
from tests.report.results import result


def test_a_message_holds_nothing_that_cannot_be_read_again() -> None:
    """What a caller's ``Any`` lets through is taken as its words."""
    why = OSError("broken")
    told = message("{n}: {why} {it}", n=cast(Any, 80), why=cast(Any, why), it=message("x"))
    assert told.values == {"n": "80", "why": "broken", "it": message("x")}
    assert _read_again(told) == told and str(told) == "80: broken x"


def test_a_stored_message_without_what_stands_in_a_place_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"nothing stands for total in '\{failed\} of \{total\}'"):
        msgspec.json.decode(b'{"text": "{failed} of {total}", "values": {"failed": "1"}}', type=Message)
    with pytest.raises(ValueError, match="nothing stands for total"):
        message("{failed} of {total}", failed="1")


def _read_again(told: Message) -> Message:
    return msgspec.json.decode(msgspec.json.encode(told), type=Message)


def test_that_no_port_is_left_can_be_stored_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    slot = ports.PortSlot()
    try:
        monkeypatch.setattr(ports, "can_bind", lambda _: False)
        with pytest.raises(StackNotStarted) as raised:
            slot.take()
    finally:
        slot.release()
    assert _read_again(whole(raised.value)) == whole(raised.value)


class NotReady:
    """A connection to a database without its schema."""

    async def fetchval(self, *_: object) -> None:
        """Nothing is there."""
        raise asyncpg.UndefinedTableError("no walks")


async def test_that_a_database_is_not_ready_can_be_stored_and_read() -> None:
    with pytest.raises(BadInput) as raised:
        await Loader(cast(asyncpg.Connection, NotReady())).open()
    assert _read_again(whole(raised.value)) == whole(raised.value)
    assert "no walks" in raised.value.what


WHAT, WHERE, REMEDY = message("{it} ended", it="x"), message("at {it}", it="y"), message("mend {it}", it="z")


async def test_a_death_while_the_stack_comes_up_stays_a_message() -> None:
    death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    death.set_exception(PartDied(WHAT, where=WHERE, remedy=REMEDY))
    with pytest.raises(StackNotStarted) as raised:
        await BaseStack._unless_dead(cast(Any, None), asyncio.sleep(9), death)
    assert raised.value.given[:2] == (WHAT, WHERE)


def test_an_error_about_a_manifest_stays_a_message_when_its_line_is_said() -> None:
    places = ManifestPlaces({"Deployment/api": {("spec",): ("api.yaml", 7)}})
    given = BadInput(WHAT, where="folder: Deployment/api.spec", remedy=REMEDY)
    found = places.located(given, {"Deployment/api": {"spec": {}}})
    assert found.given == (WHAT, "api.yaml:7, Deployment/api.spec", REMEDY)


def test_what_a_plan_s_limits_are_refused_for_stays_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: str) -> None:
        raise BadInput(WHAT, remedy=REMEDY)

    monkeypatch.setattr(deploy, "load_scenario", refused)
    with pytest.raises(RuleError) as raised:
        deploy._limits("nothing")
    assert (raised.value.args[0], raised.value.remedy) == (WHAT, REMEDY)


class Silent:
    """An API server that does not answer."""

    async def get(self, _: str) -> None:
        """Says so by a message."""
        refused = ApiServerError(0, "", "")
        refused.told, refused.given = WHAT, (WHAT, WHERE, REMEDY)
        raise refused


async def test_why_a_cluster_cannot_be_reached_stays_a_message() -> None:
    with pytest.raises(RehearsalError) as raised:
        await examine(cast(ApiServer, Silent()), "default", {})
    told, where, _ = raised.value.given
    assert isinstance(told, Message) and (told.values, where) == ({"what": WHAT}, WHERE)


def test_what_is_wrong_with_a_fault_stays_a_message() -> None:
    with pytest.raises(BadInput) as raised:
        fault("latency:0:5")
    told = raised.value.told
    assert isinstance(told, Message) and isinstance(told.values["error"], Message)


def test_the_first_line_of_all_that_an_error_says_is_a_message_still() -> None:
    died = message("{what}\n{log}", what=WHAT, log="a\nb")
    assert first_line(whole(PartDied(died, where=WHERE, remedy=REMEDY))) == WHAT
    assert [first_line(each) for each in (WHAT, "a\nb", message("{it}: x\ny", it="z"))] == [WHAT, "a", "z: x"]


def test_pages_of_several_runs_say_what_broke_one_as_a_message() -> None:
    told = whole(PartDied(WHAT, where=WHERE, remedy=REMEDY))
    broke = result(None, errors=(str(told),), errors_told=(told,))
    assert attempt_of(broke, week=2, attempt=1, seconds=1.0).errors == (told,)
    assert ended_as(Schedule(seed=1, drawn=(), replay=""), broke, 1.0).broke == (told,)
    assert [each.values["what"] for each in broken(broke)] == [WHAT]
    ended = EndedSchedule(
        seed=1,
        drawn=(),
        folder="",
        replay="",
        seconds=1.0,
        exit_status=31,
        exercised=0,
        calls=0,
        failed=0,
        broke=(told, "left"),
    )
    assert msgspec.json.decode(msgspec.json.encode(ended), type=EndedSchedule) == ended
    assert str(ScheduleBroke([ended])).startswith(f"seed 1: {told}; seed 1: left")
