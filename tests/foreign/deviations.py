"""What is planted in the foreign targets, by the name that ``FAULTS`` takes, and what the conformance must find of it.

Each is a defect that a team could ship. A check that cannot tell anything beside a defect is not exercised (``hides``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from harness.rehearsals.conformance.checks import ALL
from tests.foreign.targets import Language

#: What is no deviation but an offer less: the fault, and what the report says is not offered.
EXTRAS = {"metrics_absent": "GET /metrics"}
#: No walks yet: what a team has on its first day. Nearly every check deviates or has nothing to build on.
FIRST_DAY = "walks_missing"
#: Checks that wait ten seconds for what a defect keeps from coming.
WAITED_FOR = frozenset(
    {
        "dual_write.deleted",
        "photos.removed",
        "operations.ready.database_gone",
        "stop.within_limit",
        "dual_write.written",
    }
)

#: What is wrong where a check tells it: three different findings, and what a target did or kept.
FINDINGS = {
    "wrong_status": {"walks.create.status", "walks.delete.status", "ownership.get", "bad_input.id", "auth.expired"},
    "wrong_body": {"walks.get.body", "listing.body", "listing.order", "errors.not_found", "rate_limit.retry_after"},
    "leaked_data": {"ownership.leak", "listing.own", "log.no_token"},
    "wrong_effect": {"dual_write.document_id", "upsert.retry", "postgres.locations", "stop.exit_status"},
}


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """``finds`` are the checks that must deviate, ``may`` those that may by chance, ``hides`` those left unexercised.

    ``alone`` changes what nearly every check builds on.
    """

    name: str
    language: Language
    finds: frozenset[str]
    hides: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    alone: bool = False

    @property
    def slow(self) -> bool:
        """Whether a check waits its ten seconds for what never comes: left to the night."""
        return bool((self.finds | self.hides) & WAITED_FOR)

    @property
    def touches(self) -> frozenset[str]:
        """All checks that tell something else because of it."""
        return self.finds | self.hides | self.may


def _go(name: str, *finds: str, hides: Collection[str] = (), may: Collection[str] = (), alone: bool = False) -> Planted:
    return Planted(
        name=name, language=Language.GO, finds=frozenset(finds), hides=frozenset(hides), may=frozenset(may), alone=alone
    )


def _node(name: str, *finds: str, hides: Collection[str] = (), may: Collection[str] = ()) -> Planted:
    return Planted(
        name=name, language=Language.NODE, finds=frozenset(finds), hides=frozenset(hides), may=frozenset(may)
    )


def _all(group: str) -> frozenset[str]:
    return frozenset(check.id for check in ALL if check.id.startswith(group))


BODIES = ("walks.create.body", "walks.get.body", "walks.put.body", "listing.body")
PLANTED: tuple[Planted, ...] = (
    _go("applied_twice", "upsert.partial", "upsert.retry"),
    _go("bad_id_500", "bad_input.id", hides={"errors.invalid_request"}),
    _go("create_200", "walks.create.status"),
    _go("delete_200", "walks.delete.status"),
    _go("document_lower_case", "dual_write.document_id"),
    _go("document_stays", "dual_write.deleted"),
    _go(
        "errors_without_code", *("errors.invalid_request", "errors.unauthorized", "errors.not_found", "rate_limit.code")
    ),
    _go("exit_1", "stop.exit_status"),
    _go("expired_accepted", "auth.expired"),
    _go("field_missing", *BODIES, "upsert.partial"),
    _go("foreign_403", "ownership.get", "ownership.put"),
    _go("foreign_readable", "ownership.get", "ownership.leak"),
    _go("foreign_token_accepted", "auth.audience", "auth.issuer"),
    _go("health_asks_database", "operations.health.database_gone"),
    _go(
        "last_location_lost",
        *("walks.get.body", "upsert.locations_stay", "upsert.locations_values", "upsert.batch", "postgres.locations"),
        "upsert.two_devices",
        may={"dual_write.location_order"},
    ),
    _go("latitude_91_accepted", "limits.latitude.beyond"),
    _go(
        "list_of_all",
        *("listing.pages", "listing.empty", "listing.own", "listing.deleted"),
        may={"listing.order", "listing.total_count"},
    ),
    _go("locations_as_inserted", "upsert.locations_order", "dual_write.location_order"),
    _go("log_text", "log.json", "log.walk_id", hides=_all("log.") - {"log.json", "log.walk_id", "log.no_token"}),
    _go("nil_as_null", "dual_write.absent"),
    _go(
        "no_rate_limit", "rate_limit.limit", hides={"rate_limit.retry_after", "rate_limit.code", "rate_limit.per_user"}
    ),
    _go("no_retry_after", "rate_limit.retry_after"),
    _go("nul_500", "bad_input.nul"),
    _go("oldest_first", "listing.order"),
    _go("page_ignored", "listing.pages", "listing.beyond"),
    # A target that removes none may leave them to the app: only a whole week tells.
    _go("photos_stay", hides=_all("photos.")),
    _go("photos_of_all_removed", "photos.others_stay"),
    _go(
        "put_overwrites_foreign",
        *("ownership.put", "ownership.put_keeps", "ownership.leak"),
        hides={"dual_write.foreign"},
    ),
    _go("ready_without_database", "operations.ready.database_gone", hides={"operations.ready.database_back"}),
    _go("requests_cut", "stop.finishes_request"),
    _go("sigterm_ignored", "stop.within_limit", "stop.stops_accepting", hides={"stop.exit_status"}),
    _go("snake_case_locations", "dual_write.location_keys"),
    _go(
        "times_without_zone",
        *(*BODIES, "upsert.partial", "upsert.locations_values"),
        hides={"upsert.updated_at"},
        may=_all("dual_write."),
        alone=True,
    ),
    _go("title_256_accepted", "limits.title.post.beyond", "limits.title.put"),
    _go("title_in_bytes", "limits.title.characters"),
    _go("token_logged", "log.no_token"),
    _go("total_count_of_all", "listing.total_count"),
    _go("unknown_speed_0", "dual_write.unknown_speed"),
    _go("updated_at_frozen", "upsert.updated_at", may={"dual_write.updated", "dual_write.location_order"}),
    _go("upper_case_unknown", "walks.get.upper_case_id"),
    _go("upsert_404", *("upsert.creates", "upsert.empty_body", "upsert.two_devices"), hides=_all(""), alone=True),
    _go("zero_latitude_refused", "limits.latitude.zero"),
    _go("zero_time_for_null", "walks.create.times"),
    _node("count_as_text", "listing.body", "listing.total_count"),
    _node("exit_by_signal", "stop.exit_status", "stop.finishes_request"),
    _node("html_errors", "errors.invalid_request", "errors.not_found"),
    _node("list_null_when_empty", "listing.empty", "listing.beyond", "listing.total_count"),
    _node("locations_null", "walks.get.no_locations"),
    _node("locations_replaced_whole", "upsert.locations_stay", "upsert.two_devices"),
    _node("log_level_number", "log.severity"),
    _node("mirror_before_check", "dual_write.foreign"),
    _node("no_user_row", "postgres.user"),
    _node(
        "numbers_as_text",
        *(*BODIES, "upsert.partial", "upsert.locations_values", "upsert.locations_replaced"),
        *("limits.latitude.zero", "limits.longitude.zero"),
    ),
    _node("put_replaces_all", "upsert.partial", "dual_write.updated", may={"dual_write.foreign"}),
    _node("retry_after_ms", "rate_limit.retry_after"),
    _node("soft_deleted_listed", "listing.deleted", "dual_write.deleted", hides={"walks.delete.with_locations"}),
    _node("total_count_of_page", "listing.total_count"),
    _node("whole_doubles_as_integers", "dual_write.types", "dual_write.unknown_speed"),
)


def batches(planted: Iterable[Planted] = PLANTED) -> list[list[Planted]]:
    """Each in the first batch of its language where no other touches the same checks."""
    made: list[list[Planted]] = []
    for each in planted:
        fitting = (batch for batch in made if not each.alone and _fits(each, batch))
        batch = next(fitting, None)
        if batch is None:
            made.append([each])
        else:
            batch.append(each)
    return made


def _fits(planted: Planted, batch: Sequence[Planted]) -> bool:
    """What is slow goes to a batch that begins with something slow, so that the others stay quick."""
    if planted.slow and not batch[0].slow:
        return False
    return all(
        other.language is planted.language and not other.alone and not other.touches & planted.touches
        for other in batch
    )
