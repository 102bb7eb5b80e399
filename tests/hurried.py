"""What makes a real run quick where a test is not about pace or probes: a scenario with more probes, quick readiness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.base.data import SCENARIOS

#: The local rung's manifests with a readiness probe every second from the first on: ``tests/quick/kustomization.yaml``.
QUICK_PROBES = ("--manifests", str(Path(__file__).parent / "quick"))


def _week(number: int) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((SCENARIOS / f"rollout_week{number}.yaml").read_text())
    return document


def hurried(week: int, folder: Path, *, times: int = 4, rate_too: bool = False) -> str:
    """The week's scenario with ``times`` the probes and canary users: the 598 for "> 99.5 %" take 15 s, not 60.

    Returns its path, written to ``folder``. ``rate_too`` adds week 2's criterion of the request rate, the one whose
    value hangs on the moment of the judgement.
    """
    document = _week(week)
    assert (document["probes"]["rate"], document["probes"]["canary_users"]) == ("10/s", 8)
    document["probes"] |= {"rate": f"{10 * times}/s", "canary_users": 8 * times}
    for each in document["criteria"]:
        if each.get("by") == "value":  # a short window has fewer requests of users than a bound needs
            each["smallest_sample"] = 100
    if rate_too:
        (rate,) = [each for each in _week(2)["criteria"] if each["metric"] == "request_rate"]
        document["criteria"].append(rate)
        document["claims"].append(rate["claim"])
    path = folder / f"week{week}.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    return str(path)
