"""Requests that are taken and must be refused, and requests that are refused and must be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import Target
from tests.conformance.plants.planting import Plants

PLANTS = Plants()

_ODD = 2000  # characters of a text beyond which even a lenient target reads no further


def _points(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The locations that are objects, where the body has a list of them."""
    points = body.get("locations")
    return [each for each in points if isinstance(each, dict)] if isinstance(points, list) else []


def _sent(call: Call) -> dict[str, Any]:
    """The body of a write, {} when it is no object."""
    body = call.json if call.method in ("POST", "PUT") else None
    return body if isinstance(body, dict) else {}


# -- texts -----------------------------------------------------------------------------------------------------------


def _cuts(name: str, method: str, field: str, most: int, *finds: str) -> None:
    def cut(call: Call, body: dict[str, Any]) -> None:
        text = body.get(field)
        if call.method == method and isinstance(text, str) and most < len(text) < _ODD:
            body[field] = text[:most]

    PLANTS.bends(name, cut, *finds)


def _below(name: str, field: str, length: int, *finds: str) -> None:
    def too_long(call: Call) -> bool:
        text = _sent(call).get(field)
        return call.method == "POST" and isinstance(text, str) and len(text) == length

    PLANTS.refuses(name, too_long, *finds)


_cuts("long_title_cut_in_post", "POST", "title", 255, "limits.title.post.beyond")
_cuts("long_title_cut_in_put", "PUT", "title", 255, "limits.title.put")
_cuts("long_description_cut_in_post", "POST", "description", 1000, "limits.description.post.beyond")
_cuts("long_description_cut_in_put", "PUT", "description", 1000, "limits.description.put")
_cuts("long_thumbnail_cut", "PUT", "thumbnail_image_url", 500, "limits.thumbnail")
_below("title_below_255", "title", 255, "limits.title.post.largest")
_below("description_below_1000", "description", 1000, "limits.description.post.largest")


def _long_in_bytes(call: Call) -> bool:
    title = _sent(call).get("title")
    return call.method == "POST" and isinstance(title, str) and len(title) <= 255 < len(title.encode())


def _untitled(call: Call, body: dict[str, Any]) -> None:
    if call.method == "POST" and body.get("title") in (None, ""):
        body["title"] = "散歩"


def _emptied(call: Call, body: dict[str, Any]) -> None:
    if call.method == "PUT" and body.get("title") == "":
        del body["title"]


def _endless(call: Call, body: dict[str, Any]) -> None:
    text = body.get("description")
    if isinstance(text, str) and len(text) >= _ODD:
        body["description"] = text[:1000]


def _any_title(_call: Call, body: dict[str, Any]) -> None:
    if "title" in body and not isinstance(body["title"], str | None):
        body["title"] = str(body["title"])


PLANTS.refuses("title_counted_in_bytes", _long_in_bytes, "limits.title.characters")
PLANTS.bends("untitled_walk_created", _untitled, "limits.title.required")
PLANTS.bends("empty_title_ignored", _emptied, "limits.title.put")
PLANTS.bends("endless_description_cut", _endless, "bad_input.too_large")
PLANTS.bends("any_title_made_a_text", _any_title, "bad_input.types")

# -- locations -------------------------------------------------------------------------------------------------------


def _clamps(name: str, field: str, most: int, *finds: str) -> None:
    def clamp(_call: Call, body: dict[str, Any]) -> None:
        for point in _points(body):
            if isinstance(point.get(field), int | float):
                point[field] = max(-most, min(most, point[field]))

    PLANTS.bends(name, clamp, *finds)


def _refuses_point(name: str, when: Callable[[dict[str, Any]], object], *finds: str) -> None:
    PLANTS.refuses(name, lambda call: any(when(point) for point in _points(_sent(call))), *finds)


_clamps("latitude_clamped", "latitude", 90, "limits.latitude.beyond")
_clamps("longitude_clamped", "longitude", 180, "limits.longitude.beyond")
_clamps("last_number_used_again", "sequence_number", 19_999, "limits.locations.in_all")
_refuses_point("poles_refused", lambda point: point.get("latitude") in (-90, 90), "limits.position.ends")
_refuses_point("equator_refused", lambda point: point.get("latitude") == 0, "limits.latitude.zero")
_refuses_point("greenwich_refused", lambda point: point.get("longitude") == 0, "limits.longitude.zero")
_refuses_point("altitude_required", lambda point: "altitude" not in point, "upsert.locations_optional")
PLANTS.refuses("at_most_50_locations", lambda call: len(_points(_sent(call))) == 60, "upsert.batch")


def _nowhere(_call: Call, body: dict[str, Any]) -> None:
    for point in _points(body):
        point.setdefault("latitude", 0.5)
        point.setdefault("longitude", 0.5)


def _unnumbered(_call: Call, body: dict[str, Any]) -> None:
    for place, point in enumerate(_points(body)):
        point.setdefault("sequence_number", place)


def _no_list(_call: Call, body: dict[str, Any]) -> None:
    if not isinstance(body.get("locations", []), list):
        del body["locations"]


PLANTS.bends("position_is_optional", _nowhere, "limits.location.required")
PLANTS.bends("number_is_optional", _unnumbered, "limits.location.number")
PLANTS.bends("locations_of_another_type_ignored", _no_list, "bad_input.location_types")

# -- other fields ----------------------------------------------------------------------------------------------------


def _drops(name: str, when: Callable[[dict[str, Any]], object], field: str, *finds: str) -> None:
    def drop(call: Call, body: dict[str, Any]) -> None:
        if call.method == "PUT" and field in body and when(body):
            del body[field]

    PLANTS.bends(name, drop, *finds)


