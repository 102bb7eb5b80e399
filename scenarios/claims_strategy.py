"""Claims of アーキテクチャ戦略 and アーキテクチャ構成."""

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

_VERSUS = "比較：冗長化 vs マイクロサービス/table 1"
_MERITS = "冗長化を選ぶ主な理由（メリット）/list 1"
_RISKS = "受け入れるデメリット（リスク）/list 1"
_REVIEW = "見直し基準（マイクロサービス化を検討するタイミング）/list 1"

_SCALE_OUT = (
    promise(
        "strategy.replicated_monolith",
        "結論：冗長化（単一アプリをスケール）を採用/text 1",
        "冗長化（単一アプリを複数Podで運用）",
        MANIFEST,
        judged_by("rollout"),
        "One Deployment, one Service",
    ),
    promise(
        "strategy.versus.structure",
        f"{_VERSUS}/row 1",
        "単一コードベース＋1つのService",
        MANIFEST,
        judged_by("rollout"),
        "The manifests hold one Deployment and one Service",
    ),
    promise(
        "strategy.versus.pipeline",
        f"{_VERSUS}/row 2",
        "単一パイプラインで容易",
        PROCEDURE,
        judged_by("infrastructure"),
        "The workflows that deploy are counted; what their steps do: deploy_rehearsal",
    ),
    promise(
        "strategy.versus.scaling",
        f"{_VERSUS}/row 3",
        "全体を水平スケール（HPAでPod数調整）",
        MEASUREMENT,
        judged_by("scaling"),
        "HPA under CPU alone and under memory alone",
    ),
    promise(
        "strategy.versus.blast_radius",
        f"{_VERSUS}/row 4",
        "全体に波及しやすい",
        MEASUREMENT,
        judged_by("chaos"),
        "Chaos: what one slow dependency does to every endpoint",
    ),
    promise(
        "strategy.versus.observability",
        f"{_VERSUS}/row 5",
        "ログ・メトリクスがまとまる",
        MEASUREMENT,
        judged_by("rollout"),
        "Log fields and metrics of every pod are found in one place",
    ),
    promise(
        "strategy.versus.network",
        f"{_VERSUS}/row 6",
        "内部通信ほぼ不要で設計が簡単",
        MANIFEST,
        judged_by("network"),
        "NetworkPolicy: what paths the pods need",
    ),
    promise(
        "strategy.versus.cost",
        f"{_VERSUS}/row 7",
        "少規模では安価になりやすい",
        CALCULATION,
        judged_by("cost"),
        "By the price list: one application of the fewest pods beside the supposed services of as many each",
    ),
    promise(
        "strategy.versus.speed", f"{_VERSUS}/row 8", "初期は高速（認知負荷が低い）", RECORD, person(), "A judgement"
    ),
    promise("strategy.versus.team", f"{_VERSUS}/row 9", "少人数に最適", RECORD, person(), "A judgement"),
    promise(
        "strategy.versus.growth",
        f"{_VERSUS}/row 10",
        "段階的分割を前提に設計すればOK",
        RECORD,
        person("manifest.hpa.max", "load.stages"),
        "A judgement",
    ),
    promise(
        "strategy.merit.simple",
        f"{_MERITS}/item 1",
        "シンプル & 早い",
        RECORD,
        person("strategy.versus.network"),
        "A judgement",
    ),
    promise(
        "strategy.merit.autopilot",
        f"{_MERITS}/item 2",
        "HPAでPodスケールだけに集中",
        MEASUREMENT,
        judged_by("scaling"),
        "HPA 2 -> 10 -> 2 without touching nodes",
    ),
    promise(
        "strategy.merit.cost",
        f"{_MERITS}/item 3",
        "固定費が膨らみづらい",
        CALCULATION,
        judged_by("cost"),
        "Fixed and variable parts of the bill, recomputed",
    ),
    promise(
        "strategy.merit.operations",
        f"{_MERITS}/item 4",
        "監視・トラブルシュートの論点が少ない",
        RECORD,
        person("monitoring.commands"),
        "A judgement",
    ),
    promise(
        "strategy.risk.heavy_work",
        f"{_RISKS}/item 1",
        "画像処理",
        MEASUREMENT,
        judged_by("chaos"),
        "Heavy work in the API's own control group, as an image being made smaller there would be: the share of the "
        "requests that fails meanwhile",
    ),
    promise(
        "strategy.risk.redundancy",
        f"{_RISKS}/item 2",
        "冗長化で可用性は担保",
        MEASUREMENT,
        judged_by("chaos"),
        "Pods deleted under load; failures within what readiness and detection allow",
    ),
    promise(
        "strategy.risk.deferred",
        f"{_RISKS}/item 3",
        "独立スケールの細かな最適化は後回し",
        RECORD,
        person("load.pod_capacity", "checklist.performance.sizing"),
        "Accepted; named at sign-off",
    ),
    promise(
        "strategy.review.load",
        f"{_REVIEW}/item 1",
        "負荷特性の分離",
        RECORD,
        person("load.pod_capacity", "checklist.performance.sizing"),
        "The load report shows each operation's share of CPU",
    ),
    promise("strategy.review.team", f"{_REVIEW}/item 2", "チーム規模拡大", RECORD, person(), "A judgement"),
    promise(
        "strategy.review.slo",
        f"{_REVIEW}/item 3",
        "SLO要件の分離",
        RECORD,
        person("rollout.week4.success.availability", "rollout.week2.success.latency_p95"),
        "Objectives by operation, shown apart",
    ),
)

_PICTURE = (
    promise(
        "architecture.diagram",
        "アーキテクチャ構成/code 1",
        "Auto Scale 2-10",
        MANIFEST,
        judged_by("rollout"),
        "The client's arrow: whether the manifests have a way in that ends TLS; each other part is a claim of its own",
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
        judged_by("rollout", "chaos", "deploy_rehearsal"),
        "Every walk's thumbnail is in Storage, and none is left of a deleted walk",
    ),
    promise(
        "architecture.https_clients",
        "アーキテクチャ構成/text 1",
        "APIはHTTPS経由で公開される",
        MANIFEST,
        judged_by("rollout"),
        "Looked for in the manifests; see erratum architecture.https_at_l4",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_SCALE_OUT, *_PICTURE)
