"""What watches the drill: history made, Prometheus and Alertmanager up and scraping, and what had fired, asked.

The configurations of ``deploy/monitoring`` with the drill's addresses, and with its seconds for their minutes. Pure.

Nothing else of them changes: routes, receivers, templates and rules are what the team would run.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psutil
import yaml

from harness.base import yamltext
from harness.base.clock import NS, Clock, unix_ns
from harness.base.data import MONITORING
from harness.base.errors import PartDied, StackNotStarted
from harness.base.free_port import any_free_port
from harness.base.units import seconds
from harness.model.message import message
from harness.model.stack import Address
from harness.rehearsals.alert_drill.exporter import STATUSES, pasts
from harness.rehearsals.alert_drill.exporter import RowCounter as Exporter
from harness.rehearsals.alert_drill.receivers import (
    HOST,
    PAGERDUTY_PATH,
    ROUTING_KEY,
    SLACK_PATH,
    Receivers,
    serve_mail,
    serve_pages,
)
from harness.rehearsals.alert_drill.types import (
    PROBES,
    SIDECARS,
    TARGET,
    USERS,
    AlertDrillDetails,
    AlertDrillPlan,
    Firing,
)
from harness.rules.objectives import render
from harness.rules.objectives.alerts import Alert, four, promql_duration
from harness.rules.objectives.files import objective_files
from harness.rules.objectives.sloth import Objective
from harness.run.context import RunContext
from harness.stack.firebase import rest
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries
from harness.stack.process.processes import tail
from harness.stack.state import MARKER
from harness.stack.target.scraping import ClientCertificate, PodMetrics, WithMetrics

# A real Prometheus and a real Alertmanager of this run, on loopback, and what is asked of them.

READY_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 60.0
_POLL_S = 0.2
_BACKFILL_LIMIT_S = 240.0
_RETENTION = "60d"  # of the made history; Prometheus' own 15 days would drop it


def prometheus_flags(config: Path, data: Path, port: int) -> tuple[str, ...]:
    """How Prometheus is started on a configuration and its blocks."""
    return (
        f"--config.file={config}", f"--storage.tsdb.path={data}", f"--storage.tsdb.retention.time={_RETENTION}",
        f"--web.listen-address={HOST}:{port}",
    )  # fmt: skip


class Program:
    """One of them. ``watch`` raises when it ends by itself."""

    def __init__(self, name: str, run_id: str, log: Path, port: int) -> None:
        self.name, self.address = name, Address(host=HOST, port=port)
        self._run_id, self._log = run_id, log
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def start(self, *command: str | Path) -> None:
        """Starts it. Raises ``StackNotStarted`` where it cannot be run."""
        with self._log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *map(str, command),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env={**os.environ, MARKER: self._run_id},
                )  # fmt: skip
            except OSError as error:
                raise StackNotStarted(
                    message("{name} cannot be run: {strerror}", name=self.name, strerror=str(error.strerror)),
                    where=str(command[0]),
                ) from error

    async def ready(self, clock: Clock) -> None:
        """Returns once it says so. Raises ``StackNotStarted``."""
        for _ in range(round(READY_LIMIT_S / _POLL_S)):
            with contextlib.suppress(OSError, EOFError):
                if (await rest.request(self.address, "GET", "/-/ready", timeout_s=2.0)).status == 200:
                    return
            if self._process is None or self._process.returncode is not None:
                break
            await clock.sleep(_POLL_S)
        raise StackNotStarted(
            message("{name} is not ready\n{log}", name=self.name, log=tail(self._log)), where=str(self._log)
        )

    async def ask(self, path: str) -> Any:
        """What its API answers. Raises ``PartDied``, also for any other status than 200."""
        return self.said(await self.get(path))

    async def get(self, path: str) -> rest.Answer:
        """Its answer, whatever its status. Raises ``PartDied`` where there is none."""
        try:
            return await rest.request(self.address, "GET", path, timeout_s=_ANSWER_LIMIT_S)
        except (OSError, EOFError) as error:
            raise PartDied(
                message(
                    "{name} does not answer: {error}\n{log}", name=self.name, error=str(error), log=tail(self._log)
                ),
                where=str(self._log),
            ) from error

    def said(self, answer: rest.Answer) -> Any:
        """What it says. Raises ``PartDied`` for any other status than 200."""
        if answer.status != 200:
            raise PartDied(
                message(
                    "{name} answered {status}: {body}",
                    name=self.name,
                    status=str(answer.status),
                    body=repr(answer.body[:300]),
                ),
                where=str(self._log),
            )
        return msgspec.json.decode(answer.body)

    async def watch(self) -> None:
        """Until it is taken down. Raises ``PartDied``."""
        assert self._process is not None
        await self._process.wait()
        if not self._stopping:
            raise PartDied(message("{name} died\n{log}", name=self.name, log=tail(self._log)), where=str(self._log))

    async def down(self) -> None:
        """Ends it; idempotent."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def leaks(self) -> list[str]:
        """Itself, where it lives on."""
        living = self._process is not None and self._process.returncode is None and psutil.pid_exists(self._process.pid)
        return [f"{self.name} (process {self._process.pid})"] if living and self._process else []


