"""Claims of Kubernetes構成（最小構成）: the seven manifests."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import MANIFEST, MEASUREMENT, PROCEDURE, judged_by, promise, wrong

_FILES = "必要なマニフェストファイル"
_DEPLOYMENT = "1. Deployment設定/code 1"
_SERVICE = "2. Service設定（LoadBalancer）/code 1"
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
        "deploy/kubernetes/document holds one file for each manifest printed",
        wrong(
            "manifest.folder_mixes_phases",
            "networkpolicy.yaml and ingress.yaml of Phase 4 lie in the folder that Phase 2 applies whole with "
            "kubectl apply -f",
            "put Phase 4's files into a component or overlay of their own",
        ),
    ),
    promise(
        "manifest.phase2_required",
        f"{_FILES}/text 1",
        "deployment, service, serviceaccount, configmap, secret, hpa, poddisruptionbudget",
        MANIFEST,
        judged_by("rollout"),
        "All seven are loaded; without a Deployment, a Service or what they refer to the folder is refused, and what "
        "else is missing stands in the report",
    ),
    promise(
        "manifest.phase4_added",
        f"{_FILES}/text 1",
        "networkpolicy, ingress",
        MANIFEST,
        judged_by("network"),
        "Opt-in components, rehearsed on kind",
        wrong(
            "manifest.phase4_not_printed",
            "networkpolicy.yaml and ingress.yaml are named with a purpose and printed nowhere: which paths are open, "
            "and which certificate answers, is decided by nobody",
            "print them; deploy/kubernetes/components has the least that the document's architecture needs",
        ),
    ),
)

_PODS = (
    promise(
        "manifest.deployment.replicas",
        _DEPLOYMENT,
        "replicas: 2  # 初期レプリカ数",
        MANIFEST,
        judged_by("rollout"),
        "Every environment starts with this number",
        wrong(
            "manifest.deployment.replicas_beside_hpa",
            "with an HPA, applying a manifest that says replicas: 2 cuts a scaled-out Deployment back to 2",
            "leave replicas out of the manifest once the HPA owns it",
        ),
    ),
    promise(
        "manifest.deployment.image",
        _DEPLOYMENT,
        "image: gcr.io/PROJECT_ID/tekutoko-api:latest",
        MANIFEST,
        judged_by("infrastructure"),
        "Read off the Deployment; each overlay replaces it",
        wrong(
            "manifest.deployment.image_latest",
            "':latest' names no version: after CI's set image the next kubectl apply takes the Deployment back "
            "to whatever latest is, and undo cannot name what ran before",
            "pin the commit's tag or digest, set in the manifest by CI (kustomize edit set image)",
        ),
        wrong(
            "manifest.gcr_shut_down",
            "Container Registry was shut down on 18 March 2025; gcr.io works only as a repository of Artifact "
            "Registry, which must be created first and which the Terraform lacks",
            "use asia-northeast1-docker.pkg.dev/PROJECT_ID/REPOSITORY and manage the repository by Terraform",
        ),
    ),
    promise(
        "manifest.deployment.env",
        _DEPLOYMENT,
        "name: DB_HOST",
        MANIFEST,
        judged_by("rollout"),
        "ENVIRONMENT, DB_HOST and DB_PASSWORD among the variables that a pod receives",
        wrong(
            "manifest.deployment.env_incomplete",
            "only ENVIRONMENT, DB_HOST and DB_PASSWORD are passed: port, user, database, TLS mode, project id, "
            "PORT, POD_NAME and LOG_LEVEL are not, so the API can neither connect nor verify a token",
            "pass them (base/patches database-env, firebase-env, process-env)",
        ),
    ),
    promise(
        "manifest.deployment.resources",
        _DEPLOYMENT,
        "cpu: 500m",
        MANIFEST,
        judged_by("rollout"),
        "Requests and limits are read in every environment; enforced where it can",
    ),
    promise(
        "manifest.deployment.limits",
        _DEPLOYMENT,
        "cpu: 1000m",
        MANIFEST,
        judged_by("rollout"),
        "Limits, enforced where the environment can",
        wrong(
            "manifest.deployment.burst",
            "a limit twice the request only means something with Autopilot's bursting; on clusters without it the "
            "limit is set down to the request, and the capacity measured at 1000m is not there",
            "state that bursting is expected, or set limits = requests",
        ),
    ),
    promise(
        "manifest.deployment.liveness",
        _DEPLOYMENT,
        "path: /health",
        MANIFEST,
        judged_by("rollout"),
        "Probed as written: first after 10 s, each 30 s, timeout 1 s, three failures",
    ),
    promise(
        "manifest.deployment.readiness",
        _DEPLOYMENT,
        "path: /ready",
        MANIFEST,
        judged_by("rollout"),
        "Probed as written: first after 5 s, each 10 s, timeout 1 s, three failures",
        wrong(
            "manifest.readiness_follows_database",
            "/ready answers 503 while the database is away: an outage that three probes in a row meet (20 s to 30 s) "
            "takes every pod out of the Service at once, and back only by the next 10 s probe; failovers rehearsed "
            "here were over in 3 s to 12 s and took none out",
            "keep it, but count these seconds in the availability objective",
        ),
    ),
    promise(
        "manifest.sidecar",
        _DEPLOYMENT,
        "gcr.io/cloud-sql-connectors/cloud-sql-proxy:latest",
        MANIFEST,
        judged_by("rollout"),
        "A sidecar proxy for each pod in every environment",
        wrong("manifest.sidecar_unpinned", "':latest' changes the proxy under a running Deployment", "pin a version"),
        wrong(
            "manifest.sidecar_stops_at_once",
            "as an ordinary container the proxy gets SIGTERM together with the API and cuts its connections while "
            "the API still drains; it has neither probe nor limit",
            "make it a native sidecar (an init container with restartPolicy: Always) with probes",
        ),
    ),
    promise(
        "manifest.sidecar.args",
        _DEPLOYMENT,
        "PROJECT_ID:REGION:INSTANCE_NAME",
        MANIFEST,
        judged_by("rollout"),
        "The instance is named here and nowhere else: the restore must change it",
    ),
    promise(
        "manifest.sidecar.requests",
        _DEPLOYMENT,
        "cpu: 100m",
        MANIFEST,
        judged_by("rollout"),
        "Summed with the API's: 600m and 640Mi a pod",
    ),
    promise(
        "manifest.service",
        _SERVICE,
        "type: LoadBalancer",
        MANIFEST,
        judged_by("rollout", "chaos", "deploy_rehearsal", "runbooks"),
        "A layer-4 service: Envoy as TCP proxy on local, kube-proxy on kind; there also at a load balancer's address",
    ),
    promise(
        "manifest.service.ports",
        _SERVICE,
        "targetPort: 8080",
        MANIFEST,
        judged_by("rollout"),
        "Port 80 to the containers' 8080",
    ),
)

_SETTINGS = (
    promise(
        "manifest.configmap.environment",
        _CONFIG,
        'environment: "production"',
        MANIFEST,
        judged_by("rollout"),
        "Patched in base: production and emulators exclude each other",
    ),
    promise(
        "manifest.configmap.db_host",
        _CONFIG,
        'db_host: "localhost"',
        MANIFEST,
        judged_by("rollout"),
        "The sidecar's side of the pod; see erratum dr.configmap_changes_nothing",
    ),
    promise(
        "manifest.configmap.keys",
        _CONFIG,
        'db_name: "tekutoko"',
        MANIFEST,
        judged_by("rollout"),
        "Each key against the variables that read it",
        wrong(
            "manifest.configmap.keys_missing",
            "no key for user, TLS mode or project id; and db_port, db_name and log_level are read by no container",
            "add db_user, db_sslmode and firebase_project_id and pass all (base/patches/config-keys)",
        ),
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
            "do not apply the template; create the Secret from Secret Manager (or use stringData)",
        ),
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
            "document requires, a key file is neither needed nor wanted",
            "drop firebase_credentials; rely on Workload Identity",
        ),
    ),
    promise(
        "manifest.secret.from_secret_manager",
        _SECRET,
        "実際の値は Secret Manager から取得",
        PROCEDURE,
        judged_by("secret_rotation"),
        "Rehearsed with a local provider of the CSI pattern",
    ),
    promise(
        "manifest.serviceaccount",
        _ACCOUNT,
        "iam.gke.io/gcp-service-account",
        MANIFEST,
        judged_by("rollout"),
        "Named by the Deployment and present",
        wrong(
            "manifest.workload_identity_binding_missing",
            "the annotation alone grants nothing: roles/iam.workloadIdentityUser on the Google service account is "
            "set by no command and no Terraform shown",
            "add google_service_account_iam_member for PROJECT_ID.svc.id.goog[NAMESPACE/tekutoko-api-sa]",
        ),
    ),
)

_LIMITS = (
    promise(
        "manifest.hpa.range",
        _HPA,
        "minReplicas: 2",
        MANIFEST,
        judged_by("rollout"),
        "Read; bounds of every scaling rule",
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
        ),
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
        ),
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
        ),
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
            "manifest.hpa.quantity_500m",
            "the quantity 500m is 0.5: right for a metric in seconds, half a millisecond for one in ms",
            "name the metric's unit; for ms write 500",
        ),
        wrong(
            "manifest.hpa.latency_of_the_database",
            "a p95 rises with a slow database too, and no pod makes that quicker: the HPA adds pods up to maxReplicas, "
            "each with its connections, and the p95 stays",
            "scale on CPU and on requests a pod, and keep the p95 as an alert",
        ),
    ),
    promise(
        "manifest.pdb",
        _PDB,
        "minAvailable: 1  # 最低1台は稼働維持",
        MEASUREMENT,
        judged_by("scaling"),
        "Drain under load: no eviction granted that would breach it",
        wrong(
            "manifest.pdb.involuntary",
            "a PDB bounds evictions only; crashes, zone loss and rolling updates pass it by",
            "say 'during voluntary disruptions'",
        ),
    ),
)

CLAIMS: tuple[Claim, ...] = (*_FOLDER, *_PODS, *_SETTINGS, *_LIMITS)
