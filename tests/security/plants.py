"""Holes: targets that are insecure in one way each, and the checks that must find it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, cast

import msgspec

from api.errors import RateLimited
from api.model import User, WalkDetail
from api.protocol import Limits
from api.ratelimit import RateLimit
from harness.checks.contract.people import opened, unsigned
from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import PASSWORD, PROJECT, Target
from tests.conformance.plants.planting import Plants

PLANTS = Plants()
Claims = dict[str, Any]


# -- how a token is carried ------------------------------------------------------------------------------------------


def _carried(name: str, token: Callable[[Call], str], *finds: str) -> None:
    """Without a header, the token is taken from somewhere else."""

    def read(call: Call) -> None:
        if "bearer " not in call.headers.get("authorization", "").lower() and (found := token(call)):
            call.headers["authorization"] = f"Bearer {found}"

    PLANTS.reads(name, read, *finds)


def _of_query(call: Call) -> str:
    return call.query.partition("access_token=")[2].partition("&")[0]


def _of_said_user(call: Call) -> str:
    uid = call.headers.get("x-user-id", "")
    now = 1_760_918_400  # the virtual clock's first second
    claims = {"iss": f"https://securetoken.google.com/{PROJECT}", "aud": PROJECT, "sub": uid, "user_id": uid}
    times = {"iat": now, "auth_time": now, "exp": now + 365 * 24 * 3600}
    return unsigned({"alg": "none", "typ": "JWT"}, claims | times) if uid else ""


_carried(
    "cookie_is_a_token",
    lambda call: call.headers.get("cookie", "").partition("token=")[2].partition(";")[0],
    "token.cookie",
)
_carried("query_is_a_token", _of_query, "token.query")
_carried("said_user_is_believed", _of_said_user, "token.said_user")
_carried(
    "basic_is_bearer",
    lambda call: call.headers.get("authorization", "").removeprefix("Basic "),
    "token.basic",
    "token.no_scheme",
)


# -- what of a token is looked at ------------------------------------------------------------------------------------


def _claims(name: str, change: Callable[[Claims], Claims], *finds: str) -> None:
    """The token is verified with other claims than it has."""

    def plant(target: Target) -> None:
        real = target.tokens.verify

        async def verify(token: str) -> User:
            try:
                head, claims = opened(token)
                token = unsigned(head, change(claims))
            except (ValueError, TypeError, AttributeError, KeyError, msgspec.MsgspecError):
                pass
            found: User = await real(token)
            return found

        target.tokens.verify = verify

    PLANTS.add(name, plant, *finds)


def _found_in(name: str, good: Callable[[Any, str], bool]) -> Callable[[Claims], Claims]:
    right = {"aud": PROJECT, "iss": f"https://securetoken.google.com/{PROJECT}"}[name]
    return lambda claims: claims | ({name: right} if good(claims[name], right) else {})


def _forever(claims: Claims) -> Claims:
    return claims | ({"exp": claims["iat"] + 3600} if isinstance(claims["exp"], str) else {})


_claims(
    "audience_in_a_list", _found_in("aud", lambda has, right: isinstance(has, list) and right in has), "token.aud_list"
)
_claims("audience_in_any_case", _found_in("aud", lambda has, right: has.lower() == right), "token.aud_case")
_claims(
    "issuer_by_its_start",
    _found_in("iss", lambda has, right: has.startswith(right)),
    "token.iss_longer",
    "token.iss_slash",
)
_claims(
    "session_cookies_taken", _found_in("iss", lambda has, right: has == right.replace("securetoken.google", "session.firebase.google")),
    "token.iss_session",
)  # fmt: skip
_claims("text_never_expires", _forever, "token.exp_text")
_claims("long_uid_cut", lambda claims: claims | {"sub": claims["sub"][:128]}, "token.sub_long")
_claims("uid_in_any_case", lambda claims: claims | {"sub": claims["sub"].lower()}, "token.sub_case")
_claims("uid_stripped", lambda claims: claims | {"sub": claims["sub"].strip()}, "token.sub_space")
_claims("user_id_before_sub", lambda claims: claims | ({"sub": claims["user_id"]} if claims["sub"] == "somebody-else" else {}),
        "token.user_id_other", "token.admin")  # fmt: skip


@PLANTS("token.expires_in_use")
def remembered_too_long(target: Target) -> None:
    """A verified token is good for an hour, whatever it says."""
    real = target.tokens.verify

    async def verify(token: str) -> User:
        user: User = await real(token)
        return msgspec.structs.replace(user, expires_unix_s=user.expires_unix_s + 3600)

    target.tokens.verify = verify


@PLANTS("token.near_its_end")
def refused_early(target: Target) -> None:
    """A token that has less than a minute left is taken for one that has ended."""
    real = target.tokens.verify

    async def verify(token: str) -> User:
        head, claims = opened(token)
        left = isinstance(claims.get("exp"), int) and 0 < claims["exp"] - target.clock.unix_s() < 60
        user: User = await real(unsigned(head, claims | {"exp": 1_000_000_000}) if left else token)
        return user

    target.tokens.verify = verify


@PLANTS("token.aud_other")
def written_before_refused(target: Target) -> None:
    """A DELETE is done for whoever has a token of any project, and then refused."""

    def before(call: Call) -> Answer | None:
        if call.method == "DELETE" and call.of_walk and b"another-project" in _payload(call):
            target.database._walks.pop(call.walk_id.lower(), None)
        return None

    target.front.before.append(before)


def _payload(call: Call) -> bytes:
    try:
        return msgspec.json.encode(opened(call.headers["authorization"].partition(" ")[2])[1])
    except (ValueError, KeyError, msgspec.MsgspecError):
        return b""


@PLANTS("token.claims_deep")
def deep_claims_break_it(target: Target) -> None:
    """A parser without a limit."""

    def before(call: Call) -> Answer | None:
        deep = len(call.headers.get("authorization", "")) > 4000 and call.path.startswith("/v1")
        return refusal(500, "INTERNAL_ERROR") if deep and "Bearer a" not in call.headers["authorization"] else None

    target.front.before.append(before)


PLANTS.answers(
    "refusal_without_a_body", lambda call, answer: answer.says({}) if answer.status == 401 and _plain(call) else None,
    "token.opaque",
)  # fmt: skip


def _plain(call: Call) -> bool:
    return "ya29." in call.headers.get("authorization", "")


# -- whose walks -----------------------------------------------------------------------------------------------------


def _owner(target: Target, call: Call) -> str:
    return str(target.database.walk_row(call.walk_id.lower()).get("user_id", "")) if call.of_walk else ""


@PLANTS("identity.user.get.others", "ownership.get", "ownership.leak")
def foreign_walk_shown(target: Target) -> None:
    """GET looks for the id alone."""

    async def get_walk(_user: User, walk_id: str) -> WalkDetail | None:
        return await target.database.load_walk(walk_id)

    target.database.get_walk = get_walk  # type: ignore[method-assign,assignment]


@PLANTS("identity.alike")
def foreign_walk_named(target: Target) -> None:
    """The answer says that the walk is somebody's."""

    def after(call: Call, answer: Answer) -> None:
        if answer.status == 404 and _owner(target, call):
            answer.says({"error": {"code": "NOT_FOUND", "message": "This walk is another user's"}})

    target.front.after.append(after)