async def emitted_by(prometheus: Program, matcher: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Of every metric with series that ``matcher`` matches the labels and their values, without those of scraping."""
    answer = await prometheus.ask("/api/v1/series?match[]=" + quote(f"{{{matcher}}}"))
    found: dict[str, dict[str, set[str]]] = {}
    for each in answer["data"]:
        metric = found.setdefault(each["__name__"], {})
        for label in each.keys() - {"__name__", "job", "instance"}:
            metric.setdefault(label, set()).add(each[label])
    return {name: {key: tuple(sorted(values)) for key, values in labels.items()} for name, labels in found.items()}


async def ever_up(prometheus: Program, over: str) -> dict[str, int]:
    """By job how many of its instances answered a scrape within the last ``over`` (a duration of PromQL), at the same
    time or not. A job of which none did is not there."""
    return await _by_job(prometheus, f"max_over_time(up[{over}]) == 1")


async def ever_asked(prometheus: Program, over: str) -> dict[str, int]:
    """The same, of those besides that were asked three times and never answered: one that came a moment ago had no time
    to."""
    return await _by_job(prometheus, f"max_over_time(up[{over}]) == 1 or count_over_time(up[{over}]) >= 3")


async def _by_job(prometheus: Program, instances: str) -> dict[str, int]:
    answer = await prometheus.ask(f"/api/v1/query?query={quote(f'count by (job) ({instances})')}")
    return {each["metric"]["job"]: int(each["value"][1]) for each in answer["data"]["result"]}


class PrometheusBlocks:
    """Prometheus' blocks, which are large, and nothing that a judge reads: they go with the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def backfill(self, promtool: Path, content: str) -> None:
        """Makes blocks of OpenMetrics text. Raises ``StackNotStarted``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder.with_suffix(".om")
        file.write_text(content)
        command: list[str | Path] = [
            promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=800h",
            file,
            self.folder,
        ]
        await run(command, what="making the history", limit_s=_BACKFILL_LIMIT_S)
        file.unlink()

    async def down(self) -> None:
        """Removes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def leaks(self) -> list[str]:
        """The folder, where it stayed."""
        return [str(self.folder)] if self.folder.exists() else []


_SCALED = ("group_wait", "group_interval", "repeat_interval")
_RESENT = "1m"  # Prometheus' own --rules.alert.resend-delay
_UNIT = {"m": "min"}


def scaled(text: str, scale: float) -> str:
    """Such as ``1m`` at 15: ``4s``."""
    unit = text[-1]
    return promql_duration(round(seconds(text[:-1] + _UNIT.get(unit, unit)) / scale, 3))


def seen_by_users(promql: str) -> str:
    """The same queries of what users saw: what the drill breaks in front of the pods the target never counts."""
    return promql.replace(f'job="{TARGET}"', f'job="{USERS}"').replace("5..|429", "5..|429|0")


def alerts(objectives: Iterable[Objective], scale: float) -> tuple[Alert, ...]:
    """The alerts as written, those on budgets of requests by what users saw."""
    seen = [
        msgspec.structs.replace(each, bad=seen_by_users(each.bad), total=seen_by_users(each.total))
        for each in objectives
    ]
    return tuple(four(seen, scale))


def rules(objectives: Iterable[Objective], plan: AlertDrillPlan) -> dict[str, Any]:
    """The rules of the four alerts."""
    return render.rules(alerts(objectives, plan.scale), plan.scaled(plan.evaluate_s))


def resent(plan: AlertDrillPlan) -> str:
    """The flag by which Prometheus tells Alertmanager again of what fires: its own minute, in the drill's minutes.
    What it tells before it has found its Alertmanager is lost, and never told sooner (prometheus/prometheus#10457)."""
    return f"--rules.alert.resend-delay={scaled(_RESENT, plan.scale)}"


def prometheus(
    theirs: Mapping[str, Any], plan: AlertDrillPlan, *, alertmanager: int, pages: int,
    by: ClientCertificate | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``prometheus.yaml``: the pods from files, asked ``by`` credentials where there are any; what users and probes saw
    from the port ``pages``."""
    found = copy.deepcopy(dict(theirs))
    found["global"] = {
        "scrape_interval": promql_duration(plan.scaled(plan.scrape_s)),
        "evaluation_interval": promql_duration(plan.scaled(plan.evaluate_s)),
    }
    found["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"{HOST}:{alertmanager}"]}]
    harness = [
        {
            "job_name": job,
            "metrics_path": f"/{job}",
            "static_configs": [{"targets": [f"{HOST}:{pages}"], "labels": {"instance": "harness"}}],
        }
        for job in (USERS, PROBES)
    ]
    kept = [each | _tls(by) for each in found["scrape_configs"] if each["job_name"] not in (USERS, PROBES)]
    found["scrape_configs"] = [*kept, *harness]
    return found


def _tls(by: ClientCertificate | None) -> dict[str, Any]:
    """How the pods of a cluster are asked: by HTTPS, of its API server."""
    if by is None:
        return {}
    files = {"ca_file": str(by.ca), "cert_file": str(by.certificate), "key_file": str(by.key)}
    return {"scheme": "https", "tls_config": files}


def targets(found: Iterable[PodMetrics]) -> dict[str, list[dict[str, Any]]]:
    """The content of each file of pods (``file_sd_configs``), by its job: an instance by its pod's name."""
    groups: dict[str, list[dict[str, Any]]] = {TARGET: [], SIDECARS: []}
    for each in found:
        labels = {"__metrics_path__": each.path, "instance": each.pod}
        groups[SIDECARS if each.sidecar else TARGET].append({"targets": [str(each.address)], "labels": labels})
    return groups


def places(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Of each of those files that names a pod, by its job, where the first is asked: host, port and path."""
    first = {job: groups[0] for job, groups in found.items() if groups}
    return {job: f"{each['targets'][0]}{each['labels']['__metrics_path__']}" for job, each in first.items()}


def alertmanager(theirs: Mapping[str, Any], plan: AlertDrillPlan, *, pages: int, smtp: int) -> dict[str, Any]:
    """``alertmanager.yaml``: the same receivers at local addresses."""
    found = copy.deepcopy(dict(theirs))
    base = f"http://{HOST}:{pages}"
    known = {key: value for key, value in found["global"].items() if not key.startswith("slack_api_url")}
    found["global"] = known | {
        "slack_api_url": base + SLACK_PATH,
        "pagerduty_url": base + PAGERDUTY_PATH,
        "smtp_smarthost": f"{HOST}:{smtp}",
        "smtp_require_tls": False,
    }
    for key in _SCALED:
        found["route"][key] = scaled(found["route"][key], plan.scale)
    for receiver in found["receivers"]:
        for pager in receiver.get("pagerduty_configs", ()):
            pager.pop("routing_key_file", None)
            pager["routing_key"] = ROUTING_KEY
    return found


def waits_s(theirs: Mapping[str, Any], plan: AlertDrillPlan) -> tuple[float, float]:
    """How long Alertmanager may hold a first notification, and one of a group that it knows, in the drill."""
    route = theirs["route"]
    wait, interval = (seconds(route[key].replace("m", "min")) / plan.scale for key in _SCALED[:2])
    return wait, interval


_LOOK_EVERY_S = 0.5
_FOLDER = "monitoring"


async def watched(plan: AlertDrillPlan, on: RunContext[AlertDrillDetails]) -> Program:
    """The history made, both programs up, scraping and evaluating; Prometheus."""
    folder, details = on.folder / _FOLDER, on.details
    (folder / "targets").mkdir(parents=True)
    (folder / "rules").mkdir()
    now_ns = on.clock.now_ns()
    details.history_ns = now_ns
    details.leaves_ns = now_ns + round((plan.load_s + plan.scaled(plan.between_s) + plan.after_s) * NS)
    data = PrometheusBlocks(folder / "data")
    on.register_cleanup(data)
    made = _open_metrics(plan, on)
    on.say(message("making 30 and 7 days of history: {lines} samples", lines=str(made.count("\n"))))
    await data.backfill(binaries.PROMETHEUS.folder() / "promtool", made)
    exporter = Exporter(pasts(plan), STATUSES)
    receivers = Receivers(on.clock, details.deliveries.append)
    pages, smtp, alerts, metrics = (any_free_port() for _ in range(4))
    by = on.stack.credentials() if isinstance(on.stack, WithMetrics) else None
    _write(folder, plan, details, pages=pages, smtp=smtp, alerts=alerts, by=by)
    counted = [0, 0]

    def page(method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        if method != "GET":
            return receivers.page(method, path, body)
        requests, probes = on.evidence.requests, on.evidence.probes
        exporter.see(requests[counted[0] :], probes[counted[1] :])
        counted[:] = len(requests), len(probes)
        known = {f"/{USERS}": exporter.users_page, f"/{PROBES}": exporter.probes_page}
        text = known[path]() if path in known else ""
        return (200 if text else 404), "text/plain; version=0.0.4", text.encode()

    servers = [await serve_pages(page, pages), await serve_mail(receivers.mail, smtp)]

    async def close() -> None:
        for server in servers:
            server.close()

    on.add_finalizer(close)
    prometheus = await _started(plan, on, folder, alerts=alerts, metrics=metrics)
    on.mark("watched")
    return prometheus


async def _started(
    plan: AlertDrillPlan, on: RunContext[AlertDrillDetails], folder: Path, *, alerts: int, metrics: int
) -> Program:
    """Both programs, ready, on those ports; Prometheus."""
    alertmanager = Program("Alertmanager", on.run_id, folder / "alertmanager.log", alerts)
    prometheus = Program("Prometheus", on.run_id, folder / "prometheus.log", metrics)
    for program in (alertmanager, prometheus):
        on.register_cleanup(program)
    await alertmanager.start(
        binaries.ALERTMANAGER.folder() / "alertmanager", f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'data' / 'alertmanager'}", f"--web.listen-address={HOST}:{alerts}",
        "--cluster.listen-address=",
    )  # fmt: skip
    await prometheus.start(
        binaries.PROMETHEUS.folder() / "prometheus",
        *prometheus_flags(folder / "prometheus.yaml", folder / "data", metrics),
        resent(plan),
    )
    on.run_in_background(_follow_targets(on))
    for program in (alertmanager, prometheus):
        await program.ready(on.clock)
        on.run_in_background(program.watch())
    return prometheus


def _open_metrics(plan: AlertDrillPlan, on: RunContext[AlertDrillDetails]) -> str:
    """The history as OpenMetrics text, a family after the other."""
    lines: list[str] = []
    families = set[str]()
    for made in pasts(plan).series():
        if made.family not in families:
            families.add(made.family)
            lines.append(f"# TYPE {made.family} {made.kind}")
        known = f'{made.series.removesuffix("}")},job="{made.job}",instance="harness"}}'
        for at_ns, bad, good in made.past.samples(on.details.leaves_ns, on.details.history_ns):
            lines.append(f"{known} {made.told(bad, good)} {unix_ns(on.clock.anchor, at_ns) / NS:.3f}")
    return "\n".join([*lines, "# EOF"]) + "\n"


def _write(
    folder: Path, plan: AlertDrillPlan, details: AlertDrillDetails, *, pages: int, smtp: int, alerts: int,
    by: ClientCertificate | None,
) -> None:  # fmt: skip
    """Every configuration file, and how long Alertmanager may hold a notification."""
    theirs = {
        name: yamltext.documents(yamltext.read(MONITORING / name / f"{name}.yaml"), name, merge_keys=True)[0][0]
        for name in ("prometheus", "alertmanager")
    }
    details.waits_s = waits_s(theirs["alertmanager"], plan)
    scraped = prometheus(theirs["prometheus"], plan, alertmanager=alerts, pages=pages, by=by)
    told = alertmanager(theirs["alertmanager"], plan, pages=pages, smtp=smtp)
    written = rules(plan.objectives, plan)
    for name, data in {"prometheus": scraped, "alertmanager": told, "rules/as-written": written}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    for path, _ in objective_files():
        printed = (MONITORING / "prometheus" / "rules" / path.name).read_text()
        (folder / "rules" / path.name).write_text(seen_by_users(printed))


async def _follow_targets(on: RunContext[AlertDrillDetails]) -> None:
    """The pods that are ready, in the files that Prometheus reads."""
    known: dict[str, Any] = {}
    while isinstance(on.stack, WithMetrics):
        found = targets(on.stack.metrics())
        on.details.places |= places(found)
        for job in (each for each in found if found[each] != known.get(each)):
            file = on.folder / _FOLDER / "targets" / f"{job}.json"
            half = file.with_suffix(".half")
            half.write_text(json.dumps(found[job]))
            half.rename(file)
        known = found
        await on.clock.sleep(_LOOK_EVERY_S)


async def ask(plan: AlertDrillPlan, on: RunContext[AlertDrillDetails], prometheus: Program) -> None:
    """What had fired, by the samples of ``ALERTS``, each at its evaluation; what was scraped, and what the target
    emits. That it was asked is said last: of a Prometheus that did not answer nothing is judged."""
    asked_ns = on.clock.now_ns()
    every_ns = round(plan.scaled(plan.evaluate_s) * NS)
    on.details.emitted = await emitted_by(prometheus, f'job="{TARGET}"')
    span = f"{round((asked_ns - on.details.origin_ns) / NS) + 60}s"
    answered = await ever_up(prometheus, span)
    on.details.scraped = answered.get(TARGET, 0)
    on.details.targets = (await ever_asked(prometheus, span)).get(TARGET, 0)
    on.details.sidecars = answered.get(SIDECARS, 0) if on.manifests.sidecar else None
    query = quote(f'ALERTS{{alertstate="firing"}}[{span}]')
    answer = await prometheus.ask(f"/api/v1/query?query={query}")
    for series in answer["data"]["result"]:
        labels = series["metric"]
        times = [
            round(float(at) * NS) - on.clock.anchor.unix_ns + on.clock.anchor.monotonic_ns for at, _ in series["values"]
        ]
        found = on.details.burns if "sloth_severity" in labels else on.details.firings
        for first_ns, last_ns in _stretches(times, every_ns):
            found.append(
                Firing(
                    alert=labels["alertname"], objective=labels.get("objective", ""), job=labels.get("job", ""),
                    severity=labels.get("severity", ""), fired_ns=first_ns,
                    resolved_ns=None if asked_ns - last_ns < 3 * every_ns else last_ns + every_ns,
                )
            )  # fmt: skip
    on.details.asked_ns = asked_ns


def _stretches(times: list[int], every_ns: int) -> list[tuple[int, int]]:
    """First and last of each run of evaluations without a gap."""
    found: list[tuple[int, int]] = []
    for at_ns in times:
        if found and at_ns - found[-1][1] < 1.5 * every_ns:
            found[-1] = (found[-1][0], at_ns)
        else:
            found.append((at_ns, at_ns))
    return found
