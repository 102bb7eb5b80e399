"""Telemetry read: lines of logs, samples of a Prometheus, exports of Cloud Logging and Cloud Monitoring."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import numpy as np

from harness.base.clock import Clock
from harness.base.errors import NOT_JSON, BadInput, MeasurementFailed
from harness.base.ticks import NS
from harness.cli.observe.mapping import UNIT_NS, LineNames, Naming
from harness.model.evidence import Window
from harness.model.message import message
from harness.model.stack import Address
from harness.rules.observed import CounterSamples, Gap, Observed, counted, rows_of
from harness.stack.firebase import rest

#: Lines that are further apart are a gap, where that is so many times further than they usually are.
_GAP_NS, _TIMES = 60 * NS, 20


class LogFiles:
    """The files of a log, or the ``*.log`` of a folder, read on from where the last reading ended."""

    def __init__(self, places: Iterable[Path], mapping: Naming) -> None:
        self._places, self._mapping, self._names = tuple(places), mapping, mapping.log or LineNames()
        self._read: dict[Path, int] = {}
        self._lines = array("q")  # when each line was written, whatever it says
        self._done, self._took, self._status, self._user = array("q"), array("q"), array("i"), array("i")
        self._users: dict[str, int] = {}

    async def read(self, begin_ns: int | None, end_ns: int) -> None:
        """Takes the whole lines that have come. Raises ``BadInput`` for a file that cannot be read."""
        _ = begin_ns, end_ns
        for path in (each for at in self._places for each in (sorted(at.glob("*.log")) if at.is_dir() else (at,))):
            try:
                for entry in self._entries(path):
                    self._take(entry)
            except (OSError, msgspec.DecodeError) as error:
                what = message("the log cannot be read: {why}", why=str(error))
                raise BadInput(what, where=str(path), remedy="name files of a log, or a folder of them") from error

    def _entries(self, path: Path) -> Iterator[dict[str, Any]]:
        """The JSON objects of a file: one a line, or those of one array."""
        with path.open("rb") as file:
            if path.suffix == ".json" and file.read(1) == b"[":
                found = [] if path in self._read else msgspec.json.decode(b"[" + file.read(), type=list[dict[str, Any]])
                self._read[path] = 1
                yield from found
                return
            file.seek(at := self._read.get(path, 0))
            for line in file:
                entry = _decoded(line)
                if entry is None and not line.endswith(b"\n"):
                    break  # it is being written
                at += len(line)
                if entry is not None:
                    yield entry
            self._read[path] = at

    def _take(self, entry: dict[str, Any]) -> None:
        names = self._names
        if (at_ns := instant_ns(_within(entry, names.time))) is None:
            return
        self._lines.append(at_ns)
        status, path = str(_within(entry, names.status)), urlsplit(str(_within(entry, names.path))).path
        asked = all(str(_within(entry, key)) == value for key, value in names.only.items())
        if not (asked and status.isdigit() and path.startswith(self._mapping.below)):
            return
        took_ns = _duration_ns(_within(entry, names.duration), UNIT_NS[names.unit])
        self._done.append(at_ns + (max(took_ns, 0) if names.time_is == "begin" else 0))
        self._took.append(took_ns)
        self._status.append(int(status))
        user = str(_within(entry, names.user) or "") if names.user else ""
        self._user.append(self._users.setdefault(user, len(self._users)))

    def span(self) -> tuple[int, int]:
        """From the first request to the last. Raises ``BadInput`` where no line is one."""
        if not len(self._done):
            said = {"lines": f"{len(self._lines):,}", "below": self._mapping.below}
            what = message("none of {lines} lines is of a request below {below}", **said)
            remedy = "the bundled API writes a line a request with LOG_LEVEL=debug; for another log give --mapping"
            raise BadInput(what, where=", ".join(map(str, self._places)), remedy=remedy)
        return min(self._done), max(self._done) + 1

    def seen(self, window: Window) -> Observed:
        """What the lines say of ``window``."""
        done, took = np.array(self._done, dtype=np.int64), np.array(self._took, dtype=np.int64)
        status, user = np.array(self._status, dtype=np.int32), np.array(self._user, dtype=np.int32)
        good = [each for each in np.unique(status).tolist() if self._mapping.good(each)]
        inside = (done >= window.start_ns) & (done < window.end_ns)
        rows = rows_of(done[inside], np.maximum(took[inside], 0), np.isin(status[inside], good))
        rows["status"], rows["user"] = status[inside], user[inside]
        pattern, names = self._names.probe_users, tuple(self._users)
        probing = np.isin(rows["user"], [n for n, name in enumerate(names) if pattern and fnmatchcase(name, pattern)])
        requests = rows[~probing]
        timed = requests if (took >= 0).all() else requests[:0]
        return Observed(
            window=window, requests=requests, fast=timed, slow=timed, probes=rows[probing] if pattern else None,
            users=names if any(names) else None, gaps=tuple(self._gaps(window)),
        )  # fmt: skip

    def _gaps(self, window: Window) -> Iterator[Gap]:
        lines = np.sort(np.array(self._lines, dtype=np.int64))
        lines = lines[(lines >= window.start_ns) & (lines < window.end_ns)]
        usual = float(np.median(np.diff(lines))) if len(lines) > 1 else 0.0
        times = np.array([window.start_ns, *lines, window.end_ns])
        for at in np.flatnonzero(np.diff(times) > max(_GAP_NS, _TIMES * usual)):
            yield Gap(begin_ns=int(times[at]), end_ns=int(times[at + 1]), lost=True)


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(line)
    except NOT_JSON:
        return None
    return found if isinstance(found, dict) else None


def _within(entry: Any, keys: str) -> Any:
    for key in keys.split("."):
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry


def instant_ns(text: object) -> int | None:
    """RFC 3339 with its zone in ns since 1970; ``None`` of anything else."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return round(at.timestamp() * 1e6) * 1000 if at.tzinfo else None


