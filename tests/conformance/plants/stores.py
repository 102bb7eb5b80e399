"""What is wrong behind the answers: who is let in, and what PostgreSQL holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from api.errors import ApiError, Invalid
from api.model import NewWalk, User, Walk, WalkChange, WalkPage
from harness.checks.contract.people import changed
from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import PROJECT, Target
from tests.conformance.plants.planting import Plants

PLANTS = Plants()

# -- tokens ----------------------------------------------------------------------------------------------------------


def _not_looked_at(name: str, finds: str, claims: Callable[[float], dict[str, object]]) -> None:
    """What a token claims there is not looked at: any will do."""

    def plant(target: Target) -> None:
        real = target.tokens.verify

        async def verify(token: str) -> User:
            try:
                token = changed(token, **claims(target.clock.unix_s()))
            except Exception:
                return await real(token)  # type: ignore[no-any-return]
            return await real(token)  # type: ignore[no-any-return]

        target.tokens.verify = verify

    PLANTS.add(name, plant, finds)


_not_looked_at("any_audience", "auth.audience", lambda _now: {"aud": PROJECT})
_not_looked_at("any_issuer", "auth.issuer", lambda _now: {"iss": f"https://securetoken.google.com/{PROJECT}"})
_not_looked_at("expired_accepted", "auth.expired", lambda now: {"exp": now + 3600})


@PLANTS("auth.subject")
def nobody_let_in(target: Target) -> None:
    """A token that names nobody is somebody's."""
    real = target.tokens.verify

    async def verify(token: str) -> User:
        try:
            return await real(token)  # type: ignore[no-any-return]
        except ApiError as refused:
            try:
                token = changed(token, sub="nobody", user_id="nobody")
            except ValueError:  # it is no token at all
                raise refused from None
            return await real(token)  # type: ignore[no-any-return]

    target.tokens.verify = verify


def _no_token_403(call: Call, answer: Answer) -> None:
    if answer.status == 401 and "authorization" not in call.headers:
        answer.status = 403


def _other_scheme_400(call: Call, answer: Answer) -> None:
    if answer.status == 401 and not call.headers.get("authorization", "Bearer").startswith("Bearer"):
        answer.status = 400


PLANTS.answers("no_token_403", _no_token_403, "auth.missing")
PLANTS.answers("other_scheme_400", _other_scheme_400, "auth.malformed")


@PLANTS("auth.good", "listing.status")
def first_list_refused(target: Target) -> None:
    """A token that is seen for the first time by a list is refused, as while its key is fetched."""
    seen: set[str] = set()

    def ask(call: Call) -> Answer | None:
        new = call.uid not in seen
        seen.add(call.uid)
        return refusal(401, "UNAUTHORIZED") if new and call.uid and call.asks("GET") else None

    target.front.before.append(ask)


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


def _settings(name: str, finds: str, **changes: Any) -> None:
    def plant(target: Target) -> None:
        target.settings = msgspec.structs.replace(target.settings, **changes)

    PLANTS.add(name, plant, finds)


_settings("rate_limit_150", "rate_limit.limit", rate_limit_per_minute=150)


def _puts(name: str, stored: Callable[[Target, User, str, WalkChange], WalkChange], *finds: str) -> None:
    """PUT stores something else; ``stored`` may raise an ``ApiError`` too."""

    def plant(target: Target) -> None:
        real = target.database.put_walk

        async def put_walk(user: User, walk_id: str, change: WalkChange) -> Walk | None:
            return await real(user, walk_id, stored(target, user, walk_id, change))

        target.database.put_walk = put_walk  # type: ignore[method-assign]

    PLANTS.add(name, plant, *finds)


def _empty_refused(_target: Target, _user: User, _walk_id: str, sent: WalkChange) -> WalkChange:
    if all(getattr(sent, name) is UNSET for name in WalkChange.__struct_fields__):
        raise Invalid("Nothing was sent")
    return sent


def _description_cleared(_target: Target, _user: User, _walk_id: str, sent: WalkChange) -> WalkChange:
    return msgspec.structs.replace(sent, description=None) if sent.description is UNSET else sent


def _unsent_dropped(target: Target, user: User, walk_id: str, sent: WalkChange) -> WalkChange:
    if sent.locations and target.database.walk_row(walk_id).get("user_id") == user.uid:
        target.database._locations.get(walk_id, {}).clear()
    return sent


def _first_kept(target: Target, _user: User, walk_id: str, sent: WalkChange) -> WalkChange:
    if not sent.locations:
        return sent
    there = target.database._locations.get(walk_id, {})
    return msgspec.structs.replace(sent, locations=[e for e in sent.locations if e.sequence_number not in there])


def _completed_once(target: Target, _user: User, walk_id: str, sent: WalkChange) -> WalkChange:
    if sent.status == "completed" and target.database.walk_row(walk_id).get("status") == "completed":
        raise Invalid("The walk is completed")
    return sent


def _foreign_overwritten(target: Target, user: User, walk_id: str, sent: WalkChange) -> WalkChange:
    owner = target.database.walk_row(walk_id).get("user_id", user.uid)
    if owner != user.uid:
        target.database._save(User(owner), walk_id, sent)
    return sent


