"""Claims of Kubernetes構成（最小構成）: the seven manifests."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import (
    ARITHMETIC,
    CLUSTER,
    COMPUTED,
    DATA_EXPOSED,
    KIND,
    MANIFEST,
    MEASUREMENT,
    MONEY,
    OUTAGE,
    PROCEDURE,
    READ,
    REGION,
    SEEN,
    WRONG_FIGURE,
    judged_by,
    promise,
    wrong,
)
from scenarios.claims_deployment import PODS

_FILES = "必要なマニフェストファイル"
_CONFIG = "3. ConfigMap設定/code 1"
_SECRET = "4. Secret設定（テンプレート）/code 1"  # noqa: S105 - a place in the document
_HPA = "5. HPA設定（Auto Scaling）/code 1"
_PDB = "6. PodDisruptionBudget設定（可用性担保）/code 1"
_ACCOUNT = "7. ServiceAccount設定（Workload Identity）/code 1"

_FOLDER = (
    promise(
        "manifest.files",
        f"{_FILES}/code 1",
        "backend/deploy/kubernetes/",
        MANIFEST,
        judged_by("rollout"),
        "Each of the seven kinds stands once in the folder that was applied",
        says="The folder holds one file for each of the seven manifests of Phase 2.",
        shown_on=ARITHMETIC,
    ),
    promise(
        "manifest.phase2_required",
        f"{_FILES}/text 1",
        "deployment, service, serviceaccount, configmap, secret, hpa, poddisruptionbudget",
        MANIFEST,
        judged_by("rollout"),
        "All seven are loaded; without a Deployment, a Service or what they refer to the folder is refused, and what "
        "else is missing stands in the report",
        says="All seven manifests that Phase 2 requires are there.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.phase4_added",
        f"{_FILES}/text 1",
        "networkpolicy, ingress",
        MANIFEST,
        judged_by("network"),
        "Opt-in components, rehearsed on kind",
        says="Phase 4 adds a NetworkPolicy and an Ingress.",
        shown_on=KIND,
        phase=4,
        consequence=DATA_EXPOSED,
    ),
)

_SETTINGS = (
    promise(
        "manifest.configmap.environment",
        _CONFIG,
        'environment: "production"',
        MANIFEST,
        judged_by("rollout"),
        "Read off the team's own ConfigMap; the pods of a rehearsal are told staging, because in production a target "
        "refuses the emulators' tokens",
        says="The pods are told that they run in production.",
        shown_on=ARITHMETIC,
        consequence=DATA_EXPOSED,
    ),
    promise(
        "manifest.configmap.db_host",
        _CONFIG,
        'db_host: "localhost"',
        MANIFEST,
        judged_by("rollout"),
        "Read off the ConfigMap that was applied; see erratum dr.configmap_changes_nothing",
        says="The API finds its database at localhost, where the proxy listens.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.configmap.keys",
        _CONFIG,
        'db_name: "tekutoko"',
        MANIFEST,
        judged_by("rollout"),
        "Each key against the variables that read it; see erratum manifest.deployment.env_incomplete",
        says="The ConfigMap holds environment, database host, port, name and log level.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.secret.template",
        _SECRET,
        "db_password: BASE64_ENCODED_PASSWORD",
        MANIFEST,
        judged_by("rollout", "scaling"),
        "kubectl apply of the file as printed",
        wrong(
            "manifest.secret.placeholders_not_base64",
            "the underscore is no base64: the API server refuses the Secret, and the pods wait for it",
            "keep the template out of what is applied (secret.yaml.example); create the Secret from Secret Manager",
            OUTAGE,
            SEEN,
        ),
        says="The Secret's manifest is a template with placeholders for the values.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.secret.firebase_credentials",
        _SECRET,
        "firebase_credentials: BASE64_ENCODED_JSON",
        MANIFEST,
        judged_by("rollout"),
        "Looked for in the pod: mounted, or passed",
        wrong(
            "manifest.secret.firebase_credentials_unused",
            "the key is mounted nowhere and no variable names its path; with Workload Identity, which the "
            "document requires, nobody needs a key, and this one never expires",
            "drop firebase_credentials; rely on Workload Identity",
            DATA_EXPOSED,
            READ,
        ),
        says="The Secret holds the Firebase credentials.",
        shown_on=ARITHMETIC,
    ),
    promise(
        "manifest.secret.from_secret_manager",
        _SECRET,
        "実際の値は Secret Manager から取得",
        PROCEDURE,
        judged_by("secret_rotation"),
        "Rehearsed on kind with a provider of its own in the place of GKE's driver",
        says="The real secrets come from Secret Manager.",
        shown_on=CLUSTER,
        consequence=DATA_EXPOSED,
        first_sign="Pods report FailedMount, or the Secret app-secret is older than the newest version there.",
    ),
    promise(
        "manifest.serviceaccount",
        _ACCOUNT,
        "iam.gke.io/gcp-service-account",
        MANIFEST,
        judged_by("rollout"),
        "Named by the Deployment and annotated; that Google grants the pods anything by it is not judged",
        wrong(
            "manifest.workload_identity_binding_missing",
            "the annotation alone grants nothing: roles/iam.workloadIdentityUser on the Google service account is "
            "set by no command and no Terraform shown",
            "add google_service_account_iam_member for PROJECT_ID.svc.id.goog[NAMESPACE/tekutoko-api-sa]",
            OUTAGE,
            READ,
        ),
        says="By Workload Identity the pods act as the Google service account tekutoko-api.",
        shown_on=REGION,
        consequence=OUTAGE,
        first_sign="The proxy's log reports status 403, and no pod becomes ready.",
    ),
)

_LIMITS = (
    promise(
        "manifest.hpa.range",
        _HPA,
        "minReplicas: 2",
        MANIFEST,
        judged_by("rollout"),
        "Read off the HPA that was applied",
        says="The HPA keeps between 2 and 10 pods.",
        shown_on=ARITHMETIC,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.hpa.max",
        _HPA,
        "maxReplicas: 10",
        MANIFEST,
        judged_by("load_stages", unmeasured="--pods"),
        "The connection budget: pool x (10 + surge) against max_connections",
        wrong(
            "manifest.hpa.connections_at_max",
            "Cloud SQL's default max_connections at 4 GB is about 100: ten pods and one of surge leave fewer than "
            "nine connections each",
            "set the pool to at most 8 a pod, or raise max_connections",
            OUTAGE,
            COMPUTED,
        ),
        go=True,
        says="The HPA may go up to 10 pods, and the database has connections for all.",
        consequence=OUTAGE,
    ),
    promise(
        "manifest.hpa.cpu",
        _HPA,
        "averageUtilization: 70",
        MEASUREMENT,
        judged_by("scaling"),
        "Replica decisions under CPU alone, against the rule",
        wrong(
            "manifest.hpa.cpu_of_summed_requests",
            "70 % is of the pod's summed requests (600m with the sidecar): 420m a pod on average, that is 84 % of "
            "the API's own 500m when the proxy idles",
            "use a ContainerResource metric on container api, or say what 70 % is of",
            WRONG_FIGURE,
            COMPUTED,
        ),
        says="The HPA adds pods when CPU use passes 70 %.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.hpa.memory",
        _HPA,
        "averageUtilization: 80",
        MEASUREMENT,
        judged_by("scaling"),
        "Replica decisions under memory alone, against the rule",
        wrong(
            "manifest.hpa.memory_of_summed_requests",
            "80 % is of 640Mi, 512Mi for the whole pod: the API's own request; a runtime that keeps its heap "
            "never scales in again",
            "scale on CPU or request rate; keep memory as an alert",
            MONEY,
            COMPUTED,
        ),
        says="The HPA adds pods when memory use passes 80 %.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
    promise(
        "manifest.hpa.external",
        _HPA,
        "custom.googleapis.com|request_latency_p95",
        MEASUREMENT,
        judged_by("scaling"),
        "The commented lines in force: under light load answers are made slow; replica decisions by the metric alone, "
        "against the rule",
        wrong(
            "manifest.hpa.latency_of_the_database",
            "a p95 rises with a slow database too, and no pod makes that quicker: the HPA adds pods up to maxReplicas, "
            "each with its connections, and the p95 stays",
            "scale on CPU and on requests a pod, and keep the p95 as an alert",
            MONEY,
            SEEN,
        ),
        says="The HPA adds pods when the p95 of the response time passes 500 ms.",
        shown_on=CLUSTER,
        phase=4,
        consequence=OUTAGE,
        first_sign="`kubectl describe hpa` reports FailedGetExternalMetric.",
    ),
    promise(
        "manifest.pdb",
        _PDB,
        "minAvailable: 1  # 最低1台は稼働維持",
        MEASUREMENT,
        judged_by("scaling"),
        "Drain under load: no eviction granted that would breach it",
        says="At least one pod keeps running while nodes are drained.",
        shown_on=KIND,
        consequence=OUTAGE,
    ),
)

CLAIMS: tuple[Claim, ...] = (*_FOLDER, *PODS, *_SETTINGS, *_LIMITS)