def _duration_ns(given: object, unit_ns: float) -> int:
    """In ns, of a number or of Google's "0.012s"; -1 where it says none."""
    try:
        return round(float(str(given).removesuffix("s")) * (1e9 if str(given).endswith("s") else unit_ns))
    except ValueError:
        return -1


#: A Prometheus is asked so often at most, for so long a stretch at once, and waited for so long.
EVERY_S, _AT_ONCE_S, _ANSWER_LIMIT_S = 15.0, 2 * 3600, 60.0
#: Of before a stretch: what its counters began with.
BEFORE_S = 300
#: The labels that tell one process from another.
_WHICH = ("job", "namespace", "pod", "pod_name", "instance", "backend_target_name")
_TYPE = "prometheus.googleapis.com/"


class Counters:
    """Samples of counters, put together from the answers of a Prometheus (``places`` is its URL) or from files."""

    def __init__(self, places: tuple[str, ...], mapping: Naming, clock: Clock) -> None:
        self._places, self._mapping, self._names, self._clock = places, mapping, mapping.metrics, clock
        self._found: dict[tuple[tuple[str, str], ...], tuple[CounterSamples, dict[int, float]]] = {}
        self._asked_ns, self._until_ns = -round(EVERY_S * NS), 0

    async def read(self, begin_ns: int | None, end_ns: int) -> None:
        """Takes the samples until ``end_ns``: of a Prometheus from before ``begin_ns``, or of an hour without one, or
        from where the last reading ended. Raises ``BadInput`` and ``MeasurementFailed``."""
        if "://" not in self._places[0]:
            self._read_files()
            return
        from_ns = end_ns - 3600 * NS if begin_ns is None else begin_ns - BEFORE_S * NS
        from_ns = max(from_ns, self._until_ns)
        while from_ns < end_ns:
            until_ns = min(end_ns, from_ns + _AT_ONCE_S * NS)
            if (early_ns := self._asked_ns + round(EVERY_S * NS) - self._clock.now_ns()) > 0 and self._until_ns:
                await self._clock.sleep(early_ns / NS)
            self._asked_ns = self._clock.now_ns()
            self._take(await self._ask(math.ceil((until_ns - from_ns) / NS), until_ns), self._places[0])
            # What is written down late is asked for again.
            self._until_ns, from_ns = until_ns - round(EVERY_S * NS), until_ns

    def _read_files(self) -> None:
        for place in self._places:
            try:
                self._take(Path(place).read_bytes(), place)
            except OSError as error:
                what = message("the export cannot be read: {why}", why=error.strerror or str(error))
                raise BadInput(what, where=place, remedy="name files of an export") from error

    async def _ask(self, seconds: int, until_ns: int) -> bytes:
        url, parts, names = self._places[0], urlsplit(self._places[0]), self._names
        if parts.scheme != "http" or not parts.hostname:
            remedy = "forward its port to this machine: kubectl port-forward service/prometheus 9090"
            raise BadInput(
                message("{url} is not of the form {form}", url=repr(url), form="http://HOST:PORT"), remedy=remedy
            )
        metric = "|".join((names.requests, f"{names.durations}_bucket", names.probes))
        query = f'{{__name__=~"{metric}"{"," + names.matchers if names.matchers else ""}}}[{seconds}s]'
        path = f"{parts.path.rstrip('/')}/api/v1/query?query={quote(query)}&time={until_ns / NS:.3f}"
        try:
            at = Address(host=parts.hostname, port=parts.port or 80)
            answer = await rest.request(at, "GET", path, timeout_s=_ANSWER_LIMIT_S)
            if answer.status != 200:
                raise ConnectionError(f"{answer.status} {answer.body[:300]!r}")
        except OSError as error:
            what = message("Prometheus does not answer: {why}", why=repr(error))
            remedy = "a shorter stretch is a smaller answer; or `matchers` in --mapping"
            raise MeasurementFailed(what, where=url, remedy=remedy) from error
        return answer.body

    def _take(self, content: bytes, where: str) -> None:
        """Takes an answer of a Prometheus about samples, or an export of Cloud Monitoring. Raises ``BadInput``."""
        try:
            found = msgspec.json.decode(content)
            if isinstance(found, dict) and "data" in found:
                pairs = ((each["metric"], _samples(each["values"])) for each in found["data"]["result"])
            else:
                series = found["timeSeries"] if isinstance(found, dict) else found
                pairs = (pair for each in series for pair in _counters(each, self._names.durations))
            for labels, samples in pairs:
                self._add(labels, samples)
        except (AttributeError, KeyError, TypeError, *NOT_JSON) as error:
            what = message("this is no export of samples: {why}", why=repr(error)[:200])
            remedy = "as Prometheus' /api/v1/query_range or Cloud Monitoring's projects.timeSeries.list answers"
            raise BadInput(what, where=where, remedy=remedy) from error

    def _add(self, labels: Mapping[str, str], samples: Iterable[tuple[int, float]]) -> None:
        name, names, status = labels.get("__name__", ""), self._names, labels.get(self._names.status, "")
        path, probe = labels.get(names.path) or self._mapping.below, name == names.probes
        edge = f"{names.durations}_bucket" == name and "le" in labels
        if not (probe or edge or name == names.requests) or not path.startswith(self._mapping.below):
            return
        code = int(status) if status.isdigit() else 0
        made = CounterSamples(
            instance="/".join(labels[which] for which in _WHICH if which in labels), times_ns=(), values=(), path=path,
            status=code, ok=labels.get(names.outcome) == names.good if probe else self._mapping.good(code), probe=probe,
            upper_s=float(labels["le"]) * UNIT_NS[names.unit] / NS if edge else None,
        )  # fmt: skip
        self._found.setdefault(tuple(sorted(labels.items())), (made, {}))[1].update(samples)

    def span(self) -> tuple[int, int]:
        """From the first sample to the last. Raises ``BadInput`` where there is none."""
        if not (times := [at_ns for _, at in self._found.values() for at_ns in at]):
            what = message("it has no samples of {name}", name=self._names.requests)
            raise BadInput(what, remedy="--mapping names another metric; --begin and --end another time")
        return min(times), max(times)

    def seen(self, window: Window) -> Observed:
        """What the counters say of ``window``."""
        found = ((made, sorted(at.items())) for made, at in self._found.values() if at)
        return counted([msgspec.structs.replace(made, times_ns=[at for at, _ in some], values=[to for _, to in some])
                        for made, some in found], window)  # fmt: skip


