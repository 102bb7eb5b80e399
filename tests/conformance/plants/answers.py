"""Answers that are not the contract's: a status, a header, a field, a code, an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.protocol import LimitedProtocol, Limits
from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import Database, Target
from tests.conformance.plants.planting import Plants

PLANTS = Plants()


def _status(name: str, when: Callable[[Call], object], was: int, becomes: int, *finds: str) -> None:
    def change(call: Call, answer: Answer) -> None:
        if answer.status == was and when(call):
            answer.status = becomes
            if becomes == 204:
                answer.body = b""

    PLANTS.answers(name, change, *finds)


def _body(name: str, when: Callable[[Call], object], change: Callable[[dict[str, Any]], None], *finds: str) -> None:
    """Of an answer 2xx."""

    def changed(call: Call, answer: Answer) -> None:
        if 200 <= answer.status < 300 and answer.body and when(call):
            body = answer.json
            change(body)
            answer.says(body)

    PLANTS.answers(name, changed, *finds)


def _without(name: str, when: Callable[[Call], object], field: str, *finds: str) -> None:
    _body(name, when, lambda body: body.pop(field, None), *finds)


def _posts(call: Call) -> bool:
    return call.asks("POST")


def _lists(call: Call) -> bool:
    return call.asks("GET")


def _of_walk(method: str) -> Callable[[Call], bool]:
    return lambda call: call.method == method and call.of_walk


def _there(target: Target, call: Call) -> bool:
    return bool(target.database.walk_row(call.walk_id.lower()))


# -- operations ------------------------------------------------------------------------------------------------------

PLANTS.refuses(
    "health_needs_a_token", lambda call: call.asks("GET", "/health") and not call.uid,
    "operations.health", "operations.health.database_gone", "protocol.head_size", "protocol.no_request", status=401,
)  # fmt: skip
PLANTS.refuses(
    "ready_needs_a_token", lambda call: call.asks("GET", "/ready") and not call.uid, "operations.ready", status=401
)
_status("always_ready", lambda call: call.asks("GET", "/ready"), 503, 200, "operations.ready.database_gone")


@PLANTS("operations.ready.database_back")
def never_ready_again(target: Target) -> None:
    """A pool that lost its database once gives up."""
    lost: list[Database] = []

    def change(call: Call, answer: Answer) -> None:
        if call.asks("GET", "/ready"):
            asked = target.databases[-1]
            if answer.status == 503:
                lost.append(asked)
            elif any(asked is each for each in lost):
                answer.status = 503

    target.front.after.append(change)


@PLANTS("operations.health.database_gone")
def health_asks_the_database(target: Target) -> None:
    """Liveness is told by the database, looked at every second."""
    lost_s: dict[int, float] = {}

    def change(call: Call, answer: Answer) -> None:
        asked, now_s = target.databases[-1], target.clock.unix_s()
        since_s = lost_s.setdefault(id(asked), now_s) if asked.cut else now_s
        if call.asks("GET", "/health") and now_s - since_s > 1:
            answer.status = 503

    target.front.after.append(change)


# -- one walk --------------------------------------------------------------------------------------------------------

_status("create_200", _posts, 201, 200, "walks.create.status")
_without("create_without_description", _posts, "description", "walks.create.body")
_without("get_without_created_at", _of_walk("GET"), "created_at", "walks.get.body")
_without("put_without_created_at", _of_walk("PUT"), "created_at", "walks.put.body")
_body("zero_time_for_null", _posts, lambda body: body.update(start_time="0001-01-01T00:00:00Z"), "walks.create.times")
_status("unknown_410", _of_walk("GET"), 404, 410, "walks.get.unknown", "walks.delete.gone", "ownership.get")
_status("delete_200", _of_walk("DELETE"), 204, 200, "walks.delete.status")


def _null_for_none(body: dict[str, Any]) -> None:
    body["locations"] = body["locations"] or None


_body("no_locations_null", _of_walk("GET"), _null_for_none, "walks.get.no_locations")


@PLANTS("walks.get.status", "bad_input.harmless")
def created_walk_not_there_yet(target: Target) -> None:
    """The first GET after a POST is 404, as from a replica that lags."""
    made: set[str] = set()

    def change(call: Call, answer: Answer) -> None:
        if call.asks("POST") and answer.status == 201:
            made.add(answer.json["id"])
        elif call.method == "GET" and call.walk_id in made:
            made.discard(call.walk_id)
            answer.status = 404

    target.front.after.append(change)


@PLANTS("walks.put.status")
def first_put_201(target: Target) -> None:
    """The first PUT of a walk that POST made answers as if it had made it."""
    made: set[str] = set()

    def change(call: Call, answer: Answer) -> None:
        if call.asks("POST") and answer.status == 201:
            made.add(answer.json["id"])
        elif call.method == "PUT" and answer.status == 200 and call.walk_id in made:
            made.discard(call.walk_id)
            answer.status = 201

    target.front.after.append(change)


@PLANTS("upsert.creates", "upsert.empty_body")
def created_by_put_201(target: Target) -> None:
    """As HTTP would have it (RFC 9110, section 9.3.4), and not the contract."""

    def ask(call: Call) -> Answer | None:
        call.headers["x-new"] = "" if _there(target, call) else "new"
        return None

    def change(call: Call, answer: Answer) -> None:
        if call.method == "PUT" and answer.status == 200 and call.headers["x-new"]:
            answer.status = 201

    target.front.before.append(ask)
    target.front.after.append(change)


def _deleted(name: str, *finds: str, twice: bool) -> None:
    """DELETE of what is not there answers 204: of what was deleted before, or of what never was."""

    def plant(target: Target) -> None:
        gone: set[str] = set()

        def change(call: Call, answer: Answer) -> None:
            if call.method == "DELETE" and call.of_walk:
                if answer.status == 204:
                    gone.add(call.walk_id)
                elif answer.status == 404 and (call.walk_id in gone) is twice and not _there(target, call):
                    answer.status, answer.body = 204, b""

        target.front.after.append(change)

    PLANTS.add(name, plant, *finds)


_deleted("deleted_twice_204", "walks.delete.gone", twice=True)
_deleted("unknown_deleted_204", "walks.delete.unknown", twice=False)


def _app_walk(body: dict[str, Any]) -> None:
    body["user_id"] = "app"


def _speed_by_ios(body: dict[str, Any]) -> None:
    for point in body["locations"]:
        point["speed"] = -1 if point["speed"] is None else point["speed"]


def _backwards(field: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        (body[field] or []).reverse()

    return change


def _never_updated(body: dict[str, Any]) -> None:
    body["updated_at"] = body["created_at"]


_body("updated_at_frozen", _of_walk("GET"), _never_updated, "upsert.updated_at")
_body("every_walk_the_apps", _of_walk("GET"), _app_walk, "upsert.own")
_body("unknown_speed_minus_1", _of_walk("GET"), _speed_by_ios, "upsert.locations_values")
_body(
    "locations_backwards", _of_walk("GET"), _backwards("locations"), "upsert.locations_order", "upsert.locations_stay"
)

# -- lists -----------------------------------------------------------------------------------------------------------


def _empty_null(body: dict[str, Any]) -> None:
    body["walks"] = body["walks"] or None


def _one_more(body: dict[str, Any]) -> None:
    body["total_count"] += 1


_without("list_without_page", _lists, "page", "listing.body")
_body("empty_list_null", _lists, _empty_null, "listing.empty", "listing.beyond", "listing.total_count")
_body("oldest_first", _lists, _backwards("walks"), "listing.order")
_body("total_count_off", _lists, _one_more, "listing.total_count")


def _no_walks(call: Call, answer: Answer) -> None:
    if call.asks("GET") and answer.status == 200 and not answer.json["total_count"]:
        answer.status = 404


def _no_page(call: Call, answer: Answer) -> None:
    if call.asks("GET") and answer.status == 200:
        body = answer.json
        if body["total_count"] and not body["walks"]:
            answer.status = 404


PLANTS.answers("no_walks_404", _no_walks, "listing.status")
PLANTS.answers("no_such_page_404", _no_page, "listing.beyond")

# -- how the app reads it ---------------------------------------------------------------------------------------------


def _each_listed(name: str, field: str, value: Callable[[Any], Any], *finds: str) -> None:
    def change(body: dict[str, Any]) -> None:
        for walk in body["walks"] or ():
            walk[field] = value(walk[field])

    _body(name, _lists, change, *finds)


_each_listed("archived_in_lists", "status", lambda _status: "archived", "app.statuses", "listing.body")
_each_listed("no_description_null", "description", lambda text: text or None, "app.nulls")
_each_listed("distances_as_texts", "total_distance", str, "app.numbers", "listing.body")


# -- whose -----------------------------------------------------------------------------------------------------------


def _forbidden(method: str) -> None:
    def plant(target: Target) -> None:
        def change(call: Call, answer: Answer) -> None:
            if call.method == method and answer.status == 404 and _there(target, call):
                answer.status = 403

        target.front.after.append(change)

    PLANTS.add(f"foreign_{method.lower()}_403", plant, f"ownership.{method.lower()}")


for _method in ("GET", "PUT", "DELETE"):
    _forbidden(_method)


@PLANTS("ownership.leak")
def refusal_shows_the_walk(target: Target) -> None:
    """The right status, and the error says what the walk is about."""

    def change(call: Call, answer: Answer) -> None:
        if call.of_walk and answer.status in (403, 404) and (row := target.database.walk_row(call.walk_id.lower())):
            body = answer.json
            body["error"]["message"] = f"not yours: {row['description']}"
            answer.says(body)

    target.front.after.append(change)


@PLANTS("ownership.get", "ownership.leak")
def foreign_walk_read(target: Target) -> None:
    """GET answers whatever walk is asked for."""

    def change(call: Call, answer: Answer) -> None:
        if call.method == "GET" and answer.status == 404 and (row := target.database.walk_row(call.walk_id.lower())):
            answer.status = 200
            answer.says({"id": row["id"], "title": row["title"], "description": row["description"]})

    target.front.after.append(change)


# -- errors ----------------------------------------------------------------------------------------------------------


def _code(name: str, status: int, code: str, *finds: str) -> None:
    def change(_call: Call, answer: Answer) -> None:
        if answer.status == status:
            body = answer.json
            body["error"]["code"] = code
            answer.says(body)

    PLANTS.answers(name, change, *finds)


def _plain_errors(_call: Call, answer: Answer) -> None:
    if answer.status >= 400:
        answer.headers["content-type"] = "text/plain; charset=utf-8"


_code("bad_request", 400, "BAD_REQUEST", "errors.invalid_request")
_code("unauthenticated", 401, "UNAUTHENTICATED", "errors.unauthorized")
_code("walk_not_found", 404, "WALK_NOT_FOUND", "errors.not_found")
_code("too_many_requests", 429, "TOO_MANY_REQUESTS", "rate_limit.code")
PLANTS.answers("errors_as_text", _plain_errors, "errors.json")


@PLANTS("errors.path")
def server_answers_in_words(target: Target) -> None:
    """What never comes to a handler gets the server's own page."""
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n\r\n400 Bad Request"
    target.patch("api.protocol.LimitedProtocol._answer", lambda *_: page)


