"""Whether an image may be deployed: a green verdict of a night about this very digest, no older than asked for.

A night uploads its verdict as an artifact named for the digest. Any workflow of the repository may upload one of that
name and write into it what it likes. So GitHub is asked which run an artifact is of, and of that run for its workflow's
file, its event, its branch, its commit, its conclusion and its time. The job that makes the verdict also signs it, and
nothing else in the run can: ``gh attestation verify`` says whether that job did.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from night.errors import RED, UNTOLD, Trouble
from night.github import GitHub

FILE = "night.json"
WORKFLOW = ".github/workflows/rehearsal.yml"
EVENTS = ("schedule", "workflow_dispatch")
SIGNATURE_LIMIT_S = 120
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ON_BRANCH = ("identical", "behind")  # how GitHub compares a commit with the tip of the branch that has it


@dataclass(frozen=True)
class Producer:
    """Whose verdicts count: those of the workflow in the file ``workflow``, run on ``branch``.

    ``signed``: a verdict counts only with the signature of that workflow.
    """

    branch: str = "main"
    workflow: str = WORKFLOW
    signed: bool = True

    def made(self, api: GitHub, run: dict[str, Any]) -> bool:
        """Whether GitHub says so of ``run``. A tag may have the branch's name: the commit must be one of the branch."""
        own = (run.get("head_repository") or {}).get("id") == (run.get("repository") or {}).get("id") is not None
        path = str(run.get("path")).partition("@")[0]
        if not (own and path == self.workflow and run["event"] in EVENTS and run["head_branch"] == self.branch):
            return False
        tip = api.call("GET", f"/branches/{quote(self.branch, safe='')}")["commit"]["sha"]
        return api.call("GET", f"/compare/{tip}...{run['head_sha']}")["status"] in _ON_BRANCH

    def check_signature(self, api: GitHub, content: bytes, run: dict[str, Any]) -> None:
        """Asks GitHub's own program. Raises ``Trouble`` when the workflow has not signed ``content``."""
        if not self.signed:
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, FILE)
            file.write_bytes(content)
            command = ["gh", "attestation", "verify", str(file), "--repo", api.repository, "--deny-self-hosted-runners"]
            command += ["--signer-workflow", f"{api.repository}/{self.workflow}"]
            command += ["--source-ref", f"refs/heads/{self.branch}", "--source-digest", run["head_sha"]]
            try:
                done = subprocess.run(
                    command, env={**os.environ, "GH_TOKEN": api.token}, capture_output=True, text=True, check=False,
                    timeout=SIGNATURE_LIMIT_S,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                remedy = "gh 2.68 or newer is needed, as GitHub's runners have it"
                raise Trouble(f"the signature was not looked at: {error}", remedy=remedy, status=UNTOLD) from error
        if done.returncode != 0:
            remedy = "the verdict was changed, or its job could not sign: look at the run"
            what = f"the verdict is not signed by {self.workflow} of {self.branch}: {done.stderr.strip()[-500:]}"
            raise Trouble(what, where=run["html_url"], remedy=remedy, status=RED)


def digest(text: str) -> str:
    """The digest in ``sha256:...`` or ``NAME@sha256:...``. Raises ``Trouble`` for a tag: tags move."""
    found = text.rpartition("@")[2]
    if not _DIGEST.fullmatch(found):
        raise Trouble(f"{text!r} names no image by digest", remedy="give NAME@sha256: and 64 hexadecimal digits")
    return found


def artifact_name(image_digest: str) -> str:
    """What the verdict's artifact is called; artifacts' names take no colon."""
    return f"rehearsal-verdict-{image_digest.replace(':', '-')}"


def allowed(api: GitHub, image: str, producer: Producer, oldest: timedelta, now: datetime) -> str:
    """Says which verdict lets the image be deployed. Raises ``Trouble`` (``RED``) with what is missing.

    The newest verdict of the producer decides, be it red: an older green one does not count. Its age counts from the
    beginning of its run, as GitHub says it.
    """
    wanted = digest(image)
    number, run = _newest(api, artifact_name(wanted), producer)
    if run is None:
        remedy = "run the night on it: gh workflow run rehearsal.yml, with this image"
        what = f"no night of {producer.workflow} on the branch {producer.branch} rehearsed {wanted}"
        raise Trouble(what, remedy=remedy, status=RED)
    content = api.artifact(number, FILE)
    where = run["html_url"]
    try:
        document = json.loads(content)
        rehearsed, verdict, told = document["image_digest"], document["verdict"], document["run_url"]
        age = now - datetime.fromisoformat(run["created_at"])
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"the verdict of artifact {number} does not read: {error!r}", status=UNTOLD) from error
    if rehearsed != wanted:
        raise Trouble(f"the verdict is about {rehearsed}, not {wanted}", where=where, status=RED)
    if told != where:
        raise Trouble(f"the verdict is of another run: {told}", where=where, status=RED)
    if verdict != "green":
        raise Trouble(f"the newest verdict about {wanted} is {verdict}", where=where, remedy="mend it", status=RED)
    if run["conclusion"] != "success":
        said = f"the run of the newest verdict about {wanted} is {run['conclusion'] or run['status']}, not success"
        raise Trouble(said, where=where, remedy="wait for its end, or run the night again", status=RED)
    if not timedelta(0) <= age <= oldest:
        hours = f"{age / timedelta(hours=1):.1f} h old, {oldest / timedelta(hours=1):g} h are the most"
        raise Trouble(f"the verdict about {wanted} is {hours}", where=where, remedy="run the night again", status=RED)
    producer.check_signature(api, content, run)
    return f"{wanted}: green, begun {run['created_at']} {where}"


def _newest(api: GitHub, name: str, producer: Producer) -> tuple[int, dict[str, Any] | None]:
    """The newest artifact of this name that the producer made, and its run."""
    pages = api.pages("/actions/artifacts", name=name)
    found = [each for page in pages for each in page["artifacts"] if each["name"] == name and not each["expired"]]
    for each in sorted(found, key=lambda each: each["created_at"], reverse=True):
        of = (each.get("workflow_run") or {}).get("id")
        if of is not None and producer.made(api, run := api.call("GET", f"/actions/runs/{int(of)}")):
            return each["id"], run
    return 0, None


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