@PLANTS("identity.mass_assignment")
def owner_by_put(target: Target) -> None:
    """PUT takes user_id."""

    def after(call: Call, answer: Answer) -> None:
        if call.method == "PUT" and answer.status == 200 and isinstance(call.json, dict) and "user_id" in call.json:
            walk = target.database._walks[call.walk_id]
            target.database._walks[call.walk_id] = msgspec.structs.replace(walk, user_id=call.json["user_id"])

    target.front.after.append(after)


@PLANTS("identity.mass_assignment")
def location_of_another_walk(target: Target) -> None:
    """A location goes to the walk that it names."""

    def after(call: Call, answer: Answer) -> None:
        sent = call.json.get("locations") if call.method == "PUT" and isinstance(call.json, dict) else None
        if answer.status == 200 and sent and "walk_id" in sent[0]:
            target.database._locations[sent[0]["walk_id"]] = target.database._locations.pop(call.walk_id)

    target.front.after.append(after)


@PLANTS("identity.user.create")
def made_in_anothers_name(target: Target) -> None:
    """POST takes user_id."""

    def after(call: Call, answer: Answer) -> None:
        if call.asks("POST") and answer.status == 201 and isinstance(call.json, dict) and "user_id" in call.json:
            walk_id = answer.json["id"]
            walk = target.database._walks[walk_id]
            target.database._walks[walk_id] = msgspec.structs.replace(walk, user_id=call.json["user_id"])

    target.front.after.append(after)


