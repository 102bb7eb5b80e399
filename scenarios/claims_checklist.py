"""The 27 items of Phase2実装前の確認・追加項目: what must be there before anyone signs Phase 2."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import RECORD, judged_by, person, promise, wrong

_LIST = "Phase2実装前の確認・追加項目/checklist"

_PERFORMANCE = (
    promise(
        "checklist.performance.load_plan",
        f"{_LIST} 1/item 1",
        "負荷試験計画書作成",
        RECORD,
        person("load.stages", "load.target_qps"),
        "The load stages' scenario: target rate, users, how it is measured",
    ),
    promise(
        "checklist.performance.sizing",
        f"{_LIST} 1/item 2",
        "HPA/Podサイズの根拠資料作成",
        RECORD,
        judged_by("load_stages"),
        "The knee per pod and the HPA's behaviour, measured",
        go=True,
    ),
    promise(
        "checklist.performance.external_metrics",
        f"{_LIST} 1/item 3",
        "外部メトリクス",
        RECORD,
        person("sli.latency", "sli.request_rate", "manifest.hpa.external"),
        "A plan of the team; that the API tells what an external metric needs, and what an HPA does with it",
    ),
)

_AVAILABILITY = (
    promise(
        "checklist.availability.cloud_sql_ha",
        f"{_LIST} 2/item 1",
        "Cloud SQL HA構成の詳細設計",
        RECORD,
        person("iac.database.ha", "dr.rto"),
        "Failover rehearsed with a standby; the outage seen by users",
    ),
    promise(
        "checklist.availability.pdb",
        f"{_LIST} 2/item 2",
        "PodDisruptionBudget設定値の決定",
        RECORD,
        judged_by("scaling"),
        "Drain under the PDB",
    ),
    promise(
        "checklist.availability.multi_zone",
        f"{_LIST} 2/item 3",
        "マルチゾーンデプロイ検証手順書",
        RECORD,
        judged_by("zone_loss", "runbooks"),
        "Loss of a zone, rehearsed",
    ),
    promise(
        "checklist.availability.auto_rollback",
        f"{_LIST} 2/item 4",
        "自動ロールバック設定の実装計画",
        RECORD,
        judged_by("deploy_rehearsal"),
        "A version that breaks a limit under load, undone by the judge",
    ),
)

_IAC = (
    promise(
        "checklist.iac.backend",
        f"{_LIST} 3/item 1",
        "Terraform backend設定（Cloud Storage + KMS）",
        RECORD,
        judged_by("infrastructure"),
        "Read off the backend's block; see erratum iac.state_key_is_no_kms",
    ),
    promise(
        "checklist.iac.secrets",
        f"{_LIST} 3/item 2",
        "Secrets管理方針（SOPS/Secret Manager CSI Driver）",
        RECORD,
        person("security.csi.volume", "iac.secrets.csi", "manifest.secret.from_secret_manager"),
        "The CSI pattern rehearsed",
    ),
    promise(
        "checklist.iac.environments",
        f"{_LIST} 3/item 3",
        "環境差分管理戦略（dev/staging/prod）",
        RECORD,
        judged_by("infrastructure"),
        "The environments' folders are compared",
    ),
    promise(
        "checklist.iac.modules",
        f"{_LIST} 3/item 4",
        "Terraformモジュール粒度の決定",
        RECORD,
        person(),
        "A decision; the modules are listed",
    ),
)

_SECURITY = (
    promise(
        "checklist.security.workload_identity",
        f"{_LIST} 4/item 1",
        "Workload Identityのサービスアカウント設計書",
        RECORD,
        judged_by("security"),
        "Whether Firebase Admin is needed, as of security.least_privilege; the design itself is not read",
    ),
    promise(
        "checklist.security.csi",
        f"{_LIST} 4/item 2",
        "Secret Manager CSI Driver導入計画",
        RECORD,
        judged_by("secret_rotation"),
        "The CSI pattern rehearsed",
    ),
    promise(
        "checklist.security.tls",
        f"{_LIST} 4/item 3",
        "NetworkPolicy/Ingress + TLS証明書管理計画（Phase4）",
        RECORD,
        judged_by("network"),
        "The opt-in components rehearsed",
    ),
    promise(
        "checklist.security.scan",
        f"{_LIST} 4/item 4",
        "脆弱性スキャンCI/CD統合",
        RECORD,
        judged_by("infrastructure"),
        "Looked for in the workflow",
    ),
)

_OPERATIONS = (
    promise(
        "checklist.operations.slo",
        f"{_LIST} 5/item 1",
        "SLOドキュメント作成",
        RECORD,
        person("slo.availability", "rollout.week4.success.availability", "rollout.week2.success.latency_p95"),
        "The definitions the judge uses, written out",
    ),
    promise(
        "checklist.operations.dashboard",
        f"{_LIST} 5/item 2",
        "Cloud Monitoringダッシュボード設計",
        RECORD,
        person("sli.latency", "sli.errors", "sli.request_rate", "sli.pod_resources", "sli.replicas"),
        "A page of the team; that each panel has its indicator: the evidence of every run",
    ),
    promise(
        "checklist.operations.alerts",
        f"{_LIST} 5/item 3",
        "アラート設定詳細（閾値、通知経路）",
        RECORD,
        person(
            "alert.availability",
            "alert.latency_p95",
            "alert.error_ratio",
            "alert.error_budget",
            "alert.route.slack",
            "alert.route.email",
            "alert.route.pagerduty",
        ),
        "A page of the team; that the rules fire and are delivered: alert_drill",
    ),
    promise(
        "checklist.operations.log_retention",
        f"{_LIST} 5/item 4",
        "ログ保持期間と費用コントロール方針",
        RECORD,
        person("cost.logging", "cost.saving.log_retention"),
        "A policy of the team; what a request logs, measured, and what keeping it costs",
    ),
)

_MIGRATION = (
    promise(
        "checklist.migration.dual_write",
        f"{_LIST} 6/item 1",
        "データ同期方式の詳細設計（二重書き実装）",
        RECORD,
        person("dual_write.diagram", "dual_write.failures_logged", "dual_write.stop"),
        "Dual write proved; losses named",
    ),
    promise(
        "checklist.migration.script",
        f"{_LIST} 6/item 2",
        "データ移行スクリプトの検証計画",
        RECORD,
        judged_by("migration_drill", unmeasured="--walks --locations"),
        "Migration under live traffic",
    ),
    promise(
        "checklist.migration.criteria",
        f"{_LIST} 6/item 3",
        "ロールアウト成功/失敗基準の明確化",
        RECORD,
        person(
            "rollout.week1.success.error_ratio",
            "rollout.week2.success.latency_p95",
            "rollout.week3.success.availability",
            "rollout.week4.success.availability",
        ),
        "The judge's definitions, windows and samples; see erratum rollout.no_windows",
    ),
    promise(
        "checklist.migration.ios_tests",
        f"{_LIST} 6/item 4",
        "iOS側互換性テストケース作成",
        RECORD,
        person("api.mirror_format", "dual_write.method", "flag.factory"),
        "Golden documents of both sides",
    ),
)

_COST = (
    promise(
        "checklist.cost.sizing",
        f"{_LIST} 7/item 1",
        "Autopilot/Cloud SQLの最終スペック見積",
        RECORD,
        person("cost.autopilot", "cost.cloud_sql", "cost.assumption.database_size"),
        "A decision of the team; pods and connections of a week that was measured, and what they cost",
    ),
    promise(
        "checklist.cost.budget",
        f"{_LIST} 7/item 2",
        "予算調整（月額$225 → ¥34,000）",
        RECORD,
        judged_by("cost"),
        "The corrected bill; see erratum cost.total_from_wrong_parts",
    ),
    promise(
        "checklist.cost.alerts",
        f"{_LIST} 7/item 3",
        "Budget Alerts設定（$500超過で通知）",
        RECORD,
        judged_by("cost"),
        "The phase that the chapter on costs gives the alert, beside the checklist's",
        wrong(
            "checklist.budget_alert_phase",
            "before Phase 2 here, from Phase 4 in the cost chapter",
            "Phase 2, at shares of the budget (erratum cost.budget_alert_too_high)",
        ),
    ),
    promise(
        "checklist.cost.savings",
        f"{_LIST} 7/item 4",
        "コスト削減策の優先順位付け",
        RECORD,
        person("cost.saving.commitment", "cost.saving.log_retention", "cost.saving.budget_alert"),
        "A decision of the team; each saving recomputed from the bill, the largest first",
    ),
)

CLAIMS: tuple[Claim, ...] = (
    *_PERFORMANCE,
    *_AVAILABILITY,
    *_IAC,
    *_SECURITY,
    *_OPERATIONS,
    *_MIGRATION,
    *_COST,
)
