"""schemathesis, a stranger to this code, against the running API and by its own OpenAPI file: no 5xx, no odd answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from harness.conformance.people import sign_up
from harness.manifests import load
from harness.targets import resolve
from tests.stack.rungs import ROOT, local

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
FEWEST_CASES = 100


def command(base: str, token: str, har: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "api" / "openapi.json")),
        *("--url", base, "--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--mode", "all"),
        *("--max-examples", "15", "--max-time", "40", "--request-timeout", "10", "--seed", "1"),
        *("--suppress-health-check", "all", "--generation-database", "none", "--no-shrink", "--continue-on-failure"),
        *("--generation-with-security-parameters", "false", "--no-color", "--report-har-path", str(har)),
    ]


async def test_no_5xx_and_every_answer_is_in_the_schema(tmp_path: Path) -> None:
    target = resolve(None)
    # The API's own setting: 429 must not hide what a case would have shown.
    target = msgspec.structs.replace(target, environment={**target.environment, "RATE_LIMIT_PER_MINUTE": "1000000"})
    documents = load(
        ROOT / "deploy" / "kubernetes" / "overlays" / "local"
    )  # the small target's quick probes are not for it
    one = msgspec.structs.replace(documents, deployment=msgspec.structs.replace(documents.deployment, replicas=1))
    stack = local(tmp_path, target=target, manifests_=one)
    har = tmp_path / "cases.har"
    try:
        await stack.up()
        ends = stack.endpoints()
        user = await sign_up(ends.auth, ends.project_id, "fuzz")
        line = command(f"http://{ends.service}", user.token, har)
        done = await asyncio.to_thread(
            subprocess.run, line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        await stack.down()
    assert stack.leaks() == []
    entries = json.loads(har.read_text())["log"]["entries"]
    statuses = Counter(entry["response"]["status"] for entry in entries)
    said = f"{dict(statuses)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
    assert len(entries) >= FEWEST_CASES, said
    assert not [status for status in statuses if not 200 <= status < 500 or status == 429], said
    assert statuses[401] <= 0.05 * len(entries), said
    assert statuses[200] + statuses[201] + statuses[204] > 0.05 * len(entries), said
    assert done.returncode == 0, said