def _counters(series: Mapping[str, Any], durations: str) -> Iterator[tuple[dict[str, str], list[tuple[int, float]]]]:
    """A time series as counters: itself, or one of each edge of a distribution. Points come newest first."""
    kind = series["metric"]["type"]
    name = kind.removeprefix(_TYPE).rpartition("/")[0] if kind.startswith(_TYPE) else kind
    labels = {**series.get("resource", {}).get("labels", {}), **series["metric"].get("labels", {}), "__name__": name}
    points, delta = series["points"][::-1], series["metricKind"] == "DELTA"
    times = [instant_ns(each["interval"]["endTime"]) or 0 for each in points]
    if delta:
        times = [instant_ns(points[0]["interval"]["startTime"]) or 0, *times]

    def samples(values: list[float]) -> list[tuple[int, float]]:
        return list(zip(times, accumulate(values, initial=0.0) if delta else values, strict=True))

    if series["valueType"] != "DISTRIBUTION":
        yield labels, samples([float(next(iter(each["value"].values()))) for each in points])
        return
    told = [each["value"]["distributionValue"] for each in points]
    edges: list[float] = next(filter(None, (_edges(each.get("bucketOptions", {})) for each in told)), [])
    for number, edge in enumerate([*edges, math.inf], start=1):
        upto = [float(sum(map(int, each.get("bucketCounts", ())[:number]))) for each in told]
        yield labels | {"__name__": f"{durations}_bucket", "le": str(edge)}, samples(upto)


def _samples(values: list[tuple[float, str]]) -> list[tuple[int, float]]:
    return [(round(float(at) * 1e3) * 10**6, float(to)) for at, to in values]


def _edges(options: Mapping[str, Any]) -> list[float]:
    """The upper edges of all buckets but the last, in the metric's unit."""
    if "exponentialBuckets" in options:
        of = options["exponentialBuckets"]
        return [of["scale"] * of["growthFactor"] ** number for number in range(of["numFiniteBuckets"] + 1)]
    return list(options.get("explicitBuckets", {}).get("bounds", ()))
