"""Claims of スケーリング戦略, データベース接続 and CI/CD パイプライン."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import MANIFEST, MEASUREMENT, PROCEDURE, RECORD, judged_by, person, promise, wrong

_HPA = "自動スケーリング（HPA）"
_TIMES = "スケーリング時間/table 1"
_PROXY = "Cloud SQL Proxy サイドカーパターン"
_WORKFLOW = "GitHub Actions ワークフロー/code 1"
_DEPLOY = "デプロイ戦略"

_SCALING = (
    promise(
        "scaling.manual.manifest",
        "レプリカ数変更（方法1: マニフェスト修正）/code 1",
        "deployment.yamlのreplicas: 2 → 8 に変更",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written, with the HPA on and off",
        wrong(
            "scaling.hpa_takes_back",
            "the HPA owns the replica count: within its next syncs it takes a manual change back to what the "
            "metrics say (after the 5 minutes of stabilisation on the way down)",
            "raise minReplicas for a planned peak; set replicas by hand only with the HPA removed",
        ),
        wrong(
            "scaling.hpa_puts_back",
            "a smaller number that is applied lasts seconds: the HPA remembers for 5 minutes what it has asked for, "
            "and scales back up to it although all metrics are below target",
            "leave replicas out of deployment.yaml while an HPA owns it",
        ),
    ),
    promise(
        "scaling.manual.command",
        "レプリカ数変更（方法2: コマンド）/code 1",
        "kubectl scale deployment tekutoko-api --replicas=8",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written, with the HPA on and off; see erratum scaling.hpa_takes_back",
    ),
    promise(
        "scaling.hpa.apply",
        f"{_HPA}/code 1",
        "kubectl apply -f hpa.yaml",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written",
    ),
    promise(
        "scaling.hpa.cpu",
        f"{_HPA}/list 1/item 1",
        "CPU使用率70%超え → レプリカ数増加",
        MEASUREMENT,
        judged_by("scaling"),
        "The step at which replicas rise, under CPU alone",
        wrong(
            "scaling.hpa_tolerance",
            "with the controller's tolerance of 10 % nothing happens between 70 % and 77 % of the requests",
            "write 'above 77 % (70 % plus tolerance)'",
        ),
    ),
    promise(
        "scaling.hpa.memory",
        f"{_HPA}/list 1/item 2",
        "メモリ使用率80%超え → レプリカ数増加",
        MEASUREMENT,
        judged_by("scaling"),
        "The step at which replicas rise, under memory alone",
        wrong(
            "scaling.hpa_tolerance_memory",
            "with the tolerance of 10 % the rise begins above 88 % of 640Mi (563Mi a pod)",
            "write 'above 88 % (80 % plus tolerance)'",
        ),
    ),
    promise(
        "scaling.hpa.down_to_2",
        f"{_HPA}/list 1/item 3",
        "自動で最小2レプリカまで縮小",
        MEASUREMENT,
        judged_by("scaling"),
        "Back to 2 after the load ends",
        wrong(
            "scaling.memory_seldom_falls",
            "memory that a program has once asked for seldom goes back to the system, so its utilization stays and the "
            "pods that were added for memory stay too",
            "scale by CPU or by the rate of requests; leave memory to limits and an alert",
        ),
    ),
    promise(
        "scaling.time.manual_up",
        f"{_TIMES}/row 1",
        "約30秒",
        MEASUREMENT,
        judged_by("scaling"),
        "2 -> 8: from the request to 8 ready endpoints, by API-server and endpoint timestamps",
        wrong(
            "scaling.time.autopilot_nodes",
            "about 30 s needs room on running nodes; Autopilot first provisions nodes for six more pods, minutes",
            "state the time with and without room; keep room with a balloon pod",
        ),
    ),
    promise(
        "scaling.time.manual_down",
        f"{_TIMES}/row 2",
        "約10秒",
        MEASUREMENT,
        judged_by("scaling"),
        "8 -> 2: from the request to 2 pods left; bounded by the stop's 10 s",
    ),
    promise(
        "scaling.time.hpa_up",
        f"{_TIMES}/row 3",
        "1〜3分",
        MEASUREMENT,
        judged_by("scaling"),
        "From the load step to the replicas it asks for, ready",
    ),
    promise(
        "scaling.time.hpa_down",
        f"{_TIMES}/row 4",
        "5分",
        MEASUREMENT,
        judged_by("scaling"),
        "From the end of load to fewer replicas",
        wrong(
            "scaling.time.five_minutes_is_the_least",
            "5 minutes is the stabilisation window, the least; metrics lag and syncs of 15 s come on top",
            "write '5-6 minutes'",
        ),
    ),
)

_DATABASE = (
    promise(
        "database.proxy.native",
        f"{_PROXY}/list 1/item 1",
        "Kubernetesネイティブ",
        RECORD,
        person("database.path"),
        "A judgement",
    ),
    promise(
        "database.proxy.encrypted",
        f"{_PROXY}/list 1/item 2",
        "自動暗号化",
        RECORD,
        person(),
        "Cloud SQL's own; the way from API to proxy stays inside the pod",
    ),
    promise(
        "database.proxy.iam",
        f"{_PROXY}/list 1/item 3",
        "IAM認証サポート",
        MANIFEST,
        judged_by("rollout"),
        "Looked for in the proxy's arguments and the pod's variables",
        wrong(
            "database.iam_unused",
            "the pod logs in by DB_PASSWORD; --auto-iam-authn is not among the proxy's arguments",
            "add --auto-iam-authn and an IAM database user, and drop the password; or say it is not used",
        ),
    ),
    promise(
        "database.proxy.per_pod",
        f"{_PROXY}/list 1/item 4",
        "各Podに専用Proxy",
        MANIFEST,
        judged_by("rollout"),
        "One sidecar process a pod on local; chaos kills one alone",
    ),
    promise(
        "database.path",
        f"{_PROXY}/code 1",
        "Go App (localhost:5432)",
        MEASUREMENT,
        judged_by("chaos"),
        "The API's connections reach PostgreSQL through its pod's proxy only",
    ),
)

_PIPELINE = (
    promise(
        "cicd.trigger",
        _WORKFLOW,
        "branches: [main]",
        PROCEDURE,
        judged_by("infrastructure"),
        "Read off the workflow: which push deploys, and what stands before it",
        wrong(
            "cicd.no_tests",
            "a push to main goes to production without a test, a scan or an approval",
            "deploy after the test job, with an environment that asks for approval",
        ),
    ),
    promise(
        "cicd.auth",
        _WORKFLOW,
        "credentials_json: ${{ secrets.GCP_SA_KEY }}",
        MANIFEST,
        judged_by("infrastructure"),
        "Read off the workflow's step",
        wrong(
            "cicd.long_lived_key",
            "a long-lived key of a service account in GitHub, while the security chapter asks for Workload "
            "Identity and least privilege",
            "use workload_identity_provider and service_account of google-github-actions/auth",
        ),
    ),
    promise(
        "cicd.build",
        _WORKFLOW,
        "gcloud builds submit --tag gcr.io/$PROJECT_ID/tekutoko-api:$GITHUB_SHA",
        PROCEDURE,
        judged_by("infrastructure"),
        "The step's command is evaluated with the environment the workflow gives it",
        wrong(
            "cicd.project_id_unset",
            "PROJECT_ID is set nowhere in the workflow: the image's name becomes gcr.io//tekutoko-api and the "
            "build fails",
            "set env: PROJECT_ID: ${{ vars.PROJECT_ID }}",
        ),
    ),
    promise(
        "cicd.set_image",
        _WORKFLOW,
        "kubectl set image deployment/tekutoko-api",
        PROCEDURE,
        judged_by("deploy_rehearsal", "scaling"),
        "Run as written; the next kubectl apply is run after it (erratum manifest.deployment.image_latest)",
        wrong(
            "cicd.no_schema_step",
            "no step changes the database's schema: old and new pods run side by side on whatever schema there is, and "
            "after a change that the old ones cannot live with kubectl rollout undo mends nothing",
            "before kubectl set image run the migrations as a job, and let them expand only; contract when no old pod "
            "is left",
        ),
    ),
    promise(
        "cicd.rollout_status",
        _WORKFLOW,
        "kubectl rollout status deployment/tekutoko-api",
        PROCEDURE,
        judged_by("deploy_rehearsal", "scaling"),
        "A version that never becomes ready",
        wrong(
            "cicd.no_undo",
            "rollout status only fails after the progress deadline (10 minutes); nothing undoes the rollout, "
            "though 自動ロールバック is a Phase 2 task",
            "add kubectl rollout undo on failure, and a --timeout",
        ),
    ),
    promise(
        "deploy.rolling.strategy",
        f"{_DEPLOY}/code 1",
        "maxSurge: 1",
        MANIFEST,
        judged_by("rollout"),
        "Part of document/deployment.yaml; the rolling rule follows it",
    ),
    promise(
        "deploy.rolling.no_downtime",
        f"{_DEPLOY}/code 1",
        "maxUnavailable: 0  # ダウンタイムなし",
        MEASUREMENT,
        judged_by("deploy_rehearsal"),
        "A rolling update under load: failed requests of at least 3,000",
        wrong(
            "deploy.downtime_without_prestop",
            "a pod gets SIGTERM while it is still an endpoint, and the sidecar stops at once: requests fail in "
            "the seconds until every node has forgotten the endpoint",
            "add a preStop sleep of a few seconds and a native sidecar (component graceful)",
        ),
        wrong(
            "deploy.create_lost_at_close",
            "a pod that ends closes its kept connections, and a CREATE on its way then is lost: HTTP/1.1 lets no "
            "client send a POST again by itself (RFC 9112, 9.3.1), whatever the order of endpoints and signals",
            "let the app create walks by PUT with an id of its own, which it may send again",
        ),
    ),
    promise(
        "deploy.rolling.one_up",
        f"{_DEPLOY}/list 1/item 1",
        "新バージョンを1台ずつ起動",
        MEASUREMENT,
        judged_by("deploy_rehearsal"),
        "The pods' timeline in a rolling replacement",
    ),
    promise(
        "deploy.rolling.one_down",
        f"{_DEPLOY}/list 1/item 2",
        "既存バージョンを1台ずつ停止",
        MEASUREMENT,
        judged_by("deploy_rehearsal"),
        "The pods' timeline in a rolling replacement",
    ),
    promise(
        "deploy.rolling.complete",
        f"{_DEPLOY}/list 1/item 3",
        "全台置き換え完了",
        MEASUREMENT,
        judged_by("deploy_rehearsal"),
        "At the end as many new pods are ready as there are replicas, and none of those from before",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_SCALING, *_DATABASE, *_PIPELINE)
