"""Claims of 決定事項 and 選定理由."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import (
    CALCULATION,
    MANIFEST,
    MEASUREMENT,
    PROCEDURE,
    RECORD,
    judged_by,
    person,
    promise,
    wrong,
)

_FIT = "2. 要件との適合性"
_STACK = "3. 技術スタック比較/table 1"
_LEARN = "1. 学習目的との適合性/list 1"

_REASONS = (
    promise(
        "decision.platform",
        "決定事項/text 1",
        "Google Kubernetes Engine (GKE) Autopilot",
        RECORD,
        person("scaling.hpa.cpu", "deploy.rolling.no_downtime", "cost.total"),
        "A decision; sign-off names what only Autopilot itself can show",
    ),
    promise(
        "decision.learning",
        f"{_LEARN}/item 1",
        "負荷分散と冗長構成を自前で学習できる",
        PROCEDURE,
        judged_by("runbooks"),
        "The learning path is run through in the environment kind",
    ),
    promise(
        "decision.low_operations",
        f"{_LEARN}/item 2",
        "GKE Autopilotで運用負荷を抑える",
        RECORD,
        person("cicd.set_image", "dr.rto", "monitoring.commands"),
        "The operations pages list what is left to do by hand",
    ),
    promise(
        "decision.replicas_2_10",
        f"{_LEARN}/item 3",
        "レプリカ数を2〜10台まで簡単に変更可能",
        MEASUREMENT,
        judged_by("scaling"),
        "Scaled out by the HPA under load, and back to the fewest pods after it",
    ),
    promise(
        "decision.future",
        f"{_LEARN}/item 4",
        "大規模化にも対応できる基盤",
        MEASUREMENT,
        judged_by("load_stages"),
        "The knee of the load search for 2..10 pods shows how far it grows",
        go=True,
    ),
)

_REQUIREMENTS = (
    promise(
        "requirements.concurrency_500",
        f"{_FIT}/table 1/row 1",
        "同時接続500人",
        MEASUREMENT,
        judged_by("load_stages", unmeasured="--pods"),
        "500 users at the document's pace on the plan's pods: good answers a second, and the stage's limits",
        go=True,
    ),
    promise(
        "requirements.latency_500ms",
        f"{_FIT}/table 1/row 2",
        "p95 500ms目標",
        MEASUREMENT,
        judged_by("load_stages", unmeasured="--pods"),
        "p95 from the due time at 500 users, upper bound below 500 ms",
        wrong(
            "requirements.cold_start",
            "'no cold start' holds for the two pods always kept; a third pod on Autopilot may wait for a new "
            "node, minutes, and every pod waits 5 s for its first readiness probe",
            "say 'no cold start at minReplicas'; count node provisioning in the HPA's 1-3 minutes",
        ),
        go=True,
    ),
    promise(
        "requirements.availability_sla",
        f"{_FIT}/table 1/row 3",
        "SLA 99.95%",
        CALCULATION,
        judged_by("infrastructure"),
        "The published SLAs of every part in series",
        wrong(
            "requirements.sla_of_control_plane",
            "99.95 % is Autopilot's control plane; its pods in several zones carry 99.9 %, and Cloud SQL HA "
            "another 99.95 %: in series 99.85 %, below the 99.9 % required",
            "state 99.9 % x 99.95 % = 99.85 % as the platform's promise; 99.9 % is a goal of our own",
        ),
    ),
    promise(
        "requirements.multi_zone",
        f"{_FIT}/table 1/row 3",
        "マルチゾーン+HA構成必須",
        MANIFEST,
        judged_by("zone_loss"),
        "Where the pods were placed in a cluster of three zones, and the loss of one",
        wrong(
            "manifest.deployment.no_zone_spread",
            "the Deployment has no topologySpreadConstraints; the scheduler's default only prefers a spread, so "
            "both replicas may share a zone",
            "add topologySpreadConstraints on topology.kubernetes.io/zone, maxSkew 1",
        ),
    ),
    promise(
        "requirements.learning",
        f"{_FIT}/table 1/row 4",
        "Pod/Deployment/Service等",
        PROCEDURE,
        judged_by("runbooks"),
        "The learning path is run through in the environment kind",
    ),
    promise(
        "load.target_qps",
        f"{_FIT}/list 1/item 1",
        "10 req/sec（同時接続500人、平均50秒/リクエスト想定）",
        MEASUREMENT,
        judged_by("load_stages", unmeasured="--pods"),
        "500 users at one request in 50 s each: 500 / 50 = 10.0/s offered and completed",
        go=True,
    ),
    promise(
        "load.pod_capacity",
        f"{_FIT}/list 1/item 2",
        "500mCPU/512Mi×2レプリカで約20 req/secまで対応可能",
        MEASUREMENT,
        judged_by("load_stages", unmeasured="--pods"),
        "20 requests/s to two pods under enforced limits for a minute; the knee with 2 pods beside it",
        wrong(
            "load.pod_capacity_unfounded",
            "'a general figure of Go APIs' is no measurement: 10 requests/s and core is far below what such APIs "
            "do, and the limit (1000m) is what a pod may use, not the request (500m)",
            "replace it by the measured knee per pod of the target at hand",
        ),
        go=True,
    ),
    promise(
        "load.stages",
        f"{_FIT}/list 1/item 3",
        "10, 50, 100, 500同時接続",
        MEASUREMENT,
        judged_by("load_stages", unmeasured="--pods"),
        "Both readings are run: N requests in flight, and N users at one request in 50 s",
        wrong(
            "load.ab_meets_rate_limit",
            "'同時接続' has two readings (N in flight, N users), and Apache Bench sends one token: beyond 100 "
            "requests a minute it measures the rate limiter (429), not the API",
            "name the reading of each stage; spread requests over enough users (Locust)",
        ),
        go=True,
    ),
)

_COMPARISON = (
    promise(
        "stack.monthly_cost",
        f"{_STACK}/row 1",
        "$150",
        CALCULATION,
        judged_by("cost"),
        "The printed comparison beside the printed estimate of the same cluster",
        wrong(
            "cost.autopilot_150_or_225",
            "the comparison chooses Autopilot at $150 a month; the estimate below says $225.50 for the same",
            "compare the three with one bill of parts; Autopilot's is the table's total",
        ),
    ),
    promise(
        "stack.operations_load",
        f"{_STACK}/row 2",
        "運用負荷",
        RECORD,
        person("cicd.set_image", "dr.restore.step1", "monitoring.commands"),
        "A judgement; the daily tasks are timed",
    ),
    promise("stack.learning", f"{_STACK}/row 3", "Kubernetes学習", RECORD, person(), "A judgement"),
    promise(
        "stack.one_command",
        f"{_STACK}/row 4",
        "簡単（1コマンド）",
        PROCEDURE,
        judged_by("scaling"),
        "kubectl scale with the HPA on and off",
        wrong(
            "stack.standard_scales_by_hpa_too",
            "pods scale the same way on GKE Standard (HPA, kubectl scale); only nodes differ",
            "compare node scaling: automatic on Autopilot, a node pool's autoscaler on Standard",
        ),
    ),
    promise(
        "stack.one_line",
        f"{_STACK}/row 5",
        "1行変更で可能",
        PROCEDURE,
        judged_by("scaling"),
        "replicas: changed in the manifest and applied, with the HPA on and off",
    ),
    promise(
        "stack.nodes",
        f"{_STACK}/row 6",
        "ノード管理",
        RECORD,
        person("requirements.multi_zone"),
        "Autopilot's own; not exercised in any environment",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_REASONS, *_REQUIREMENTS, *_COMPARISON)
