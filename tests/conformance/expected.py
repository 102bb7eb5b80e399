"""What the checks must find in the wrong target, a real process: by the deviation's name in ``wrong_target.py``."""

from __future__ import annotations

EXPECTED: dict[str, set[str]] = {
    "foreign_403": {"ownership.get"},
    "put_overwrites_foreign": {"ownership.put", "ownership.put_keeps", "ownership.leak"},
    "create_200": {"walks.create.status"},
    "title_256": {"limits.title.post.beyond"},
    "snake_case_locations": {"dual_write.location_keys"},
    "unknown_speed_0": {"dual_write.unknown_speed"},
    "lower_case_document": {"dual_write.document_id"},
    "document_stays": {"dual_write.deleted"},
    "errors_without_code": {
        "errors.invalid_request",
        "errors.unauthorized",
        "errors.not_found",
        "errors.path",
        "protocol.head_size",
        "protocol.no_request",
        "rate_limit.code",
    },
    "total_count_off": {"listing.total_count"},
    "oldest_first": {"listing.order"},
    "unsent_locations_dropped": {"upsert.locations_stay", "limits.locations.in_all", "upsert.two_devices"},
    "zero_latitude_refused": {"limits.latitude.zero"},
    "no_retry_after": {"rate_limit.retry_after"},
    "rate_limit_150": {"rate_limit.limit"},
    "nul_500": {"bad_input.nul"},
    "no_pod_name": {"log.pod_name"},
    "created_at_missing": {"walks.create.body", "walks.get.body", "walks.put.body", "listing.body"},
    "expired_accepted": {"auth.expired"},
    "always_ready": {"operations.ready.database_gone"},
    "photos_of_all_walks_removed": {"photos.others_stay"},
    "exit_1": {"stop.exit_status"},
}
#: Advice that the bundled API itself gets: its times have fractional seconds.
OF_OUR_OWN = {"app.times"}
#: What a planted deviation leaves nothing to try on.
UNTRIED = {"operations.ready.database_back", "dual_write.foreign"}
#: Deviations of a stop, each of a process of its own.
STOPS: dict[str, set[str]] = {
    "requests_cut": {"stop.finishes_request"},
    "sigterm_ignored": {"stop.within_limit", "stop.stops_accepting"},
}