@PLANTS("injection.sql.query")
def list_of_whom_the_query_names(target: Target) -> None:
    """?user_id= decides."""
    real = target.database.list_walks
    asked: list[str] = []

    def before(call: Call) -> Answer | None:
        named = next((part[8:] for part in call.query.split("&") if part.startswith("user_id=")), "")
        asked[:] = [named] if call.asks("GET") and named else []
        return None

    async def list_walks(user: User, page: int, limit: int) -> Any:
        return await real(msgspec.structs.replace(user, uid=asked[0]) if asked else user, page, limit)

    target.front.before.append(before)
    target.database.list_walks = list_walks  # type: ignore[method-assign]


def _named_before_the_token(call: Call) -> None:
    if (found := _of_said_user(call)) and "authorization" in call.headers:
        call.headers["authorization"] = f"Bearer {found}"


PLANTS.reads("said_user_before_the_token", _named_before_the_token, "injection.sql.query")


# -- texts that would be code ----------------------------------------------------------------------------------------


def _half_escaped(_call: Call, body: Claims) -> None:
    if isinstance(body.get("title"), str):
        body["title"] = body["title"].replace("'", "''")


PLANTS.bends("quotes_doubled", _half_escaped, "injection.sql.texts")


def _id_cut(call: Call) -> None:
    if "'" in call.path or ";" in call.path:
        call.path = call.path[:46]


@PLANTS("injection.path")
def files_served(target: Target) -> None:
    """A static folder that climbs."""

    def before(call: Call) -> Answer | None:
        return Answer(200, {"content-type": "text/plain"}, b"root:x:0:0:root") if ".." in call.path else None

    target.front.before.append(before)


@PLANTS("injection.method")
def trace_echoes(target: Target) -> None:
    """TRACE answers what it was sent."""

    def before(call: Call) -> Answer | None:
        if call.method != "TRACE":
            return None
        return Answer(200, {"content-type": "message/http"}, "\r\n".join(call.headers.values()).encode())

    target.front.before.append(before)


@PLANTS("injection.method_override")
def get_deletes(target: Target) -> None:
    """X-HTTP-Method-Override is believed."""

    def after(call: Call, answer: Answer) -> None:
        if answer.status == 200 and call.headers.get("x-http-method-override") == "DELETE":
            target.database._walks.pop(call.walk_id, None)

    target.front.after.append(after)


def _split(call: Call, answer: Answer) -> None:
    if "\r\n" in call.path or "%0d%0a" in call.query:
        answer.headers["x-injected"] = "1"


def _of_any_origin(call: Call, answer: Answer) -> None:
    if "origin" in call.headers:
        answer.headers["access-control-allow-origin"] = call.headers["origin"]


def _kept_by_caches(call: Call, answer: Answer) -> None:
    if call.method == "GET" and answer.status == 200 and call.of_walk:
        answer.headers["cache-control"] = "public, max-age=60"


PLANTS.answers("header_split", _split, "injection.header")
PLANTS.answers("any_origin", _of_any_origin, "injection.cors")
PLANTS.answers("kept_by_caches", _kept_by_caches, "injection.cached")


# -- more than a share -----------------------------------------------------------------------------------------------


@PLANTS("heavy.inflated")
def bodies_unpacked(target: Target) -> None:
    """Content-Encoding is honoured, to any size."""

    def before(call: Call) -> Answer | None:
        packed = call.headers.get("content-encoding") == "gzip"
        return Answer(201, {"content-type": "application/json"}, b"{}") if packed else None

    target.front.before.append(before)


