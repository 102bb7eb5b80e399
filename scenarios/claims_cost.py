"""Claims of コスト試算."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import CALCULATION, MEASUREMENT, RECORD, judged_by, person, promise, wrong

_MONTH = "月額コスト概算（500同時接続想定）"
_SCALE = "スケールアップ時（レプリカ数別）"

_ESTIMATE = (
    promise(
        "cost.autopilot",
        f"{_MONTH}/table 1/row 1",
        "平均3 Pods × 730h (500mCPU/512Mi)",
        CALCULATION,
        judged_by("cost"),
        "Measured replica-hours x requests x the price list",
        wrong(
            "cost.priced_by_limits",
            "$110 is what three pods of the limits (1000m, 1Gi) cost; of the requests that the row names (500m, "
            "512Mi), which are what Autopilot bills, they cost half as much",
            "price the requests",
        ),
        wrong(
            "cost.sidecar_left_out",
            "a pod asks for 600m and 640Mi with its sidecar: a fifth more CPU and a quarter more memory than "
            "priced; and three pods on average at 500 users is measured nowhere",
            "price 600m/640Mi x the measured mean of replicas",
        ),
        wrong(
            "cost.cluster_fee",
            "the cluster fee of $0.10 an hour ($73 a month) is missing; the free tier's credit covers one such "
            "cluster of a billing account, not dev, staging and prod",
            "name the fee and the credit",
        ),
    ),
    promise(
        "cost.cloud_sql",
        f"{_MONTH}/table 1/row 2",
        "$85",
        CALCULATION,
        judged_by("cost"),
        "Price list x hours, HA included",
        wrong(
            "cost.cloud_sql_without_ha",
            "2 vCPU x $0.0413 + 4 GB x $0.007 an hour, 730 h, is $81 (us-central1) without HA; HA doubles it to "
            "about $161, Tokyo is dearer, storage and backups come on top",
            "about $161 and more: recompute with Tokyo's prices, HA and storage",
        ),
    ),
    promise(
        "cost.storage",
        f"{_MONTH}/table 1/row 3",
        "100GB + 転送",
        CALCULATION,
        judged_by("cost"),
        "The printed gigabytes by the price list, and how many walks of the supposed photos fill them",
        wrong(
            "cost.storage_by_photos",
            "10 photos of up to 5 MB a walk: 100 GB is full after 2,000 such walks, four for each of 500 users",
            "state walks a month and photos a walk",
        ),
    ),
    promise(
        "cost.logging",
        f"{_MONTH}/table 1/row 4",
        "$2.50",
        CALCULATION,
        judged_by("cost"),
        "Bytes logged a request, measured, x requests a month",
        wrong(
            "cost.logging_price",
            "Cloud Logging takes $0.50 a GiB after 50 GiB free a month: 50 GB cost nothing, and without the free "
            "part $25; $2.50 is neither",
            "$0 up to 50 GiB, $0.50 for each further GiB",
        ),
    ),
    promise(
        "cost.monitoring",
        f"{_MONTH}/table 1/row 5",
        "標準メトリクス",
        CALCULATION,
        judged_by("cost"),
        "Series and samples the indicators need",
        wrong(
            "cost.monitoring_custom",
            "latency percentiles and error ratios of the API are no system metrics of a layer-4 Service: they are "
            "custom or managed-Prometheus metrics, which are charged by samples",
            "price the samples of the API's own metrics",
        ),
    ),
    promise(
        "cost.load_balancer",
        f"{_MONTH}/table 1/row 6",
        "$18",
        CALCULATION,
        judged_by("cost"),
        "$0.025 x 730 h = $18.25, without traffic",
    ),
    promise(
        "cost.total",
        f"{_MONTH}/table 1/row 7",
        "約$225.50 (¥34,000)",
        CALCULATION,
        judged_by("cost"),
        "110 + 85 + 10 + 2.50 + 0 + 18 = 225.50; at 150.8 yen a dollar 34,000: the sum is right, its parts are not",
        wrong(
            "cost.total_from_wrong_parts",
            "the sum is right but its parts are not (Cloud SQL HA, sidecar, logging, cluster fee)",
            "sum the corrected parts",
        ),
    ),
    promise(
        "cost.assumption.database_size",
        f"{_MONTH}/list 1/item 1",
        "500同時接続に対応するため",
        MEASUREMENT,
        judged_by("cost"),
        "Connections in use at 500 users, beside the number of users",
        wrong(
            "cost.users_are_not_connections",
            "500 users at 10 requests/s hold no 500 connections: the pools of 2..10 pods do, and the default "
            "max_connections of 4 GB (about 100) would not carry 500 anyway",
            "size the instance by pool x (10 + 1) and by the measured load",
        ),
    ),
    promise(
        "cost.assumption.f1_micro",
        f"{_MONTH}/list 1/item 2",
        "同時接続数に対応不可",
        RECORD,
        person("cost.assumption.database_size"),
        "Shared-core instances carry no SLA either; not exercised",
    ),
    promise(
        "cost.assumption.billing",
        f"{_MONTH}/list 1/item 3",
        "CPU/メモリのrequest/limit値から算出",
        CALCULATION,
        judged_by("cost"),
        "Replica-hours x requests",
        wrong(
            "cost.billed_by_requests",
            "Autopilot bills the pods' requests; limits cost nothing",
            "write 'requestから算出'",
        ),
    ),
    promise(
        "cost.assumption.final_size",
        f"{_MONTH}/list 1/item 4",
        "実負荷試験後、スペックを最終調整",
        RECORD,
        person("checklist.performance.sizing", "manifest.hpa.max", "load.target_qps"),
        "The load report is what is needed for it",
    ),
)

_REPLICAS = (
    promise(
        "cost.replicas.2",
        f"{_SCALE}/table 1/row 1",
        "$188",
        CALCULATION,
        judged_by("cost"),
        "75 + 85 + 28, recomputed",
        wrong(
            "cost.replicas_leave_out_logging",
            "every row adds $28 (storage and load balancer) and leaves the $2.50 of logging out: three pods would "
            "be $223 here and are $225.50 in the table above",
            "add the same parts in both tables",
        ),
    ),
    promise(
        "cost.replicas.4",
        f"{_SCALE}/table 1/row 2",
        "$258",
        CALCULATION,
        judged_by("cost"),
        "145 + 85 + 28; see erratum cost.replicas_leave_out_logging",
    ),
    promise(
        "cost.replicas.8",
        f"{_SCALE}/table 1/row 3",
        "$398",
        CALCULATION,
        judged_by("cost"),
        "285 + 85 + 28; see erratum cost.replicas_leave_out_logging",
    ),
    promise(
        "cost.replicas.10",
        f"{_SCALE}/table 1/row 4",
        "$468",
        CALCULATION,
        judged_by("cost"),
        "355 + 85 + 28; see erratum cost.replicas_leave_out_logging",
    ),
    promise(
        "cost.saving.commitment",
        f"{_SCALE}/list 1/item 1",
        "1年契約で約37%割引",
        CALCULATION,
        judged_by("cost"),
        "Price list",
        wrong(
            "cost.commitment_37",
            "37 % is Compute Engine's resource commitment; on Autopilot a year gives 28 % (flexible commitment; "
            "formerly 20 %), on Cloud SQL 25 %",
            "write 28 % for Autopilot and 25 % for Cloud SQL",
        ),
    ),
    promise(
        "cost.saving.budget_alert",
        f"{_SCALE}/list 1/item 2",
        "月額$500超過で通知",
        CALCULATION,
        judged_by("cost"),
        "A bill that doubles, against the alert",
        wrong(
            "cost.budget_alert_too_high",
            "$500 lies above ten replicas all month ($468): neither a doubled bill ($451) nor a runaway HPA "
            "alone would reach it; and it is put off to Phase 4 while the checklist has it before Phase 2",
            "alert at 80 %, 100 % and 150 % of $225.50, from Phase 2",
        ),
    ),
    promise(
        "cost.saving.log_retention",
        f"{_SCALE}/list 1/item 3",
        "30日→7日で50%削減",
        CALCULATION,
        judged_by("cost"),
        "Price list",
        wrong(
            "cost.retention_saves_nothing",
            "the price is for ingestion and includes 30 days of storage: keeping 7 saves nothing",
            "exclude or sample log lines (health checks, INFO of reads) instead",
        ),
    ),
)

CLAIMS: tuple[Claim, ...] = (*_ESTIMATE, *_REPLICAS)
