"""The local receivers take what the real ones take, and refuse what they refuse."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.rehearsals.alert_drill.receivers import (
    MAILING_LIST,
    PAGERDUTY_PATH,
    ROUTING_KEY,
    SLACK_PATH,
    Receivers,
    _session,
)
from harness.rehearsals.alert_drill.types import Delivery

TITLE = "[FIRING] ErrorRateAbove3Percent objective= job=users severity=critical"


@pytest.fixture
def got() -> list[Delivery]:
    """What was kept."""
    return []


@pytest.fixture
def receivers(got: list[Delivery]) -> Receivers:
    """All three."""
    return Receivers(MachineClock(), got.append)


@pytest.mark.parametrize(("channel", "flaw"), [("#tekutoko-alerts", ""), ("#general", "channel #general")])
def test_slack(receivers: Receivers, got: list[Delivery], channel: str, flaw: str) -> None:
    """The channel is the document's."""
    body = msgspec.json.encode({"channel": channel, "attachments": [{"title": TITLE}]})
    assert receivers.page("POST", SLACK_PATH, body)[0] == 200
    assert [(each.route, each.alert, each.job, each.resolved, each.flaw) for each in got] == [
        ("slack", "ErrorRateAbove3Percent", "users", False, flaw)
    ]


def test_slack_refuses_what_is_no_message(receivers: Receivers, got: list[Delivery]) -> None:
    """400, as the webhook does."""
    assert receivers.page("POST", SLACK_PATH, b"{}")[0] == 400
    assert got[0].flaw == "invalid_payload"


@pytest.mark.parametrize(
    ("changed", "status"),
    [({}, 202), ({"routing_key": "other"}, 400), ({"event_action": "shout"}, 400),
     ({"payload": {"summary": TITLE, "source": "a", "severity": "bad"}}, 400)],
)  # fmt: skip
def test_pagerduty(receivers: Receivers, got: list[Delivery], changed: dict[str, object], status: int) -> None:
    """Events API v2: 202 and the deduplication key, or 400."""
    event = {
        "routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "k",
        "payload": {"summary": TITLE, "source": "a", "severity": "critical"},
    } | changed  # fmt: skip
    answer = receivers.page("POST", PAGERDUTY_PATH, msgspec.json.encode(event))
    assert answer[0] == status
    assert bool(got[0].flaw) is (status == 400)


def test_nothing_else_is_served(receivers: Receivers) -> None:
    """404."""
    assert receivers.page("POST", "/other", b"")[0] == 404


async def test_mail(receivers: Receivers, got: list[Delivery]) -> None:
    """A session as Alertmanager's client has it, with a line that begins with a dot."""
    reader, said = asyncio.StreamReader(), list[str]()
    lines = [
        "EHLO drill", "MAIL FROM:<a@b>", f"RCPT TO:<{MAILING_LIST}>", "DATA", f"Subject: {TITLE}", "", "..dot", ".", "QUIT",
    ]  # fmt: skip
    reader.feed_data("".join(f"{line}\r\n" for line in lines).encode())
    reader.feed_eof()

    async def answer(line: str) -> None:
        said.append(line[:3])

    await _session(reader, answer, receivers.mail)
    assert said == ["220", "250", "250", "250", "354", "250", "221"]
    assert [(each.route, each.alert, each.flaw) for each in got] == [("email", "ErrorRateAbove3Percent", "")]
