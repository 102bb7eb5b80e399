"""How a team's telemetry names what the contract names: a file of its own, or what each form has by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from harness.base import planfile

FORMS = LOG, PROMETHEUS, CLOUD_LOGGING, CLOUD_MONITORING = "log", "prometheus", "cloud_logging", "cloud_monitoring"
#: In what a number is: in nanoseconds.
UNIT_NS = {"s": 1e9, "ms": 1e6}
_Unit = Literal["s", "ms"]


class LineNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a line says what: keys, with dots for what is within. ``only``: what each line of a request has."""

    time: str = "timestamp"
    time_is: Literal["begin", "end"] = "end"
    status: str = "status"
    duration: str = "duration_ms"
    unit: _Unit = "ms"
    path: str = "route"
    user: str = "user_id"
    only: dict[str, str] = {}
    probe_users: Annotated[str, msgspec.Meta(description="a pattern of names", examples=["canary*"])] = ""


class SeriesNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names of metrics and of their labels; ``matchers`` are PromQL's, for every question."""

    requests: str = "http_requests_total"
    durations: str = "http_request_duration_seconds"
    unit: _Unit = "s"
    probes: str = "availability_probes_total"
    path: str = "route"
    status: str = "status"
    outcome: str = "outcome"
    good: str = "good"
    matchers: Annotated[str, msgspec.Meta(examples=["'namespace=\"walk\"'"])] = ""


class Naming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``below``: where the paths of the API begin; ``expected``: statuses from 400 on that are no failure."""

    below: str = "/v1/walks"
    expected: tuple[Annotated[int, msgspec.Meta(ge=400, le=599)], ...] = ()
    log: LineNames | None = None
    metrics: SeriesNames = SeriesNames()

    def good(self, status: int) -> bool:
        """Whether an answer is none that the error ratio counts."""
        return 200 <= status < 400 or status in self.expected


#: By form: the lines of the bundled API with LOG_LEVEL=debug, and a load balancer's entries, of a request's begin.
_LINES = {
    LOG: LineNames(only={"message": "Request"}),
    CLOUD_LOGGING: LineNames(time_is="begin", status="httpRequest.status", duration="httpRequest.latency", unit="s",
                             path="httpRequest.requestUrl", user=""),
}  # fmt: skip


def mapping_of(file: Path | None, form: str) -> Naming:
    """What ``file`` says, and what ``form`` has by itself where it says nothing. Raises ``BadInput``."""
    found = Naming() if file is None else planfile.load(file, Naming)
    return found if found.log is not None else msgspec.structs.replace(found, log=_LINES.get(form))
