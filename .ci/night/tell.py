"""Tells people of a night: one issue, opened or updated on red, closed on green; Slack where a webhook is set."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

from night import github
from night.github import GitHub

LABEL = "rehearsal-night"
TITLE = "The rehearsal's night is red"
#: What tells our issue from one that a person gave the label.
MARK = "<!-- rehearsal-night -->"
WEBHOOK = "SLACK_WEBHOOK_URL"
_LONGEST = 60_000  # GitHub takes 65,536 characters


def issue(api: GitHub, document: dict[str, Any], told: str) -> str:
    """Opens, updates or closes the issue; says what was done. ``told`` is the night as Markdown. Raises ``Trouble``."""
    open_ = _open(api)
    body = f"{MARK}\n{told[:_LONGEST]}"
    if document["verdict"] == "green":
        for number in open_:
            api.call("POST", f"/issues/{number}/comments", {"body": body})
            api.call("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})
        return f"closed issue {', '.join(map(str, open_))}" if open_ else "no issue is open, none is needed"
    if not open_:
        made = api.call("POST", "/issues", {"title": TITLE, "body": body, "labels": [LABEL]})
        return f"opened issue {made['number']}"
    number = open_[0]
    api.call("PATCH", f"/issues/{number}", {"body": body})
    red = [job["job"] for job in document["jobs"] if job["verdict"] != "green"]
    what = f"red again on {document['ended_utc']}: {', '.join(red) or 'failing seeds'}"
    api.call("POST", f"/issues/{number}/comments", {"body": f"{what}\n\n{document['run_url']}".strip()})
    return f"updated issue {number}"


def _open(api: GitHub) -> list[int]:
    """The numbers of our open issues, the oldest first: more than one only where two nights ran at once."""
    pages = api.pages("/issues", state="open", labels=LABEL, sort="created", direction="asc")
    listed = [entry for page in pages for entry in page]
    return [entry["number"] for entry in listed if "pull_request" not in entry and MARK in (entry.get("body") or "")]


def slack(document: dict[str, Any], done: str, environment: Mapping[str, str] = os.environ) -> str:
    """Posts one message where a webhook is set: on red, and when an issue was closed. Raises ``Trouble``."""
    webhook = environment.get(WEBHOOK, "")
    if not webhook:
        return f"{WEBHOOK} is not set: Slack is not told"
    if document["verdict"] == "green" and not done.startswith("closed"):
        return "green as before: Slack is not told"
    red = [job["job"] for job in document["jobs"] if job["verdict"] != "green"]
    seeds = len(document["failing_seeds"])
    words = "green again" if document["verdict"] == "green" else f"red: {', '.join(red)}; {seeds} failing seeds"
    content = {"text": f"The rehearsal's night is {words}. {document['run_url']}".strip()}
    request = urllib.request.Request(webhook, method="POST")  # noqa: S310 - of the repository's secret
    request.data = json.dumps(content).encode()
    request.add_header("Content-Type", "application/json")
    github.answer(request, "the Slack webhook")  # its address is a secret
    return "Slack is told"