_puts("empty_put_refused", _empty_refused, "upsert.empty_body")
_puts("unsent_description_cleared", _description_cleared, "upsert.partial")
_puts(
    "unsent_locations_dropped",
    _unsent_dropped,
    "upsert.locations_stay",
    "limits.locations.in_all",
    "upsert.two_devices",
)
_puts("first_location_kept", _first_kept, "upsert.locations_replaced")
_puts("completed_once", _completed_once, "upsert.retry")
_puts("foreign_overwritten", _foreign_overwritten, "ownership.put_keeps", "dual_write.foreign")


@PLANTS("upsert.two_devices")
def track_written_back(target: Target) -> None:
    """A PUT reads the track, and writes it back with what was sent: of two at once the later loses the other's."""
    real = target.database.put_walk

    async def put_walk(user: User, walk_id: str, change: WalkChange) -> Walk | None:
        read = {*target.database._locations.get(walk_id, {})}
        walk = await real(user, walk_id, change)
        sent = {each.sequence_number for each in change.locations or ()}
        there = target.database._locations.get(walk_id, {})
        for number in {*there} - read - sent:
            del there[number]
        return walk

    target.database.put_walk = put_walk  # type: ignore[method-assign]


@PLANTS("walks.create.without_description")
def description_required(target: Target) -> None:
    """POST refuses a title alone."""
    real = target.database.create_walk

    async def create_walk(user: User, walk_id: str, new: NewWalk) -> Walk:
        if new.description is None:
            raise Invalid("description is required")
        return await real(user, walk_id, new)

    target.database.create_walk = create_walk  # type: ignore[method-assign]


@PLANTS("walks.delete.with_locations")
def locations_left(target: Target) -> None:
    """The schema has no ``on delete cascade``."""
    real = target.database.delete_walk

    async def delete_walk(user: User, walk_id: str) -> bool:
        kept = dict(target.database._locations.get(walk_id, {}))
        deleted = await real(user, walk_id)
        if deleted:
            target.database._locations[walk_id] = kept
        return deleted

    target.database.delete_walk = delete_walk  # type: ignore[method-assign]


@PLANTS("ownership.delete_keeps")
def foreign_deleted(target: Target) -> None:
    """Deleted, though the answer is 404."""
    real = target.database.delete_walk

    async def delete_walk(user: User, walk_id: str) -> bool:
        owner = target.database.walk_row(walk_id).get("user_id", user.uid)
        return await real(User(owner), walk_id) and owner == user.uid

    target.database.delete_walk = delete_walk  # type: ignore[method-assign]


def _pages(name: str, find: Callable[[Target, User, int, int], list[Walk] | None], *finds: str) -> None:
    """The list holds other walks where ``find`` gives some."""

    def plant(target: Target) -> None:
        real = target.database.list_walks

        async def list_walks(user: User, page: int, limit: int) -> WalkPage:
            found = await real(user, page, limit)
            walks = find(target, user, page, limit)
            return found if walks is None else msgspec.structs.replace(found, walks=walks)

        target.database.list_walks = list_walks  # type: ignore[method-assign]

    PLANTS.add(name, plant, *finds)


def _newest(target: Target, user: User | None) -> list[Walk]:
    walks = [each for each in target.database._walks.values() if user is None or each.user_id == user.uid]
    return sorted(walks, key=lambda walk: walk.created_at, reverse=True)


def _overlapping(target: Target, user: User, page: int, limit: int) -> list[Walk]:
    first = (page - 1) * max(1, limit - 1)
    return _newest(target, user)[first : first + limit]


def _everybodys(target: Target, _user: User, page: int, limit: int) -> list[Walk] | None:
    """The largest page comes from a report that does not ask whose the walks are."""
    return _newest(target, None)[:limit] if (page, limit) == (1, 100) else None


_pages("pages_overlap", _overlapping, "listing.pages")
_pages("largest_page_everybodys", _everybodys, "listing.own")


@PLANTS("listing.deleted")
def deleted_listed(target: Target) -> None:
    """A deleted walk is marked, and the list does not look at the mark."""
    marked: list[Walk] = []
    delete, listed = target.database.delete_walk, target.database.list_walks

    async def delete_walk(user: User, walk_id: str) -> bool:
        walk = target.database._walks.get(walk_id)
        deleted = await delete(user, walk_id)
        if deleted and walk is not None:
            marked.append(walk)
        return deleted

    async def list_walks(user: User, page: int, limit: int) -> WalkPage:
        found = await listed(user, page, limit)
        return msgspec.structs.replace(found, walks=[*found.walks, *(w for w in marked if w.user_id == user.uid)])

    target.database.delete_walk = delete_walk  # type: ignore[method-assign]
    target.database.list_walks = list_walks  # type: ignore[method-assign]


@PLANTS("postgres.user")
def users_forgotten(target: Target) -> None:
    """No row in ``users``."""

    async def remember_user(user: User) -> None:
        del user

    target.database.remember_user = remember_user  # type: ignore[method-assign]


@PLANTS("postgres.walk")
def kilometres_stored(target: Target) -> None:
    """The column holds kilometres; the API multiplies."""
    real = target.database.walk_row

    def walk_row(walk_id: str) -> dict[str, Any]:
        row = real(walk_id)
        return row | {"total_distance": row["total_distance"] / 1000} if row else row

    target.database.walk_row = walk_row  # type: ignore[method-assign]


@PLANTS("postgres.locations")
def accuracy_column_empty(target: Target) -> None:
    """Kept in another column."""
    real = target.database.location_rows

    def location_rows(walk_id: str) -> list[dict[str, Any]]:
        return [row | {"vertical_accuracy": None} for row in real(walk_id)]

    target.database.location_rows = location_rows  # type: ignore[method-assign]
