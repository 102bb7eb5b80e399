"""Claims of セキュリティ: permissions, network, hardening, backup and disaster recovery."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import MANIFEST, MEASUREMENT, PROCEDURE, RECORD, judged_by, person, promise, wrong

_NETWORK = "ネットワークセキュリティ/list 1"
_HARDENING = "セキュリティ強化施策（Phase2実装項目）"
_DR = "バックアップ・災害復旧（RTO/RPO）"

_IAM = (
    promise(
        "security.workload_identity",
        "IAM権限/code 1",
        "Kubernetes Service Account → GCP Service Account",
        MANIFEST,
        judged_by("security"),
        "The same ServiceAccount as in the manifests; see erratum manifest.workload_identity_binding_missing",
    ),
    promise(
        "security.iam.cloud_sql",
        "IAM権限/list 1/item 1",
        "Cloud SQL Client",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for in the Terraform",
    ),
    promise(
        "security.iam.secret_manager",
        "IAM権限/list 1/item 2",
        "Secret Manager Accessor",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for in the Terraform",
    ),
    promise(
        "security.iam.firebase",
        "IAM権限/list 1/item 3",
        "Firebase Admin",
        MANIFEST,
        judged_by("security"),
        "The calls the API makes against what the role allows",
        wrong(
            "security.firebase_admin_too_broad",
            "Firebase Admin may change every Firebase product; verifying ID tokens needs no role, and the mirror "
            "needs Firestore only: no least privilege",
            "grant roles/datastore.user (and Storage's object role where used) instead",
        ),
    ),
)

_NET = (
    promise(
        "security.network.tls",
        f"{_NETWORK}/item 1",
        "HTTPS終端（Phase4でIngressに移行）",
        MANIFEST,
        judged_by("network"),
        "Asked by HTTPS: the Service, then the Ingress",
        wrong(
            "security.load_balancer_ends_no_tls",
            "a layer-4 LoadBalancer Service with port 80 ends no TLS: there is nothing to move in Phase 4, and ID "
            "tokens travel in the clear until then",
            "bring Ingress and certificate into Phase 2 (as erratum architecture.https_at_l4)",
        ),
    ),
    promise(
        "security.network.cloud_armor",
        f"{_NETWORK}/item 2",
        "DDoS対策（Phase4で追加）",
        RECORD,
        person("security.network.tls"),
        "Google's own; not exercised. The API's rate limit is",
    ),
    promise(
        "security.network.private_nodes",
        f"{_NETWORK}/item 3",
        "ノードはプライベートIP（Autopilotデフォルト）",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for in the create command and the Terraform",
        wrong(
            "security.private_nodes_not_asked_for",
            "neither the create-auto command (--enable-private-nodes) nor the Terraform (private_cluster_config) "
            "asks for private nodes; a default may change",
            "ask for them in both, with Cloud NAT for the way out",
        ),
    ),
    promise(
        "security.network.policy",
        f"{_NETWORK}/item 4",
        "Pod間通信制限（Phase4で追加）",
        MEASUREMENT,
        judged_by("network"),
        "Allowed paths work, all others are refused",
    ),
)

_HARD = (
    promise(
        "security.csi.volume",
        f"{_HARDENING}/code 1",
        "driver: secrets-store.csi.k8s.io",
        PROCEDURE,
        judged_by("secret_rotation"),
        "The CSI pattern with a local provider; a password rotated under load",
        wrong(
            "security.csi.volume_alone",
            "no container mounts the volume, so kubelet passes over it: the pod starts and the driver is never asked; "
            "with a mount, the class tekutoko-secrets is defined nowhere and no pod starts",
            "add SecretProviderClass, volumeMount and secretObjects (base removes the volume until then)",
        ),
        wrong(
            "security.csi.driver_on_autopilot",
            "GKE's managed add-on, the one for Autopilot, registers secrets-store-gke.csi.k8s.io; the name "
            "printed is the open-source driver's",
            "enable the Secret Manager add-on and use its driver name, provider gke; it mounts files only, so for the "
            "variable DB_PASSWORD also GKE's secret synchronization (1.34 or newer), which makes the Secret",
        ),
    ),
    promise(
        "security.scan.container",
        f"{_HARDENING}/list 1/item 1",
        "Artifact Registry自動スキャン有効化",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for in the Terraform",
        wrong(
            "security.scan_needs_artifact_registry",
            "images are pushed to gcr.io and no Artifact Registry repository is managed: nothing is scanned",
            "manage the repository and push there (as erratum manifest.gcr_shut_down)",
        ),
    ),
    promise(
        "security.scan.go_modules",
        f"{_HARDENING}/list 1/item 2",
        "go list -m all | nancy sleuth",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for in the workflow",
        wrong(
            "security.nancy_input",
            "the workflow printed has no scan at all, and nancy reads `go list -json -deps ./...` for what is "
            "really built; -m all also lists modules that never ship",
            "run govulncheck ./... in the test job",
        ),
    ),
    promise(
        "security.scan.dependabot",
        f"{_HARDENING}/list 1/item 3",
        "GitHub Dependabot有効化",
        MANIFEST,
        judged_by("infrastructure"),
        "Looked for as .github/dependabot.yml",
    ),
    promise(
        "security.least_privilege",
        f"{_HARDENING}/list 2/item 1",
        "Cloud SQL Client, Secret Manager Accessor, Firebase Adminのみ",
        MANIFEST,
        judged_by("security"),
        "Whether Firebase Admin is needed: tokens verified by an account that exists nowhere; no other role is tried",
    ),
    promise(
        "security.unneeded_permissions",
        f"{_HARDENING}/list 2/item 2",
        "不要な権限を排除",
        RECORD,
        person(),
        "A review; the rehearsal lists the calls the API makes",
        wrong(
            "security.pods_unrestricted",
            "Workload Identity takes no permission of Kubernetes away: as printed, every pod carries a token for the "
            "API server, which nothing in it asks, and no securityContext keeps its containers from root, from more "
            "privileges, or from the capabilities that they have by default",
            "automountServiceAccountToken: false, and runAsNonRoot: true, allowPrivilegeEscalation: false, "
            "capabilities: {drop: [ALL]} for each container",
        ),
    ),
)

_RECOVERY = (
    promise(
        "dr.rto",
        f"{_DR}/list 1/item 1",
        "4時間",
        MEASUREMENT,
        judged_by("dr_restore"),
        "Detect + restore + replay + switch + ready, measured; predicted for a named production size",
    ),
    promise(
        "dr.rpo",
        f"{_DR}/list 1/item 2",
        "1時間",
        MEASUREMENT,
        judged_by("dr_restore"),
        "Disaster time minus commit time of the last recovered acknowledged sentinel; also with a stalled archiver",
        wrong(
            "dr.archive_age_unwatched",
            "what is lost is as old as the newest archived WAL: the hour holds only while archiving stalls for less "
            "than an hour minus archive_timeout, and no alert of the document watches that",
            "alert when the newest archived WAL is older than 30 minutes",
        ),
    ),
    promise(
        "dr.backup.daily",
        f"{_DR}/list 2/item 1",
        "毎日 03:00 JST",
        MEASUREMENT,
        judged_by("dr_restore", whole_in="schedule"),
        "Backups on the schedule under a moved clock; the Terraform's hour read as UTC",
        wrong(
            "dr.backup_hour_is_utc",
            "Cloud SQL reads start_time as UTC: the Terraform's 03:00 is 12:00 JST, at noon",
            'start_time = "18:00" (03:00 JST)',
        ),
    ),
    promise(
        "dr.backup.pitr",
        f"{_DR}/list 2/item 2",
        "7日間保持",
        MEASUREMENT,
        judged_by("dr_restore"),
        "Retention of 7 days under a moved clock; random restore points within it",
        wrong(
            "dr.backups_by_count",
            "a point is restored from the backup before it: seven daily backups (Cloud SQL's default count; the "
            "Terraform names none) reach back six days right after a backup, not seven",
            "backup_retention_settings with retained_backups = 8",
        ),
    ),
    promise(
        "dr.backup.cross_region",
        f"{_DR}/list 2/item 3",
        "Phase4で検討",
        RECORD,
        judged_by("dr_restore"),
        "Until then the loss of the region is outside RTO and RPO; named at sign-off",
    ),
    promise(
        "dr.restore.step1",
        f"{_DR}/list 3/item 1",
        "特定時点に復元",
        PROCEDURE,
        judged_by("dr_restore", "runbooks"),
        "Restored to a chosen second into a new instance and verified",
        wrong(
            "dr.restored_instance_unmanaged",
            "the new instance is outside Terraform, without HA, backups and the old name; no step verifies the "
            "data before traffic",
            "add: verify counts and digests, import the instance into Terraform, set HA and backups again",
        ),
    ),
    promise(
        "dr.restore.step2",
        f"{_DR}/list 3/item 2",
        "新インスタンスのエンドポイントをConfigMapに反映",
        PROCEDURE,
        judged_by("dr_restore", whole_in="stack"),
        "Run as written (it changes nothing), then as corrected",
        wrong(
            "dr.configmap_changes_nothing",
            "db_host is localhost, the sidecar; the instance is named in the sidecar's argument, so the pods go on "
            "talking to the old one (and with the endpoint in db_host they would pass the proxy by)",
            "change PROJECT_ID:REGION:INSTANCE_NAME in the Deployment; that rolls the pods by itself",
        ),
    ),
    promise(
        "dr.restore.step3",
        f"{_DR}/list 3/item 3",
        "Deployment再起動（5-10分）",
        MEASUREMENT,
        judged_by("dr_restore", whole_in="stack"),
        "Restarted in order under load; the time until all are ready",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_IAM, *_NET, *_HARD, *_RECOVERY)
