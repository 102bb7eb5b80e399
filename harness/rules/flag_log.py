"""The run's own check of the flag, from what clients fetched and where their requests went: share and steadiness.

Claims: the share of each week (段階的ロールアウト計画) and that Remote Config's value decides a request's side
(iOS側実装). Nothing here asks the load what it meant to do.

Is the flag on for as many users as planned, and does it stay so for each of them? Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.units import Unit
from harness.model.evidence import Due, FlagRow, RequestRow, Row, SessionRow, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, Told, gettext_noop, message
from harness.model.scenario import PopulationPlan, Scenario
from harness.rules.judged import counted
from harness.rules.ledger import Ledger


class AudienceShare(msgspec.Struct, frozen=True, kw_only=True):
    """``observed_on`` of an audience's ``seen`` users hold the flag on; ``planned_on`` of ``users`` should."""

    name: str
    users: int
    planned_on: int
    seen: int
    observed_on: int


class FlagShare(msgspec.Struct, frozen=True, kw_only=True):
    """``share`` of the users seen hold the flag on (0..1; ``None`` when none was seen).

    ``unsteady`` users held both values under one version of the template; ``unknown`` belong to no planned audience.
    """

    audiences: tuple[AudienceShare, ...]
    planned_share: float
    share: float | None
    unsteady: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Every user seen and none besides, every audience's count exact: users are assigned by quota."""
        return all(a.seen == a.users and a.observed_on == a.planned_on for a in self.audiences) and not self.unknown


def flag_share(rows: Iterable[FlagRow], plan: PopulationPlan, audience_of: Mapping[str, str], at_ns: int) -> FlagShare:
    """The flags that clients held at ``at_ns``: each user's latest successful fetch up to then.

    ``audience_of`` is each user's audience by name. A fetch that failed (or was answered from the client's cache)
    changes nothing.
    """
    fetched = sorted((r for r in rows if r.fetched and r.at_ns <= at_ns), key=lambda r: (r.at_ns, r.template_version))
    held = {row.user: row.value for row in fetched}
    values: defaultdict[tuple[str, int], set[bool]] = defaultdict(set)
    for row in fetched:
        values[row.user, row.template_version].add(row.value)
    planned = {audience.name for audience in plan.audiences}
    known = {user: value for user, value in held.items() if audience_of.get(user) in planned}
    return FlagShare(
        audiences=tuple(
            AudienceShare(
                name=audience.name,
                users=audience.users,
                planned_on=audience.flag_on,
                seen=sum(audience_of[user] == audience.name for user in known),
                observed_on=sum(value and audience_of[user] == audience.name for user, value in known.items()),
            )
            for audience in plan.audiences
        ),
        planned_share=plan.flag_on / plan.users if plan.users else 0.0,
        share=sum(known.values()) / len(known) if known else None,
        unsteady=tuple(sorted({user for (user, _), seen in values.items() if len(seen) > 1})),
        unknown=tuple(sorted(held.keys() - known.keys())),
    )


SHARE, STEADY = "flag.share", "flag.steady"
_SCHEDULE, _DIAGRAM, _FLAG = "rollout.schedule.", "migration.shares", "flag.remote_config"
_NO_FETCH = gettext_noop("nobody's fetch of the flag is in the evidence")
#: The audiences of the rollout table (段階的ロールアウト計画); one of a scenario of somebody's own has its own name.
_AUDIENCE = {"developers": message("developers"), "beta": message("beta users"), "general": message("general users")}
_NAMED = 5  # users named in a reason


class MovedUsers(msgspec.Struct, frozen=True, kw_only=True):
    """Users who were on both sides under one version, and who sent a request to another side than their flag's."""

    between: tuple[str, ...]
    against: tuple[str, ...]
    requests: int


def moved(flags: Sequence[FlagRow], requests: Sequence[tuple[str, int, Side]]) -> MovedUsers:
    """``requests`` are (user, sent_ns, side). A request counts under the version that its user held when sending."""
    held: defaultdict[str, list[FlagRow]] = defaultdict(list)
    for row in sorted((row for row in flags if row.fetched), key=lambda row: row.at_ns):
        held[row.user].append(row)
    fetched_ns = {user: [row.at_ns for row in rows] for user, rows in held.items()}
    sides: defaultdict[tuple[str, int], set[Side]] = defaultdict(set)
    against: set[str] = set()
    for user, sent_ns, side in requests:
        place = bisect_right(fetched_ns.get(user, []), sent_ns) - 1
        value, version = (held[user][place].value, held[user][place].template_version) if place >= 0 else (False, 0)
        sides[user, version].add(side)
        if value is not (side is Side.API):
            against.add(user)
    between = {user for (user, _), seen in sides.items() if len(seen) > 1}
    return MovedUsers(between=tuple(sorted(between)), against=tuple(sorted(against)), requests=len(requests))