# -- the protocol ----------------------------------------------------------------------------------------------------


@PLANTS("protocol.head_size")
def heads_without_end(target: Target) -> None:
    """uvicorn's own protocol has no limit either."""
    limits = Limits(head_bytes=2**40, url_bytes=2**40, head_s=1e6, message_bytes=2**40)
    target.patch("api.serve.Limits", lambda **_: limits)


@PLANTS("protocol.no_request", "errors.path")
def noise_is_waited_for(target: Target) -> None:
    """What cannot be read is left open without a word, a path that is not ASCII too."""
    real = LimitedProtocol._refuse

    def refuse(self: LimitedProtocol, status: int, message: str) -> None:
        if "HTTP/1.1" not in message:
            real(self, status, message)

    target.patch("api.protocol.LimitedProtocol._refuse", refuse)


# -- the rate limit --------------------------------------------------------------------------------------------------


def _no_retry_after(_call: Call, answer: Answer) -> None:
    if answer.status == 429:
        answer.headers.pop("retry-after", None)


PLANTS.answers("no_retry_after", _no_retry_after, "rate_limit.retry_after")


@PLANTS("rate_limit.per_user")
def all_buckets_emptied(target: Target) -> None:
    """When one user's bucket runs dry, so do those of all who have asked before."""
    seen: set[str] = set()
    dry: set[str] = set()

    def ask(call: Call) -> Answer | None:
        return refusal(429, "RATE_LIMITED") if call.uid in dry else None

    def change(call: Call, answer: Answer) -> None:
        seen.add(call.uid)
        if answer.status == 429:
            dry.update(seen - {call.uid, ""})

    target.front.before.append(ask)
    target.front.after.append(change)


@PLANTS("rate_limit.probes")
def probes_limited(target: Target) -> None:
    """Every 101st question whether it is ready is one too many."""
    asked = 0

    def ask(call: Call) -> Answer | None:
        nonlocal asked
        asked += call.asks("GET", "/ready")
        return refusal(429, "RATE_LIMITED") if call.asks("GET", "/ready") and asked % 101 == 0 else None

    target.front.before.append(ask)
