"""External metrics for the HPA of a run: a Prometheus that scrapes its pods, and the adapter that serves what it makes.

The rules are those a team would run (``deploy/monitoring/prometheus-adapter``). The API of external metrics is of the
whole cluster, so one run at a time has it (``addon``). Without its adapter no namespace would ever be gone (the
namespace controller asks every API what is left in it): it is removed before the run's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.base.data import MONITORING
from harness.model.message import gettext_noop
from harness.stack.kind.addon import Addon, Wide
from harness.stack.kind.images import binaries, recipes
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.kubernetes.metrics import Scraped

ADDON = Path(__file__).parent / "addons" / "prometheus-adapter.yaml"
RULES = MONITORING / "prometheus-adapter" / "config.yaml"
NAME = "prometheus-adapter"
API = "apiservice/v1beta1.external.metrics.k8s.io"
_BINDING = "tekutoko-rehearsal-prometheus-adapter"
WIDE = Wide(
    mark=NAME,
    told=gettext_noop("the API of external metrics"),
    things=(API, f"clusterrolebinding/{_BINDING}", f"rolebinding/{_BINDING}"),
)
_OURS = "deployment,service,configmap,rolebinding,role,serviceaccount"


class MetricsAdapter(Addon):
    """That of one run, until ``stop`` or ``remove``."""

    wide, name = WIDE, NAME

    async def start(self, where: Scraped) -> None:
        """Returns once the API of external metrics answers; a metric is there once it was scraped.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        image = await self.take(recipes.metrics_adapter())
        found = documents(image, where, self._inside.namespace)
        registration = [each for each in found if each["kind"] == "APIService"]
        await self._apply([each for each in found if each not in registration])
        await self.ready(f"prometheus-adapter {binaries.PROMETHEUS_ADAPTER.version()}")
        await self._apply(registration)
        await self.kubectl("wait", "--for=condition=Available", API, "--timeout=50s", what=f"waiting for {WIDE.told}")

    async def stop(self, logs: Path) -> None:
        """Takes all of it away, its log into ``logs``. Raises ``StackNotStarted``."""
        await self.keep_log(logs)
        await self.remove(whole_cluster_goes=False)
        gone = ("delete", _OURS, f"--selector={labels.PART}={NAME}", "--ignore-not-found", "--timeout=30s")
        await self.kubectl(f"--namespace={self._inside.namespace}", *gone, what="removing prometheus-adapter")

    async def _apply(self, found: list[Json]) -> None:
        for each in found:
            await self._inside.api.apply(each, each["metadata"].get("namespace", self._inside.namespace))


def documents(image: str, where: Scraped, namespace: str) -> list[Json]:
    """All documents, for one run's ``namespace``, with its ``image``."""
    found: list[Json] = list(yaml.safe_load_all(ADDON.read_text()))
    by_kind = {each["kind"]: each for each in found}
    for binding in (each for each in found if each["kind"].endswith("Binding")):
        binding["subjects"][0]["namespace"] = namespace
    by_kind["APIService"]["spec"]["service"]["namespace"] = namespace
    data = by_kind["ConfigMap"]["data"]
    data["adapter.yaml"] = RULES.read_text(encoding="utf-8")
    data["prometheus.yaml"] = yaml.safe_dump(_scraping(yaml.safe_load(data["prometheus.yaml"]), where))
    for container in by_kind["Deployment"]["spec"]["template"]["spec"]["containers"]:
        container["image"] = image
    return found


def _scraping(config: dict[str, Any], where: Scraped) -> dict[str, Any]:
    """Prometheus' configuration: which pods, and where in them."""
    (job,) = config["scrape_configs"]
    job["metrics_path"] = where.path
    job["kubernetes_sd_configs"][0]["selectors"][0]["label"] = where.selector
    address = next(each for each in job["relabel_configs"] if each["target_label"] == "__address__")
    address["replacement"] = f"$1:{where.port}"
    return config