class FlagLog:
    """Keeps what the checks need of a run's rows, in any order."""

    def __init__(self) -> None:
        self._flags: list[FlagRow] = []
        self._requests: list[tuple[str, int, Side]] = []
        self._calls: set[str] = set()
        self._audience: dict[str, str] = {}
        self._version: dict[str, int] = {}

    def add(self, row: Row) -> None:
        """Takes one row; rows of other kinds are passed over."""
        match row:
            case FlagRow():
                self._flags.append(row)
                if row.fetched:
                    self._version[row.user] = max(row.template_version, self._version.get(row.user, 0))
            case RequestRow():
                self._requests.append((row.user, row.sent_ns, row.side))
                self._calls.add(row.operation_id)
            case SessionRow():
                self._audience[row.user] = row.audience

    def fetched(self, version: int) -> set[str]:
        """The users who have fetched that version of the template, or a later one."""
        return {user for user, held in self._version.items() if held >= version}

    def results(self, scenario: Scenario, at_ns: int, due: Iterable[Due] = ()) -> tuple[Judgement, ...]:
        """Both checks on what had happened by ``at_ns``. Of users' requests to either side that are ``due`` each has to
        be there: one that is not may have gone to the wrong one."""
        flags = [row for row in self._flags if row.at_ns <= at_ns]
        requests = [request for request in self._requests if request[1] <= at_ns]
        share = flag_share(flags, scenario.population, self._audience, at_ns)
        lost = [each.id not in self._calls for each in due]
        return _share(scenario, share, requests), _steady(share, moved(flags, requests), lost)


def _share(scenario: Scenario, found: FlagShare, requests: Sequence[tuple[str, int, Side]]) -> Judgement:
    seen = sum(a.seen for a in found.audiences)
    told = _share_told(scenario, found, requests) if found.share is not None else (Message(text=_NO_FETCH),)
    schedule = next((claim for claim in scenario.claims if claim.startswith(_SCHEDULE)), _DIAGRAM)
    return Judgement(
        id=SHARE,
        kind=Kind.CHECK,
        asked=counted(SHARE),
        claim=schedule,
        also=() if schedule == _DIAGRAM else (_DIAGRAM,),
        verdict=Verdict.INCONCLUSIVE if found.share is None else Verdict.PASS if found.exact else Verdict.FAIL,
        value=found.share,
        limit=found.planned_share,
        unit=Unit.RATIO,
        samples=seen,
        told=told,
    )


def _share_told(scenario: Scenario, found: FlagShare, requests: Sequence[tuple[str, int, Side]]) -> Told:
    users, seen = scenario.population.users, sum(a.seen for a in found.audiences)
    on = sum(a.observed_on for a in found.audiences)
    told = [message("flag on for {on} of {users} users", on=str(on), users=str(users))]
    told += [
        message(
            "{audience} {on} of {users} (planned {planned})",
            audience=_AUDIENCE.get(a.name, a.name),
            on=str(a.observed_on),
            users=str(a.users),
            planned=str(a.planned_on),
        )
        for a in found.audiences
    ]
    if seen < users:
        told.append(message("{count} users never fetched it", count=str(users - seen)))
    if found.unknown:
        told.append(message("in no planned audience: {users}", users=_names(found.unknown)))
    senders = {user for user, *_ in requests}
    api = {user for user, _, side in requests if side is Side.API}
    told.append(
        message(
            "of {senders} users who sent requests, {api} sent to the API", senders=str(len(senders)), api=str(len(api))
        )
    )
    return tuple(told)


def _steady(found: FlagShare, moved_: MovedUsers, lost: Sequence[bool]) -> Judgement:
    """``lost`` says of each request that was due whether it is missing."""
    faults = {
        gettext_noop("{count} users held both values under one version of the template: {users}"): found.unsteady,
        gettext_noop("{count} users sent requests to both sides under one version: {users}"): moved_.between,
        gettext_noop("{count} users sent a request to the side that their flag did not say: {users}"): moved_.against,
    }
    bad = [Message(text=text, values={"count": str(len(u)), "users": _names(u)}) for text, u in faults.items() if u]
    users = len(set().union(*faults.values()))
    steady = message(
        "nobody moved without a change of the template, in {requests} requests", requests=str(moved_.requests)
    )
    told = tuple(bad) or (steady if moved_.requests else message("no request is in the evidence"),)
    if any(lost):
        unknown = message(
            "{missing} of {due} requests that were due are not in evidence: nobody knows to which side they went",
            missing=str(sum(lost)),
            due=str(len(lost)),
        )
        told += (unknown,)
    whole = moved_.requests and not any(lost)
    return Judgement(
        id=STEADY,
        kind=Kind.CHECK,
        asked=counted(STEADY),
        claim=_FLAG,
        verdict=Verdict.FAIL if bad else Verdict.PASS if whole else Verdict.INCONCLUSIVE,
        value=float(users) if moved_.requests else None,
        limit=0.0,
        unit=Unit.USERS,
        samples=moved_.requests,
        told=told,
    )


def _names(users: Sequence[str]) -> str:
    more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
    return ", ".join(users[:_NAMED]) + more


def of_rows(rows: Iterable[Row]) -> tuple[Ledger, FlagLog]:
    """What the ledger and the flag's log have of ``rows``; of a call that comes again both have the first."""
    ledger, flag = Ledger(), FlagLog()
    for row in rows:
        if ledger.add(row):
            flag.add(row)
    return ledger, flag
