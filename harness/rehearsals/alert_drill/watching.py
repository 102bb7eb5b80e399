"""What watches the drill: history made, Prometheus and Alertmanager up and scraping, and what had fired, asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from harness.base import yamltext
from harness.base.clock import NS, unix_ns
from harness.base.data import MONITORING
from harness.model.message import message
from harness.objectives.files import objective_files
from harness.rehearsal.running import Running
from harness.rehearsals.alert_drill import configure
from harness.rehearsals.alert_drill.exporter import STATUSES, pasts
from harness.rehearsals.alert_drill.exporter import Seen as Exporter
from harness.rehearsals.alert_drill.programs import Data, Program, emitted_by, ever_asked, ever_up, prometheus_flags
from harness.rehearsals.alert_drill.receivers import HOST, Receivers, serve_mail, serve_pages
from harness.rehearsals.alert_drill.types import (
    PROBES,
    SIDECARS,
    TARGET,
    USERS,
    AlertDrillDetails,
    AlertDrillPlan,
    Firing,
)
from harness.stack.free_port import any_free_port
from harness.stack.kind.images import binaries
from harness.stack.scraping import ClientCertificate, WithMetrics

_LOOK_EVERY_S = 0.5
_FOLDER = "monitoring"


async def watched(plan: AlertDrillPlan, on: Running[AlertDrillDetails]) -> Program:
    """The history made, both programs up, scraping and evaluating; Prometheus."""
    folder, details = on.folder / _FOLDER, on.details
    (folder / "targets").mkdir(parents=True)
    (folder / "rules").mkdir()
    now_ns = on.clock.now_ns()
    details.history_ns = now_ns
    details.leaves_ns = now_ns + round((plan.load_s + plan.scaled(plan.between_s) + plan.after_s) * NS)
    data = Data(folder / "data")
    on.hold(data)
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

    on.at_end(close)
    prometheus = await _started(plan, on, folder, alerts=alerts, metrics=metrics)
    on.mark("watched")
    return prometheus


async def _started(
    plan: AlertDrillPlan, on: Running[AlertDrillDetails], folder: Path, *, alerts: int, metrics: int
) -> Program:
    """Both programs, ready, on those ports; Prometheus."""
    alertmanager = Program("Alertmanager", on.run_id, folder / "alertmanager.log", alerts)
    prometheus = Program("Prometheus", on.run_id, folder / "prometheus.log", metrics)
    for program in (alertmanager, prometheus):
        on.hold(program)
    await alertmanager.start(
        binaries.ALERTMANAGER.folder() / "alertmanager", f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'data' / 'alertmanager'}", f"--web.listen-address={HOST}:{alerts}",
        "--cluster.listen-address=",
    )  # fmt: skip
    await prometheus.start(
        binaries.PROMETHEUS.folder() / "prometheus",
        *prometheus_flags(folder / "prometheus.yaml", folder / "data", metrics),
        configure.resent(plan),
    )
    on.beside(_follow_targets(on))
    for program in (alertmanager, prometheus):
        await program.ready(on.clock)
        on.beside(program.watch())
    return prometheus


def _open_metrics(plan: AlertDrillPlan, on: Running[AlertDrillDetails]) -> str:
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
    details.waits_s = configure.waits_s(theirs["alertmanager"], plan)
    scraped = configure.prometheus(theirs["prometheus"], plan, alertmanager=alerts, pages=pages, by=by)
    told = configure.alertmanager(theirs["alertmanager"], plan, pages=pages, smtp=smtp)
    written = configure.rules(plan.objectives, plan)
    for name, data in {"prometheus": scraped, "alertmanager": told, "rules/as-written": written}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    for path, _ in objective_files():
        rules = (MONITORING / "prometheus" / "rules" / path.name).read_text()
        (folder / "rules" / path.name).write_text(configure.seen_by_users(rules))


async def _follow_targets(on: Running[AlertDrillDetails]) -> None:
    """The pods that are ready, in the files that Prometheus reads."""
    known: dict[str, Any] = {}
    while isinstance(on.stack, WithMetrics):
        found = configure.targets(on.stack.metrics())
        on.details.places |= configure.places(found)
        for job in (each for each in found if found[each] != known.get(each)):
            file = on.folder / _FOLDER / "targets" / f"{job}.json"
            half = file.with_suffix(".half")
            half.write_text(json.dumps(found[job]))
            half.rename(file)
        known = found
        await on.clock.sleep(_LOOK_EVERY_S)


async def ask(plan: AlertDrillPlan, on: Running[AlertDrillDetails], prometheus: Program) -> None:
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
