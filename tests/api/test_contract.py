"""The contract of docs/contract/walk-api.md, call by call and status by status, over memory and PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from api.model import DEFAULT_TITLE
from tests.api.contract import END, START, assert_error, location
from tests.api.world import World, new_id, new_user

WALK_FIELDS = {
    "id",
    "user_id",
    "title",
    "description",
    "start_time",
    "end_time",
    "paused_at",
    "total_distance",
    "total_steps",
    "polyline_data",
    "thumbnail_image_url",
    "status",
    "total_paused_duration",
    "created_at",
    "updated_at",
}
#: In the tests' parameters an id that is the same at each collection: workers of pytest-xdist compare names.
SOME_ID = "7c0ffee0-5eed-4a11-8bad-f00ddeadbeef"


async def test_health_and_readiness_need_no_token(api: World) -> None:
    async with api.anonymous() as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert (await client.get("/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/walks"),
        ("POST", "/v1/walks"),
        ("GET", f"/v1/walks/{SOME_ID}"),
        ("PUT", f"/v1/walks/{SOME_ID}"),
        ("DELETE", f"/v1/walks/{SOME_ID}"),
        ("GET", "/v1/walks/not-an-id"),
    ],
)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer bad token", "Bearer\tx", "x"])
async def test_every_walk_call_needs_a_good_token(method: str, path: str, header: str | None) -> None:
    from tests.api.world import running

    async with running() as api, api.anonymous() as client:
        headers = {} if header is None else {"Authorization": header}
        answer = await client.request(method, path, headers=headers, json={})
        assert_error(answer, 401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_create(api: World) -> None:
    uid = new_user()
    async with api.as_user(uid) as client:
        answer = await client.post("/v1/walks", json={"title": "朝の散歩", "description": "川沿い", "unknown": 1})
        assert answer.status_code == 201
        walk = answer.json()
        assert set(walk) == WALK_FIELDS
        assert (walk["user_id"], walk["title"], walk["description"]) == (uid, "朝の散歩", "川沿い")
        assert (walk["status"], walk["total_distance"], walk["total_steps"]) == ("not_started", 0.0, 0)
        assert walk["total_paused_duration"] == 0.0
        assert [walk[name] for name in ("start_time", "end_time", "paused_at", "polyline_data")] == [None] * 4
        assert walk["created_at"].endswith("Z")
        assert walk["created_at"] == walk["updated_at"]
        assert answer.headers["location"] == f"/v1/walks/{walk['id']}"
        assert answer.headers["x-pod-name"] == "pod-1"
        assert (await client.get(f"/v1/walks/{walk['id']}")).json() == walk | {"locations": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": None},
        {"title": 5},
        {"title": "x" * 256},
        {"title": "a\x00b"},
        {"title": "t", "description": "x" * 1001},
        {"title": "t", "description": "\x00"},
        [],
        "title",
        None,
        5,
    ],
)
async def test_create_refuses(api: World, body: Any) -> None:
    async with api.as_user() as client:
        assert_error(await client.post("/v1/walks", json=body), 400, "INVALID_REQUEST")


async def test_lengths_are_characters_not_bytes(api: World) -> None:
    async with api.as_user() as client:
        body = {"title": "歩" * 255, "description": "😀" * 1000}
        walk = (await client.post("/v1/walks", json=body)).json()
        assert (walk["title"], walk["description"]) == (body["title"], body["description"])


async def test_a_text_may_show_the_escape_of_nul(api: World) -> None:
    async with api.as_user() as client:
        answer = await client.post("/v1/walks", json={"title": r"a\u0000b"})
        assert answer.status_code == 201
        assert answer.json()["title"] == r"a\u0000b"


async def test_list_is_paged_newest_first_and_own(api: World) -> None:
    async with api.as_user() as client, api.as_user() as other:
        assert (await client.get("/v1/walks")).json() == {"walks": [], "total_count": 0, "page": 1, "limit": 20}
        ids = [(await client.post("/v1/walks", json={"title": f"{n}"})).json()["id"] for n in range(25)]
        await other.post("/v1/walks", json={"title": "another's"})
        ids.reverse()
        first = (await client.get("/v1/walks")).json()
        assert [walk["id"] for walk in first["walks"]] == ids[:20]
        assert (first["total_count"], first["page"], first["limit"]) == (25, 1, 20)
        assert set(first["walks"][0]) == WALK_FIELDS
        last = (await client.get("/v1/walks?page=3&limit=10&other=1")).json()
        assert [walk["id"] for walk in last["walks"]] == ids[20:]
        assert (last["total_count"], last["page"], last["limit"]) == (25, 3, 10)
        beyond = (await client.get("/v1/walks?page=1000&limit=100")).json()
        assert (beyond["walks"], beyond["total_count"]) == ([], 25)


@pytest.mark.parametrize(
    "query",
    [
        *("page=0", "page=1001", "limit=0", "limit=101", "page=", "page=a", "page=-1", "page=1.0", "page=%2B1"),
        *("limit=1e1", "page=1&page=2", "page=99999999999999999999", "limit=%EF%BC%91", "page=%00"),
        "&".join(["x=1"] * 60),
    ],
)
async def test_list_refuses(api: World, query: str) -> None:
    async with api.as_user() as client:
        assert_error(await client.get(f"/v1/walks?{query}"), 400, "INVALID_REQUEST")


async def test_put_creates_with_defaults(api: World) -> None:
    uid, walk_id = new_user(), new_id()
    async with api.as_user(uid) as client:
        answer = await client.put(f"/v1/walks/{walk_id.upper()}", json={})
        assert answer.status_code == 200
        walk = answer.json()
        assert set(walk) == WALK_FIELDS
        assert (walk["id"], walk["user_id"], walk["title"]) == (walk_id, uid, DEFAULT_TITLE)
        assert (walk["status"], walk["description"]) == ("not_started", "")


async def test_put_sets_every_field_and_leaves_what_is_absent(api: World) -> None:
    everything = {
        "title": "夕方",
        "description": "d",
        "start_time": START,
        "end_time": END,
        "paused_at": "2025-10-20T18:30:00+09:00",
        "total_distance": 1234.5,
        "total_steps": 1700,
        "polyline_data": "_p~iF~ps|U_ulLnnqC",
        "thumbnail_image_url": "https://example.com/a.jpg",
        "status": "paused",
        "total_paused_duration": 12.25,
    }
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        walk = (await client.put(path, json=everything)).json()
        assert {name: walk[name] for name in everything} == everything | {"paused_at": "2025-10-20T09:30:00Z"}
        for name, value in everything.items():  # each alone changes nothing else, also an end_time without its start
            again = (await client.put(path, json={name: value})).json()
            assert again | {"updated_at": ""} == walk | {"updated_at": ""}, name
            assert again["updated_at"] > walk["updated_at"]


async def test_put_null_clears_what_may_be_empty(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        await client.put(path, json={"description": "d", "start_time": START, "paused_at": START, "polyline_data": "x"})
        nulls = dict.fromkeys(("description", "start_time", "paused_at", "polyline_data", "locations"))
        walk = (await client.put(path, json=nulls)).json()
        assert [walk[name] for name in ("description", "start_time", "paused_at", "polyline_data")] == ["", *[None] * 3]
        for name in ("title", "status", "total_distance", "total_steps", "total_paused_duration"):
            assert_error(await client.put(path, json={name: None}), 400, "INVALID_REQUEST")


async def test_a_walk_that_was_read_can_be_put_back_whole(api: World) -> None:
    async with api.as_user() as client:
        walk = (await client.post("/v1/walks", json={"title": "t"})).json()
        await client.put(f"/v1/walks/{walk['id']}", json={"locations": [location(0)]})
        detail = (await client.get(f"/v1/walks/{walk['id']}")).json()
        back = (await client.put(f"/v1/walks/{walk['id']}", json=detail)).json()
        assert back["created_at"] == walk["created_at"]
        after = (await client.get(f"/v1/walks/{walk['id']}")).json()
        assert after | {"updated_at": ""} == detail | {"updated_at": ""}


@pytest.mark.parametrize(
    "body",
    [
        {"title": ""},
        {"title": "x" * 256},
        {"status": "running"},
        {"total_distance": -1},
        {"total_distance": "5"},
        {"total_steps": -1},
        {"total_steps": 1.5},
        {"total_steps": 2**31},
        {"total_steps": 10**30},
        {"total_paused_duration": -0.1},
        {"thumbnail_image_url": "x" * 501},
        {"polyline_data": "a\x00"},
        {"start_time": "yesterday"},
        {"start_time": "2025-10-20T09:00:00"},
        {"start_time": 1760918400},
        {"start_time": "0001-01-01T00:00:00+23:59"},
        {"start_time": "9999-12-31T23:59:59-23:59"},
        {"start_time": "0001-01-01T00:00:00Z"},
        {"paused_at": "9999-12-31T23:59:59.999999Z"},
        {"end_time": END},
        {"start_time": END, "end_time": START},
        {"locations": {}},
        {"locations": [{}]},
        {"locations": [location(0, latitude=90.1)]},
        {"locations": [location(0, longitude=-180.1)]},
        {"locations": [location(0, latitude=None)]},
        {"locations": [location(-1)]},
        {"locations": [location(2**31)]},
        {"locations": [location(0, timestamp=None)]},
        {"locations": [location(0, timestamp="0001-01-01T00:00:00+01:00")]},
        {"locations": [location(0, speed="fast")]},
    ],
)
async def test_put_refuses_and_changes_nothing(api: World, body: Any) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        assert_error(await client.put(path, json=body), 400, "INVALID_REQUEST")
        assert_error(await client.get(path), 404, "NOT_FOUND")


async def test_put_refuses_what_contradicts_the_stored_walk(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        await client.put(path, json={"start_time": START, "end_time": END})
        for body in (
            {"start_time": None},
            {"end_time": "2025-10-20T08:59:59Z"},
            {"start_time": "2026-01-01T00:00:00Z"},
        ):
            assert_error(await client.put(path, json=body), 400, "INVALID_REQUEST")
        walk = (await client.get(path)).json()
        assert (walk["start_time"], walk["end_time"]) == (START, END)


async def test_locations_are_upserted_by_number_and_those_not_sent_stay(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    full = {"altitude": 0.0, "horizontal_accuracy": 5.5, "vertical_accuracy": 3.25, "speed": 0.0, "course": 359.9}
    async with api.as_user() as client:
        await client.put(path, json={"locations": [location(2), location(0, latitude=0.0, longitude=0.0, **full)]})
        await client.put(path, json={"locations": [location(1, timestamp=END), location(2, latitude=-90, speed=None)]})
        locations = (await client.get(path)).json()["locations"]
        assert [entry["sequence_number"] for entry in locations] == [0, 1, 2]
        unknown = dict.fromkeys(full)
        assert locations[0] == location(0, latitude=0.0, longitude=0.0) | full
        assert locations[1] == location(1, timestamp=END) | unknown
        assert locations[2] == location(2, latitude=-90.0) | unknown
        await client.put(path, json={"title": "no locations"})
        await client.put(path, json={"locations": []})
        assert (await client.get(path)).json()["locations"] == locations


async def test_of_two_locations_with_one_number_the_last_wins(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        answer = await client.put(path, json={"locations": [location(7, latitude=1), location(7, latitude=2)]})
        assert answer.status_code == 200
        assert [entry["latitude"] for entry in (await client.get(path)).json()["locations"]] == [2.0]


async def test_a_retried_put_is_applied_once(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    body = {"title": "t", "total_steps": 5, "locations": [location(n) for n in range(30)]}
    async with api.as_user() as client:
        first, second = [(await client.put(path, json=body)).json() for _ in range(2)]
        assert first | {"updated_at": ""} == second | {"updated_at": ""}
        assert len((await client.get(path)).json()["locations"]) == 30
        assert (await client.get("/v1/walks")).json()["total_count"] == 1


async def test_another_users_walk_is_not_there(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as owner, api.as_user() as other:
        before = (await owner.put(path, json={"title": "mine", "locations": [location(0)]})).json()
        assert_error(await other.get(path), 404, "NOT_FOUND")
        assert_error(await other.put(path, json={"title": "yours"}), 404, "NOT_FOUND")
        assert_error(await other.put(path, json={"locations": [location(0, latitude=1)]}), 404, "NOT_FOUND")
        assert_error(await other.delete(path), 404, "NOT_FOUND")
        after = (await owner.get(path)).json()
        assert after.pop("locations")[0]["latitude"] == 35.1
        assert after == before


async def test_delete(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        await client.put(path, json={"locations": [location(0)]})
        answer = await client.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert_error(await client.delete(path), 404, "NOT_FOUND")
        assert_error(await client.get(path), 404, "NOT_FOUND")
        await client.put(path, json={})
        assert (await client.get(path)).json()["locations"] == []


@pytest.mark.parametrize(
    "text", ["1", "not-an-id", "%00", "{id}", SOME_ID.replace("-", ""), "{" + SOME_ID + "}", SOME_ID + "0", "٠" * 8]
)
async def test_an_id_is_a_uuid(api: World, text: str) -> None:
    async with api.as_user() as client:
        for method in ("GET", "PUT", "DELETE"):
            assert_error(await client.request(method, f"/v1/walks/{text}", json={}), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/walks/", 404),
        ("GET", f"/v1/walks/{SOME_ID}/locations", 404),
        ("PATCH", "/v1/walks", 405),
        ("DELETE", "/v1/walks", 405),
        ("POST", f"/v1/walks/{SOME_ID}", 405),
        ("POST", "/health", 405),
        ("BREW", "/ready", 405),
    ],
)
async def test_what_is_not_there_has_the_error_body_too(api: World, method: str, path: str, status: int) -> None:
    async with api.as_user() as client:
        answer = await client.request(method, path)
        assert_error(answer, status, "NOT_FOUND" if status == 404 else "INVALID_REQUEST")
        allowed = {"/v1/walks": "GET, POST", "/health": "GET", "/ready": "GET"}.get(path, "GET, PUT, DELETE")
        assert answer.headers.get("allow") == (allowed if status == 405 else None)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, b'{"title":"t"}'),
        ("text/plain", b'{"title":"t"}'),
        ("application/x-www-form-urlencoded", b"title=t"),
        ("application/json; charset=shift_jis", b'{"title":"t"}'),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b'{"title":"t"} x'),
        ("application/json", b'{"title":"\xff"}'),
        ("application/json", b'{"title":"t","unknown":"\xff"}'),
        ("application/json", b'{"title":"t","\xed\xa0\x80":1}'),
        ("application/json", b'\xef\xbb\xbf{"title":"t"}'),
        ("application/json", rb'{"title":"\ud800"}'),
        ("application/json", rb'{"title":"\u0000"}'),
        ("application/json", b'{"title":"t","total_distance":NaN}'),
        ("application/json", b'{"title":"t","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        ("application/json", b'{"title":"t","x":"' + b"x" * (5 * 1024 * 1024) + b'"}'),
    ],
)
async def test_a_body_is_json_of_a_bearable_size(api: World, content_type: str | None, body: bytes) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with api.as_user() as client:
        assert_error(await client.post("/v1/walks", content=body, headers=headers), 400, "INVALID_REQUEST")
        put = await client.put(f"/v1/walks/{new_id()}", content=body, headers=headers)
        assert_error(put, 400, "INVALID_REQUEST")


async def test_times_keep_their_microseconds(api: World) -> None:
    path = f"/v1/walks/{new_id()}"
    async with api.as_user() as client:
        for text in (
            "2025-10-20T09:00:00.123456Z",
            "1969-12-31T23:59:59.999999Z",
            "0002-01-01T00:00:00Z",
            "9998-12-31T23:59:59.999999Z",
        ):
            walk = (await client.put(path, json={"start_time": text})).json()
            assert datetime.fromisoformat(walk["start_time"]) == datetime.fromisoformat(text)
