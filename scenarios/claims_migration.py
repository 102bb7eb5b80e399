"""Claims of Firebase/Go並行稼働戦略 but the rollout: approach, flag, dual write, compatibility."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import (
    COMPUTED,
    DATA_EXPOSED,
    DATA_LOST,
    MEASUREMENT,
    OUTAGE,
    SEEN,
    WRONG_FIGURE,
    judged_by,
    promise,
    wrong,
)

_FLAG = "iOS側実装/code 1"
_SYNC = "データ同期戦略"
_API = "API互換性戦略/list 1"

CLAIMS: tuple[Claim, ...] = (
    promise(
        "migration.stepwise",
        "移行アプローチ/text 1",
        "Firebase完全停止せず、段階的移行",
        MEASUREMENT,
        judged_by("rollout", "migration_drill", "rollout_one_stack"),
        "Of the requests of users who stay on Firestore fewer than 1 % fail, in each week and while walks are moved",
        says="Users move to the Go backend step by step, and Firebase goes on serving the others.",
        consequence=OUTAGE,
    ),
    promise(
        "migration.shares",
        "移行アプローチ/code 1",
        "|10-50%| Go",
        MEASUREMENT,
        judged_by("rollout"),
        "Observed share of users on each side against the plan",
        says="While both run, the flag sends 10 % to 50 % of the users to the Go backend.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "migration.firestore_read_only",
        "移行アプローチ/code 1",
        "|read only| Firestore",
        MEASUREMENT,
        judged_by("rollout", "migration_drill", "rollout_one_stack"),
        "Writes that reach Firestore directly, and through the mirror",
        wrong(
            "migration.firestore_is_written",
            "Firestore is written all along: by the 90-50 % who stay, by the API's mirror, and by everybody after a "
            "rollback",
            "write 'read/write' and name who owns which user's data",
            DATA_LOST,
            SEEN,
        ),
        says="While both run, Firestore is only read.",
        consequence=DATA_LOST,
    ),
    promise(
        "flag.remote_config",
        _FLAG,
        'RemoteConfig.remoteConfig()["use_go_backend"].boolValue',
        MEASUREMENT,
        judged_by("rollout"),
        "The population, in the app's place: a value fetched from Remote Config decides each request's side",
        wrong(
            "flag.no_fetch_no_activate",
            "the code only reads: without fetch and activate the value stays the default false for ever, and with "
            "the default minimum fetch interval of 12 h it stays old for half a day",
            "fetch and activate at start and in the foreground, with minimumFetchInterval <= 60 s or real-time updates",
            OUTAGE,
            SEEN,
        ),
        says="The value of use_go_backend in Remote Config decides which side a request goes to.",
        consequence=OUTAGE,
    ),
    promise(
        "flag.factory",
        _FLAG,
        "return APIConfig.useGoBackend",
        MEASUREMENT,
        judged_by("flag_proof"),
        "A flip in the middle of a walk loses no location",
        wrong(
            "flag.side_flips_in_mid_walk",
            "create() decides once for each repository: a screen that keeps its repository writes on to the old "
            "side after a flip, and a walk begun on one side is unknown to the other: a flip to the API with only the "
            "new locations sent makes the mirror replace the whole document, and the earlier ones are on neither side",
            "hold the side for the length of a walk, decide anew between walks; or send again what was not confirmed",
            DATA_LOST,
            SEEN,
        ),
        says="The app's factory chooses the backend by the flag, and no location is lost when it changes.",
        consequence=DATA_LOST,
    ),
    promise(
        "dual_write.method",
        f"{_SYNC}/text 1",
        "二重書き（Write-Behind）",
        MEASUREMENT,
        judged_by("flag_proof"),
        "What each side holds after writes on either",
        wrong(
            "dual_write.one_way",
            "the mirror goes from the API to Firestore only: what flag-off users write never reaches PostgreSQL, "
            "so a moved user's old walks are missing until a migration",
            "copy a user's documents before the flip, and reconcile after a rollback",
            DATA_LOST,
            SEEN,
        ),
        wrong(
            "dual_write.ended_account_stays",
            "nothing says what ends with an account, and it has now two stores to be removed from: one that is deleted "
            "at Firebase Auth alone leaves its row, its walks with their locations, its documents and its photos "
            "(Apple's review guideline 5.1.1 (v) asks that an app can delete an account)",
            "name the operation that ends an account, and let it remove rows, documents and photos",
            DATA_EXPOSED,
            SEEN,
        ),
        wrong(
            "dual_write.document_of_one_mebibyte",
            "one document a walk cannot hold every walk: Firestore refuses one beyond 1 MiB, which by its own rules is "
            "5,728 full locations (183 bytes each), an hour and a half at one a second; from then on every mirror "
            "write of that walk fails for ever, and is only logged",
            "keep the locations of a walk in a subcollection, or thin them in the mirror, and say how long a walk may "
            "be",
            DATA_LOST,
            COMPUTED,
        ),
        says="What is written through the Go backend also reaches Firestore, a little later (Write-Behind).",
        consequence=DATA_LOST,
    ),
    promise(
        "dual_write.diagram",
        f"{_SYNC}/code 1",
        "(Fallback)",
        MEASUREMENT,
        judged_by("mirror_stop", "flag_proof"),
        "Field-for-field agreement of Firestore documents with the app's format",
        says="PostgreSQL is the primary store, and Firestore holds all that a fallback needs.",
        consequence=DATA_LOST,
    ),
    promise(
        "dual_write.order",
        f"{_SYNC}/list 1/item 1",
        "PostgreSQL成功→Firestore非同期書き込み",
        MEASUREMENT,
        judged_by("chaos"),
        "Users' writes while Firestore answers nothing: none fails, and p95 keeps its limit; that PostgreSQL has what "
        "was acknowledged: api.version",
        says="A write is answered once PostgreSQL has it; Firestore follows asynchronously.",
        consequence=DATA_LOST,
    ),
    promise(
        "dual_write.reads",
        f"{_SYNC}/list 1/item 2",
        "読み取りはPostgreSQLのみ",
        MEASUREMENT,
        judged_by("chaos"),
        "Users' reads while Firestore answers nothing: none fails, and p95 keeps its limit; that each shows what was "
        "acknowledged: api.version",
        says="The Go backend reads from PostgreSQL alone.",
        consequence=OUTAGE,
    ),
    promise(
        "dual_write.failures_logged",
        f"{_SYNC}/list 1/item 3",
        "Firestore書き込み失敗はログ記録のみ（非クリティカル）",
        MEASUREMENT,
        judged_by("mirror_stop"),
        "Failed and dropped mirror writes are logged with their walk id and counted",
        wrong(
            "dual_write.fallback_with_holes",
            "Firestore is the fallback of the rollback: a mirror write lost (a failure, a killed pod's queue) is a "
            "walk lost to the user who is rolled back; 'non-critical' holds only while nobody rolls back",
            "keep failed writes (an outbox table) and reconcile before and after a rollback",
            DATA_LOST,
            SEEN,
        ),
        says="A write to Firestore that fails is logged, and harms nothing else.",
        consequence=DATA_LOST,
    ),
    promise(
        "dual_write.stop",
        f"{_SYNC}/list 1/item 4",
        "Firestore書き込みを段階的に停止",
        MEASUREMENT,
        judged_by("mirror_stop", "rollout_one_stack"),
        "The mirrored share 100 -> 50 -> 0 %, and what a later flag-off would lose",
        wrong(
            "dual_write.stop_ends_rollback",
            "once mirroring stops, the rollback procedure loses every walk since; the document keeps it without a date",
            "say that the rollback by flag ends with the first reduction",
            DATA_LOST,
            SEEN,
        ),
        says="Once all users have moved, the writes to Firestore are stopped step by step.",
        consequence=DATA_LOST,
    ),
    promise(
        "api.version",
        f"{_API}/item 1",
        "/v1/walks",
        MEASUREMENT,
        judged_by("rollout", "chaos", "deploy_rehearsal"),
        "The contract's paths answer: what was acknowledged is kept and shown, and a walk is its owner's alone",
        says="The API serves walks under /v1/walks, keeps what it acknowledged and shows it to its owner alone.",
        consequence=DATA_LOST,
    ),
    promise(
        "api.adapter",
        f"{_API}/item 2",
        "新旧API契約差異を吸収するAdapter層",
        MEASUREMENT,
        judged_by("flag_proof"),
        "A walk as the old app reads it from Firestore and as it comes over HTTP, after the mapping of the "
        "rehearsal's adapter; the app's own is its team's",
        says="The app's adapter makes up for the differences between the old and the new API.",
        consequence=DATA_LOST,
    ),
    promise(
        "api.identical",
        f"{_API}/item 3",
        "既存Firestore APIのレスポンス形式との完全一致確認",
        MEASUREMENT,
        judged_by("rollout", "flag_proof", "chaos", "deploy_rehearsal"),
        "Every field of every document that the mirror writes, against the format that the app reads; of an answer "
        "over HTTP: api.adapter",
        says="What the new side gives is exactly what the app reads from Firestore today.",
        consequence=DATA_LOST,
    ),
    promise(
        "api.mirror_format",
        f"{_API}/item 3",
        "互換性テストケース",
        MEASUREMENT,
        judged_by("rollout", "chaos", "deploy_rehearsal"),
        "The mirror's documents against the format the app reads",
        says="Test cases show that documents of the new side are in the format that the app reads.",
        consequence=DATA_LOST,
    ),
)
