"""Claims of 運用計画 but its checklist, Kubernetes学習パス and 関連ドキュメント."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import MANIFEST, MEASUREMENT, PROCEDURE, RECORD, judged_by, person, promise, wrong

_CREATE = "GKEクラスタ作成/code 1"
_FIRST = "初回デプロイ/code 1"
_WORK = "Phase2（実装フェーズ）での作業/list 1"
_TASKS = "運用タスク/list 1"
_LINKS = "関連ドキュメント/list 1"

_START = (
    promise(
        "operations.create_cluster",
        _CREATE,
        "gcloud container clusters create-auto tekutoko-cluster",
        PROCEDURE,
        judged_by("infrastructure"),
        "Read only: no cloud is touched; kind stands in",
        wrong(
            "operations.cluster_twice",
            "the cluster is created by gcloud here and by Terraform there, under one name: whoever comes second "
            "fails, and a cluster made by hand is outside the state",
            "replace the command by terraform apply; keep get-credentials",
        ),
    ),
    promise(
        "operations.credentials",
        _CREATE,
        "gcloud container clusters get-credentials tekutoko-cluster",
        PROCEDURE,
        judged_by("infrastructure"),
        "Read only: every command and step means the same cluster",
    ),
    promise(
        "operations.first_deploy",
        _FIRST,
        "kubectl apply -f backend/deploy/kubernetes/base/",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written on kind: the Secret is refused (erratum manifest.secret.placeholders_not_base64)",
        wrong(
            "operations.apply_placeholders",
            "PROJECT_ID, REGION, INSTANCE_NAME and the Secret's placeholders are in the files applied: no image "
            "can be pulled, no instance found",
            "kubectl apply -k on an overlay of the environment that fills them",
        ),
    ),
    promise(
        "operations.confirm",
        _FIRST,
        "kubectl get all",
        PROCEDURE,
        judged_by("scaling", "runbooks"),
        "Kinds shown against kinds applied",
        wrong(
            "operations.get_all_is_not_all",
            "kubectl get all shows no ConfigMap, Secret, ServiceAccount or PodDisruptionBudget: four of the seven",
            "kubectl get -k FOLDER",
        ),
    ),
)

_PHASE2 = (
    promise(
        "phase2.terraform",
        f"{_WORK}/item 1",
        "GKE Autopilot、Cloud SQL (HA)、IAM、Secret Manager",
        MANIFEST,
        judged_by("infrastructure"),
        "A resource for each of the four is looked for",
    ),
    promise(
        "phase2.manifests",
        f"{_WORK}/item 2",
        "Kubernetesマニフェスト作成",
        MANIFEST,
        judged_by("rollout"),
        "The seven, loaded",
    ),
    promise(
        "phase2.dockerfile",
        f"{_WORK}/item 3",
        "マルチステージビルド",
        MANIFEST,
        judged_by("infrastructure"),
        "The stages of each Dockerfile are counted",
    ),
    promise(
        "phase2.cicd",
        f"{_WORK}/item 4",
        "自動ロールバック",
        PROCEDURE,
        judged_by("deploy_rehearsal"),
        "A version that never becomes ready is undone; see erratum cicd.no_undo",
    ),
    promise(
        "phase2.monitoring",
        f"{_WORK}/item 5",
        "SLI/SLO定義、アラート設定、ダッシュボード作成",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "Each alert of the rendered rules fires on injected faults, resolves, and is delivered",
    ),
    promise(
        "phase2.ios",
        f"{_WORK}/item 6",
        "Factory Pattern実装、Feature Flag統合、互換性テスト",
        MEASUREMENT,
        person("flag.factory", "flag.remote_config", "api.mirror_format"),
        "The app's code is its team's: a person's to sign; the population behaves as that app",
    ),
    promise(
        "phase2.migration",
        f"{_WORK}/item 7",
        "Firestore→PostgreSQL変換、二重書き実装",
        MEASUREMENT,
        judged_by("migration_drill", unmeasured="--walks --locations --kills --week"),
        "A migration under live traffic, compared field by field",
    ),
)

_ROUTINE = (
    promise(
        "operations.daily",
        f"{_TASKS}/item 1",
        "`kubectl get pods`でPod状態確認",
        PROCEDURE,
        judged_by("scaling", "operations"),
        "Run as written",
    ),
    promise(
        "operations.weekly",
        f"{_TASKS}/item 2",
        "レプリカ数調整",
        RECORD,
        judged_by("operations"),
        "The weekly figures are in the report; replicas by hand meet the HPA (erratum scaling.hpa_takes_back)",
    ),
    promise(
        "operations.monthly",
        f"{_TASKS}/item 3",
        "SLOレビュー、キャパシティプランニング",
        RECORD,
        judged_by("operations"),
        "Budget left and the knee are in the report",
    ),
)

_LEARNING = (
    promise(
        "learning.phase2",
        "Phase2で学べること（最小構成）/code 1",
        "Deploymentによる宣言的管理",
        PROCEDURE,
        judged_by("runbooks"),
        "Each line has an exercise in the environment kind",
        wrong(
            "learning.phase2_lacks_hpa_and_probes",
            "Phase 2 requires hpa.yaml and poddisruptionbudget.yaml and its Deployment has probes and limits, but "
            "the path teaches HPA, probes and limits in Phase 4",
            "move the three lines to Phase 2 and add the PodDisruptionBudget",
        ),
    ),
    promise(
        "learning.phase4",
        "Phase4で学べること（拡張）/code 1",
        "Liveness/Readiness Probe",
        PROCEDURE,
        judged_by("runbooks"),
        "Each line has an exercise in the environment kind",
    ),
    promise(
        "learning.phase6",
        "Phase6以降（さらなる拡張）/code 1",
        "Network Policy（セキュリティ強化時）",
        PROCEDURE,
        judged_by("runbooks"),
        "Each line has an exercise in the environment kind",
        wrong(
            "learning.phase6_or_4",
            "Ingress and NetworkPolicy are Phase 4 manifests; the path has them from Phase 6",
            "move them to Phase 4",
        ),
    ),
)

_RELATED = (
    promise("related.requirements", f"{_LINKS}/item 1", "./requirements.md", RECORD, person(), "Not at hand; named"),
    promise(
        "related.protocol", f"{_LINKS}/item 2", "./communication-protocol.md", RECORD, person(), "Not at hand; named"
    ),
    promise(
        "related.schema",
        f"{_LINKS}/item 3",
        "./database-schema.md",
        MEASUREMENT,
        judged_by("conformance"),
        "What an answered write leaves in the tables of the schema",
    ),
    promise(
        "related.api",
        f"{_LINKS}/item 4",
        "./openapi.yaml",
        MEASUREMENT,
        judged_by("conformance"),
        "Each call of the contract, asked one by one",
    ),
    promise("related.network", f"{_LINKS}/item 5", "./network-architecture.md", RECORD, person(), "Not at hand; named"),
)

CLAIMS: tuple[Claim, ...] = (*_START, *_PHASE2, *_ROUTINE, *_LEARNING, *_RELATED)
