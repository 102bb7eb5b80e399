"""Whether an image may be deployed: a green verdict of a night about this very digest, no older than asked for.

A night uploads its verdict as an artifact named for the digest. Anybody who may open a pull request can have a workflow
upload anything, so that only artifacts of this repository's own branch count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from night.errors import RED, UNTOLD, Trouble
from night.github import GitHub

FILE = "night.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest(text: str) -> str:
    """The digest in ``sha256:...`` or ``NAME@sha256:...``. Raises ``Trouble`` for a tag: tags move."""
    found = text.rpartition("@")[2]
    if not _DIGEST.fullmatch(found):
        raise Trouble(f"{text!r} names no image by digest", remedy="give NAME@sha256: and 64 hexadecimal digits")
    return found


def artifact_name(image_digest: str) -> str:
    """What the verdict's artifact is called; artifacts' names take no colon."""
    return f"rehearsal-verdict-{image_digest.replace(':', '-')}"


def allowed(api: GitHub, image: str, branch: str, oldest: timedelta, now: datetime) -> str:
    """Says which verdict lets the image be deployed. Raises ``Trouble`` (``RED``) with what is missing.

    The newest verdict of the branch decides, be it red: an older green one does not count.
    """
    wanted = digest(image)
    newest = max(_of_branch(api, artifact_name(wanted), branch), key=lambda each: each["created_at"], default=None)
    if newest is None:
        remedy = "run the night on it: gh workflow run rehearsal.yml, with this image"
        raise Trouble(f"no night of the branch {branch} rehearsed {wanted}", remedy=remedy, status=RED)
    try:
        document = json.loads(api.artifact(newest["id"], FILE))
        rehearsed, verdict = document["image_digest"], document["verdict"]
        age = now - datetime.fromisoformat(document["ended_utc"])
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"the verdict of artifact {newest['id']} does not read: {error!r}", status=UNTOLD) from error
    where = document.get("run_url", "")
    if rehearsed != wanted:
        raise Trouble(f"the verdict is about {rehearsed}, not {wanted}", where=where, status=RED)
    if verdict != "green":
        raise Trouble(f"the newest verdict about {wanted} is {verdict}", where=where, remedy="mend it", status=RED)
    if not timedelta(0) <= age <= oldest:
        hours = f"{age / timedelta(hours=1):.1f} h old, {oldest / timedelta(hours=1):g} h are the most"
        raise Trouble(f"the verdict about {wanted} is {hours}", where=where, remedy="run the night again", status=RED)
    return f"{wanted}: green since {document['ended_utc']} {where}".rstrip()


def _of_branch(api: GitHub, name: str, branch: str) -> Iterator[dict[str, Any]]:
    for page in api.pages("/actions/artifacts", name=name):
        for each in page["artifacts"]:
            run = each.get("workflow_run") or {}
            own = run.get("head_repository_id") == run.get("repository_id") is not None
            if each["name"] == name and not each["expired"] and own and run.get("head_branch") == branch:
                yield each


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
