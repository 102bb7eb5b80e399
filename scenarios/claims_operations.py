"""Claims of 運用計画 but its checklist, Kubernetes学習パス and 関連ドキュメント."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import (
    ARITHMETIC,
    CLUSTER,
    DATA_LOST,
    KIND,
    MANIFEST,
    MEASUREMENT,
    MONEY,
    OUTAGE,
    PROCEDURE,
    READ,
    RECORD,
    REGION,
    SEEN,
    WORDING,
    WRONG_FIGURE,
    judged_by,
    person,
    promise,
    wrong,
)

_CREATE = "GKEクラスタ作成/code 1"
_FIRST = "初回デプロイ/code 1"
_WORK = "Phase2（実装フェーズ）での作業/list 1"
_TASKS = "運用タスク/list 1"
_LINKS = "関連ドキュメント/list 1"


def _link(name: str, item: int, file: str) -> Claim:
    """A file that the document names and promises nothing of."""
    return promise(
        f"related.{name}",
        f"{_LINKS}/item {item}",
        file,
        RECORD,
        person(),
        "Not at hand; named",
        says=f"The team's file {file.removeprefix('./')} belongs to the document.",
        not_rehearsed="A link to another file of the team: it promises nothing of its own.",
    )


_START = (
    promise(
        "operations.create_cluster",
        _CREATE,
        "gcloud container clusters create-auto tekutoko-cluster",
        PROCEDURE,
        judged_by("infrastructure"),
        "Read only: whether one way alone makes the cluster; no cloud is touched",
        wrong(
            "operations.cluster_twice",
            "the cluster is created by gcloud here and by Terraform there, under one name: whoever comes second "
            "fails, and a cluster made by hand is outside the state",
            "replace the command by terraform apply; keep get-credentials",
            WORDING,
            READ,
        ),
        says="gcloud creates the Autopilot cluster tekutoko-cluster in Tokyo.",
        shown_on=REGION,
        first_sign="gcloud ends in an error: a cluster of that name exists, for Terraform has made it.",
    ),
    promise(
        "operations.credentials",
        _CREATE,
        "gcloud container clusters get-credentials tekutoko-cluster",
        PROCEDURE,
        judged_by("infrastructure"),
        "Read only: every command and step means the same cluster",
        says="gcloud gives kubectl access to the cluster that all other commands mean.",
        shown_on=ARITHMETIC,
    ),
    promise(
        "operations.first_deploy",
        _FIRST,
        "kubectl apply -f backend/deploy/kubernetes/base/",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written on kind: the Secret is refused (errata operations.apply_placeholders and "
        "manifest.secret.placeholders_not_base64)",
        wrong(
            "operations.apply_placeholders",
            "PROJECT_ID, REGION, INSTANCE_NAME and the Secret's placeholders are in the files applied: the Secret is "
            "refused, and with one filled in no image could be pulled and no instance found",
            "kubectl apply -k on an overlay of the environment that fills them",
            WORDING,
            SEEN,
        ),
        says="kubectl apply on the folder base brings up everything the first time.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
    promise(
        "operations.confirm",
        _FIRST,
        "kubectl get all",
        PROCEDURE,
        judged_by("scaling", "runbooks"),
        "Run as written: each ends in 0 and shows the Deployment and the Service; kinds that get all leaves out are "
        "named",
        says="kubectl get all and get svc confirm what was deployed.",
        shown_on=KIND,
    ),
)

_PHASE2 = (
    promise(
        "phase2.terraform",
        f"{_WORK}/item 1",
        "GKE Autopilot、Cloud SQL (HA)、IAM、Secret Manager",
        MANIFEST,
        judged_by("infrastructure"),
        "A resource for each of the four is looked for; whether Cloud SQL has HA: iac.database.ha",
        says="Terraform has a resource for GKE Autopilot, Cloud SQL, IAM and Secret Manager.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "phase2.manifests",
        f"{_WORK}/item 2",
        "Kubernetesマニフェスト作成",
        MANIFEST,
        judged_by("rollout"),
        "The seven kinds are looked for among the manifests that were applied",
        says="There are manifests of all seven kinds of Phase 2.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "phase2.dockerfile",
        f"{_WORK}/item 3",
        "マルチステージビルド",
        MANIFEST,
        judged_by("infrastructure"),
        "The stages of each Dockerfile are counted; the scan of images: security.scan.container",
        says="The Dockerfile builds in several stages.",
        shown_on=ARITHMETIC,
    ),
    promise(
        "phase2.cicd",
        f"{_WORK}/item 4",
        "自動ロールバック",
        PROCEDURE,
        judged_by("deploy_rehearsal"),
        "A version that never becomes ready: whether anything but the rehearsal's own command undoes it; see erratum "
        "cicd.no_undo",
        says="The pipeline undoes a bad version by itself.",
        shown_on=CLUSTER,
        consequence=OUTAGE,
        first_sign=(
            "The workflow's run fails, and `kubectl get pods` still shows pods of the new version that are not ready."
        ),
    ),
    promise(
        "phase2.monitoring",
        f"{_WORK}/item 5",
        "アラート設定",
        MEASUREMENT,
        judged_by("alert_drill"),
        "Each alert of the rendered rules fires on injected faults, resolves, and is delivered, in the document's own "
        "minutes",
        says="The alerts are set up: each fires when it must, resolves and arrives.",
        consequence=OUTAGE,
    ),
    promise(
        "phase2.dashboard",
        f"{_WORK}/item 5",
        "ダッシュボード作成",
        RECORD,
        person("sli.latency", "sli.errors", "sli.request_rate", "sli.pod_resources", "sli.replicas"),
        "A page of the team in Cloud Monitoring, which no run sees",
        says="The team makes a dashboard of the indicators.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "phase2.ios",
        f"{_WORK}/item 6",
        "Factory Pattern実装、Feature Flag統合、互換性テスト",
        RECORD,
        person("flag.factory", "flag.remote_config", "api.mirror_format"),
        "The app's code is its team's: a person's to sign; the population behaves as that app",
        says="The app hides both backends behind a factory with a flag, and has compatibility tests.",
        consequence=DATA_LOST,
    ),
    promise(
        "phase2.migration",
        f"{_WORK}/item 7",
        "Firestore→PostgreSQL変換、二重書き実装",
        MEASUREMENT,
        judged_by("migration_drill", unmeasured="--walks --locations --kills --week"),
        "A migration under live traffic, compared field by field",
        says="A script moves the walks from Firestore to PostgreSQL, and the API writes both.",
        consequence=DATA_LOST,
    ),
)

_ROUTINE = (
    promise(
        "operations.daily",
        f"{_TASKS}/item 1",
        "`kubectl get pods`でPod状態確認",
        PROCEDURE,
        judged_by("scaling", "operations"),
        "The commands are run as written, and each shows something; that somebody looks every day is the team's to do",
        says="Every day somebody looks at pods, logs and metrics by kubectl.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
    promise(
        "operations.weekly",
        f"{_TASKS}/item 2",
        "レプリカ数調整",
        RECORD,
        judged_by("operations"),
        "The figures of the review are there: of costs, indicators and scaling each a claim was judged, and none "
        "failed; the review itself, and replicas by hand, are people's (erratum scaling.hpa_takes_back)",
        says="Every week costs, performance and the number of replicas are reviewed.",
        consequence=MONEY,
    ),
    promise(
        "operations.monthly",
        f"{_TASKS}/item 3",
        "SLOレビュー、キャパシティプランニング",
        RECORD,
        judged_by("operations"),
        "The figures of the review are there: of objectives, load and recovery each a claim was judged, and none "
        "failed; the review itself is people's",
        says="Every month objectives and capacity are reviewed.",
        consequence=OUTAGE,
    ),
)

_LEARNING = (
    promise(
        "learning.phase2",
        "Phase2で学べること（最小構成）/code 1",
        "Deploymentによる宣言的管理",
        PROCEDURE,
        judged_by("runbooks"),
        "The commands of each line's exercise are typed on kind: each ends in 0 and shows something",
        wrong(
            "learning.phase2_lacks_hpa_and_probes",
            "Phase 2 requires hpa.yaml and poddisruptionbudget.yaml and its Deployment has probes and limits, but "
            "the path teaches HPA, probes and limits in Phase 4",
            "move the three lines to Phase 2 and add the PodDisruptionBudget",
            WORDING,
            READ,
        ),
        says="Phase 2 teaches pods, Deployments, Services, configuration, kubectl, rolling updates and resources.",
        shown_on=KIND,
    ),
    promise(
        "learning.phase4",
        "Phase4で学べること（拡張）/code 1",
        "Liveness/Readiness Probe",
        PROCEDURE,
        judged_by("runbooks"),
        "The commands of each line's exercise are typed on kind: each ends in 0 and shows something",
        says="Phase 4 teaches the HPA, probes, limits and troubleshooting.",
        shown_on=KIND,
        phase=4,
    ),
    promise(
        "learning.phase6",
        "Phase6以降（さらなる拡張）/code 1",
        "Network Policy（セキュリティ強化時）",
        PROCEDURE,
        judged_by("runbooks"),
        "The commands of each line's exercise are typed: each ends in 0 and shows something; an Ingress leads "
        "nowhere on kind, which has no controller for it",
        wrong(
            "learning.phase6_or_4",
            "Ingress and NetworkPolicy are Phase 4 manifests; the path has them from Phase 6",
            "move them to Phase 4",
            WORDING,
            READ,
        ),
        says="From Phase 6 on Ingress, NetworkPolicy and StatefulSet are taught.",
        shown_on=CLUSTER,
        phase=6,
    ),
)

_RELATED = (
    _link("requirements", 1, "./requirements.md"),
    _link("protocol", 2, "./communication-protocol.md"),
    _link("schema", 3, "./database-schema.md"),
    promise(
        "related.api",
        f"{_LINKS}/item 4",
        "./openapi.yaml",
        MEASUREMENT,
        judged_by("conformance"),
        "The answers to the contract's calls, and the calls themselves, against the team's own openapi.yaml, where it "
        "is given (--openapi)",
        says="The API does what openapi.yaml says.",
        consequence=WRONG_FIGURE,
    ),
    _link("network", 5, "./network-architecture.md"),
)

CLAIMS: tuple[Claim, ...] = (*_START, *_PHASE2, *_ROUTINE, *_LEARNING, *_RELATED)