def _ends_before(body: dict[str, Any]) -> bool:
    return "start_time" in body and str(body["end_time"]) < str(body["start_time"])


_STATUSES = ("not_started", "in_progress", "paused", "completed")
_drops("unknown_status_ignored", lambda body: body["status"] not in _STATUSES, "status", "limits.status")
_drops("early_end_ignored", _ends_before, "end_time", "limits.end_before_start")
_drops("end_without_start_ignored", lambda body: "start_time" not in body, "end_time", "limits.end_without_start")
_drops("wordy_distance_ignored", lambda body: isinstance(body["total_distance"], str), "total_distance",
       "bad_input.number_types")  # fmt: skip
_drops("wordy_time_ignored", lambda body: body["start_time"] == "yesterday", "start_time", "bad_input.times")
PLANTS.refuses("paused_is_no_status", lambda call: _sent(call).get("status") == "paused", "limits.statuses")


def _negative(_call: Call, body: dict[str, Any]) -> None:
    if isinstance(body.get("total_steps"), int):
        body["total_steps"] = abs(body["total_steps"])


PLANTS.bends("negative_steps_turned", _negative, "limits.negative")

# -- bodies that are none --------------------------------------------------------------------------------------------


def _something(call: Call) -> None:
    """A body as if nothing but a title had been sent."""
    call.body = b'{"title": "?"}'
    call.headers["content-type"] = "application/json"


def _reads_something(name: str, when: Callable[[Call], object], *finds: str) -> None:
    def read(call: Call) -> None:
        if call.method in ("POST", "PUT") and call.uid and when(call):
            _something(call)

    PLANTS.reads(name, read, *finds)


def _replaces(name: str, this: bytes, that: bytes, *finds: str) -> None:
    def read(call: Call) -> None:
        call.body = call.body.replace(this, that)

    PLANTS.reads(name, read, *finds)


_reads_something("half_an_object_read", lambda call: call.body == b"{", "bad_input.json")
_reads_something("list_read_as_object", lambda call: call.body == b"[]", "bad_input.not_an_object")
_reads_something("empty_body_read", lambda call: not call.body and call.method == "POST", "bad_input.empty_body")
_replaces("nan_read_as_0", b"NaN", b"0", "bad_input.nan")
_replaces("huge_number_cut", b"1e400", b"1e30", "bad_input.huge_numbers")


def _fails(name: str, when: Callable[[Call], object], *finds: str) -> None:
    """An answer 500 for what nobody foresaw."""
    PLANTS.refuses(name, lambda call: call.method in ("POST", "PUT") and when(call), *finds, status=500)


def _no_utf8(call: Call) -> bool:
    try:
        call.body.decode()
    except UnicodeDecodeError:
        return True
    return False


_fails("escaped_nul_500", lambda call: b"a\\u0000" in call.body, "bad_input.nul")
_fails("raw_nul_500", lambda call: b"a\x00" in call.body, "bad_input.raw_nul")
_fails("surrogate_500", lambda call: b"\\ud800" in call.body or b"\\udc00" in call.body, "bad_input.surrogate")
_fails("utf8_500", _no_utf8, "bad_input.utf8")
_fails("deep_500", lambda call: b"[" * 5000 in call.body, "bad_input.deep")
_fails("content_type_500", lambda call: call.headers.get("content-type") == "nonsense", "bad_input.content_type")


@PLANTS("bad_input.harmless")
def worker_dies_of_nul(target: Target) -> None:
    """A body of a NUL is refused, and the worker that read it takes the user's next request along."""
    dying: set[str] = set()

    def ask(call: Call) -> Answer | None:
        if call.body == b"\x00":
            dying.add(call.uid)
        elif call.method == "GET" and call.uid in dying:
            dying.discard(call.uid)
            return refusal(502, "INTERNAL_ERROR")
        return None

    target.front.before.append(ask)


# -- queries and ids -------------------------------------------------------------------------------------------------


def _query(name: str, change: Callable[[dict[str, str]], None], *finds: str) -> None:
    def read(call: Call) -> None:
        if call.asks("GET") and call.query:
            values = dict(parse_qsl(call.query, keep_blank_values=True))
            change(values)
            call.query = urlencode(values)

    PLANTS.reads(name, read, *finds)


def _clamps_query(name: str, field: str, most: int, *finds: str) -> None:
    def clamp(values: dict[str, str]) -> None:
        if values.get(field, "").lstrip("-").isdecimal() and len(values[field]) < 6:
            values[field] = str(max(1, min(most, int(values[field]))))

    _query(name, clamp, *finds)


def _word(values: dict[str, str]) -> None:
    if values.get("page") == "one":
        del values["page"]


def _asks_for(name: str, query: str, *finds: str) -> None:
    PLANTS.refuses(name, lambda call: call.asks("GET") and query in call.query.split("&"), *finds)


_clamps_query("page_clamped", "page", 1000, "limits.page.beyond")
_clamps_query("limit_clamped", "limit", 100, "limits.limit.beyond")
_query("wordy_page_ignored", _word, "bad_input.query")
_asks_for("at_most_999_pages", "page=1000", "limits.page.ends", "listing.beyond")
_asks_for("at_least_two_a_page", "limit=1", "limits.limit.ends")
PLANTS.refuses("foreign_ids_404", lambda call: call.walk_id == "not-a-uuid", "bad_input.id", status=404)
PLANTS.refuses(
    "upper_case_404", lambda call: call.method == "GET" and call.of_walk and call.walk_id != call.walk_id.lower(),
    "walks.get.upper_case_id", status=404,
)  # fmt: skip