@PLANTS("heavy.slow_head")
def heads_waited_for(target: Target) -> None:
    """No time for a head."""
    target.patch("api.serve.Limits", functools.partial(Limits, head_s=3600.0))


@PLANTS("heavy.slow_body")
def bodies_waited_for(target: Target) -> None:
    """No time for a body."""
    target.patch("api.decode.BODY_TIMEOUT_S", 3600.0)


@PLANTS("heavy.slow_reading")
def readers_waited_for(target: Target) -> None:
    """A byte now and then keeps a connection, and its answer in memory."""
    target.patch("api.serve.Limits", functools.partial(Limits, least_bytes_per_s=0))


@PLANTS("heavy.slow_reading")
def readers_hold_up_others(target: Target) -> None:
    """Few requests may be in flight, and one is until its answer is read."""
    target.settings = msgspec.structs.replace(target.settings, max_requests_in_flight=2)


@PLANTS("heavy.rate")
def limit_by_address(target: Target) -> None:
    """Whoever names another address is another user."""
    target.settings = msgspec.structs.replace(target.settings, rate_limit_per_minute=100_000)


def pods_of(limited: int, free: int, whose: Callable[[Call], str] = lambda call: call.uid) -> Callable[[Target], None]:
    """So many pods with a limit of their own each, for each of ``whose``, and so many with none, asked by turns."""

    def plant(target: Target) -> None:
        target.settings = msgspec.structs.replace(target.settings, rate_limit_per_minute=100_000)
        limits = [RateLimit(cast(Any, _Monotonic(target)), 100) for _ in range(limited)]
        asked = itertools.count()

        def before(call: Call) -> Answer | None:
            if not call.asks("GET") or (pod := next(asked) % (limited + free)) >= limited:
                return None
            try:
                limits[pod].admit(whose(call))
            except RateLimited:
                return refusal(429, "RATE_LIMITED")
            return None

        target.front.before.append(before)

    return plant


class _Monotonic:
    """The target's time, as a limit reads it."""

    def __init__(self, target: Target) -> None:
        self.monotonic_ns = target.clock.now_ns


PLANTS.add("one_pod_of_two_limits", pods_of(1, 1), "heavy.rate")
PLANTS.add("limit_by_token", pods_of(1, 0, lambda call: call.headers.get("authorization", "")), "heavy.rate")


# -- secrets ---------------------------------------------------------------------------------------------------------


def _logs(name: str, line: Callable[[Call], str], *finds: str) -> None:
    def plant(target: Target) -> None:
        def after(call: Call, answer: Answer) -> None:
            if answer.status >= 400 or call.method == "PUT":
                target.write(msgspec.json.encode({"severity": "INFO", "message": line(call)}) + b"\n")

        target.front.after.append(after)

    PLANTS.add(name, plant, *finds)


_logs("refused_token_logged", lambda call: call.headers.get("authorization", "none"), "secret.log_token")
_logs("url_logged", lambda call: f"{call.path}?{call.query}", "secret.log_token")
_logs("cookie_logged", lambda call: call.headers.get("cookie", "none"), "secret.log_header")
_logs("body_logged", lambda call: call.body.decode(errors="replace"), "secret.log_personal")
_logs("password_logged", lambda _: f"postgresql://tekutoko:{PASSWORD}@127.0.0.1/tekutoko", "secret.log_password")


def _trace_told(_call: Call, answer: Answer) -> None:
    if answer.status == 400:
        told = "Traceback (most recent call last): api/decode.py"
        answer.says({"error": {"code": "INVALID_REQUEST", "message": told}})


def _sql_told(call: Call, answer: Answer) -> None:
    if answer.status == 404 and call.of_walk:
        answer.says({"error": {"code": "NOT_FOUND", "message": 'relation "walks": no such row'}})


PLANTS.answers("stack_trace_told", _trace_told, "secret.answers")
PLANTS.answers("sql_told", _sql_told, "secret.answers")
PLANTS.reads("id_cut", _id_cut, "injection.sql.path")
