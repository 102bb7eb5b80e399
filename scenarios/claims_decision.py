"""Claims of 決定事項, 選定理由, アーキテクチャ戦略 and アーキテクチャ構成."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import CALCULATION, MANIFEST, MEASUREMENT, PROCEDURE, RECORD, promise, wrong

_FIT = "2. 要件との適合性"
_STACK = "3. 技術スタック比較/table 1"
_VERSUS = "比較：冗長化 vs マイクロサービス/table 1"
_LEARN = "1. 学習目的との適合性/list 1"
_MERITS = "冗長化を選ぶ主な理由（メリット）/list 1"
_RISKS = "受け入れるデメリット（リスク）/list 1"
_REVIEW = "見直し基準（マイクロサービス化を検討するタイミング）/list 1"

_REASONS = (
    promise(
        "decision.platform",
        "決定事項/text 1",
        "Google Kubernetes Engine (GKE) Autopilot",
        RECORD,
        "F",
        "A decision; sign-off names what only Autopilot itself can show",
    ),
    promise(
        "decision.learning",
        f"{_LEARN}/item 1",
        "負荷分散と冗長構成を自前で学習できる",
        PROCEDURE,
        "F",
        "The learning path is run through in the environment kind",
    ),
    promise(
        "decision.low_operations",
        f"{_LEARN}/item 2",
        "GKE Autopilotで運用負荷を抑える",
        RECORD,
        "F",
        "The operations pages list what is left to do by hand",
    ),
    promise(
        "decision.replicas_2_10",
        f"{_LEARN}/item 3",
        "レプリカ数を2〜10台まで簡単に変更可能",
        MEASUREMENT,
        "C",
        "Scaled 2 -> 10 -> 2 by the written commands and by the HPA",
    ),
    promise(
        "decision.future",
        f"{_LEARN}/item 4",
        "大規模化にも対応できる基盤",
        MEASUREMENT,
        "D",
        "The knee of the load search for 2..10 pods shows how far it grows",
    ),
)

_REQUIREMENTS = (
    promise(
        "requirements.concurrency_500",
        f"{_FIT}/table 1/row 1",
        "同時接続500人",
        MEASUREMENT,
        "D",
        "500 users at the document's pace, and 500 requests in flight, with 2..10 replicas",
        go=True,
    ),
    promise(
        "requirements.latency_500ms",
        f"{_FIT}/table 1/row 2",
        "p95 500ms目標",
        MEASUREMENT,
        "D",
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
        "F",
        "The published SLAs of every part in series, beside the measured availability",
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
        "C",
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
        "F",
        "The learning path is run through in the environment kind",
    ),
    promise(
        "load.target_qps",
        f"{_FIT}/list 1/item 1",
        "10 req/sec（同時接続500人、平均50秒/リクエスト想定）",
        MEASUREMENT,
        "D",
        "500 users at one request in 50 s each: 500 / 50 = 10.0/s offered and completed",
    ),
    promise(
        "load.pod_capacity",
        f"{_FIT}/list 1/item 2",
        "500mCPU/512Mi×2レプリカで約20 req/secまで対応可能",
        MEASUREMENT,
        "D",
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
        "D",
        "Both readings are run: N requests in flight, and N users at one request in 50 s",
        wrong(
            "load.ab_meets_rate_limit",
            "'同時接続' has two readings (N in flight, N users), and Apache Bench sends one token: beyond 100 "
            "requests a minute it measures the rate limiter (429), not the API",
            "name the reading of each stage; spread requests over enough users (Locust)",
        ),
    ),
)

_COMPARISON = (
    promise(
        "stack.monthly_cost",
        f"{_STACK}/row 1",
        "$150",
        CALCULATION,
        "F",
        "Recomputed from measured replica-hours",
        wrong(
            "cost.autopilot_150_or_225",
            "the comparison chooses Autopilot at $150 a month; the estimate below says $225.50 for the same",
            "compare the three with one bill of parts; Autopilot's is the table's total",
        ),
    ),
    promise(
        "stack.operations_load", f"{_STACK}/row 2", "運用負荷", RECORD, "F", "A judgement; the daily tasks are timed"
    ),
    promise("stack.learning", f"{_STACK}/row 3", "Kubernetes学習", RECORD, "F", "A judgement"),
    promise(
        "stack.one_command",
        f"{_STACK}/row 4",
        "簡単（1コマンド）",
        PROCEDURE,
        "C",
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
        "C",
        "replicas: changed in the manifest and applied, with the HPA on and off",
    ),
    promise(
        "stack.nodes", f"{_STACK}/row 6", "ノード管理", RECORD, "F", "Autopilot's own; not exercised in any environment"
    ),
)

_SCALE_OUT = (
    promise(
        "strategy.replicated_monolith",
        "結論：冗長化（単一アプリをスケール）を採用/text 1",
        "冗長化（単一アプリを複数Podで運用）",
        MANIFEST,
        "A",
        "One Deployment, one Service",
    ),
    promise(
        "strategy.versus.structure",
        f"{_VERSUS}/row 1",
        "単一コードベース＋1つのService",
        MANIFEST,
        "A",
        "The manifests hold one Deployment and one Service",
    ),
    promise(
        "strategy.versus.pipeline",
        f"{_VERSUS}/row 2",
        "単一パイプラインで容易",
        PROCEDURE,
        "F",
        "The workflow is linted and its steps are rehearsed",
    ),
    promise(
        "strategy.versus.scaling",
        f"{_VERSUS}/row 3",
        "全体を水平スケール（HPAでPod数調整）",
        MEASUREMENT,
        "D",
        "HPA under CPU alone and under memory alone",
    ),
    promise(
        "strategy.versus.blast_radius",
        f"{_VERSUS}/row 4",
        "全体に波及しやすい",
        MEASUREMENT,
        "D",
        "Chaos: what one slow dependency does to every endpoint",
    ),
    promise(
        "strategy.versus.observability",
        f"{_VERSUS}/row 5",
        "ログ・メトリクスがまとまる",
        MEASUREMENT,
        "F",
        "Log fields and metrics of every pod are found in one place",
    ),
    promise(
        "strategy.versus.network",
        f"{_VERSUS}/row 6",
        "内部通信ほぼ不要で設計が簡単",
        MANIFEST,
        "C",
        "NetworkPolicy: what paths the pods need",
    ),
    promise(
        "strategy.versus.cost",
        f"{_VERSUS}/row 7",
        "少規模では安価になりやすい",
        CALCULATION,
        "F",
        "Cost from measured replica-hours",
    ),
    promise("strategy.versus.speed", f"{_VERSUS}/row 8", "初期は高速（認知負荷が低い）", RECORD, "F", "A judgement"),
    promise("strategy.versus.team", f"{_VERSUS}/row 9", "少人数に最適", RECORD, "F", "A judgement"),
    promise(
        "strategy.versus.growth", f"{_VERSUS}/row 10", "段階的分割を前提に設計すればOK", RECORD, "F", "A judgement"
    ),
    promise("strategy.merit.simple", f"{_MERITS}/item 1", "シンプル & 早い", RECORD, "F", "A judgement"),
    promise(
        "strategy.merit.autopilot",
        f"{_MERITS}/item 2",
        "HPAでPodスケールだけに集中",
        MEASUREMENT,
        "C",
        "HPA 2 -> 10 -> 2 without touching nodes",
    ),
    promise(
        "strategy.merit.cost",
        f"{_MERITS}/item 3",
        "固定費が膨らみづらい",
        CALCULATION,
        "F",
        "Fixed and variable parts of the bill, recomputed",
    ),
    promise(
        "strategy.merit.operations",
        f"{_MERITS}/item 4",
        "監視・トラブルシュートの論点が少ない",
        RECORD,
        "F",
        "A judgement",
    ),
    promise(
        "strategy.risk.heavy_work",
        f"{_RISKS}/item 1",
        "画像処理",
        MEASUREMENT,
        "D",
        "Photo uploads as interference: p95 of the other calls beside them",
    ),
    promise(
        "strategy.risk.redundancy",
        f"{_RISKS}/item 2",
        "冗長化で可用性は担保",
        MEASUREMENT,
        "D",
        "Pods deleted under load; failures within what readiness and detection allow",
    ),
    promise(
        "strategy.risk.deferred",
        f"{_RISKS}/item 3",
        "独立スケールの細かな最適化は後回し",
        RECORD,
        "F",
        "Accepted; named at sign-off",
    ),
    promise(
        "strategy.review.load",
        f"{_REVIEW}/item 1",
        "負荷特性の分離",
        RECORD,
        "F",
        "The load report shows each operation's share of CPU",
    ),
    promise("strategy.review.team", f"{_REVIEW}/item 2", "チーム規模拡大", RECORD, "F", "A judgement"),
    promise(
        "strategy.review.slo", f"{_REVIEW}/item 3", "SLO要件の分離", RECORD, "F", "Objectives by operation, shown apart"
    ),
)

_PICTURE = (
    promise(
        "architecture.diagram",
        "アーキテクチャ構成/code 1",
        "Auto Scale 2-10",
        MANIFEST,
        "A",
        "Every part of the diagram is a part of the stack, or named as missing",
        wrong(
            "architecture.https_at_l4",
            "the client's arrow says HTTPS, but a Service of type LoadBalancer is layer 4 and its only port is "
            "80: no TLS ends anywhere before Phase 4, while users come in Phases 2-3 (and iOS refuses plain HTTP)",
            "bring the Ingress with its certificate into Phase 2",
        ),
    ),
    promise(
        "architecture.storage",
        "アーキテクチャ構成/code 1",
        "|Firebase SDK| FirebaseStorage",
        MEASUREMENT,
        "B",
        "Every walk's thumbnail is in Storage, and none is left of a deleted walk",
    ),
    promise(
        "architecture.https_clients",
        "アーキテクチャ構成/text 1",
        "APIはHTTPS経由で公開される",
        MANIFEST,
        "C",
        "Looked for in the manifests; see erratum architecture.https_at_l4",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_REASONS, *_REQUIREMENTS, *_COMPARISON, *_SCALE_OUT, *_PICTURE)
