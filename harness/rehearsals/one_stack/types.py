"""The weeks over one population: the plan, its legs, and what a run saw of each. Pure.

A leg is the time in which the shares of one week stand: entered by a new version of the template, then measured. A plan
that rolls back enters week 2 again after the roll back, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.load.population.schedule import Account, accounts, on_api, probes_due, requests_due
from harness.model.evidence import DueList, Window
from harness.model.message import Message, gettext_noop
from harness.model.mirror import MirrorStep
from harness.model.scenario import PopulationPlan, Scenario

CLAIMS = ("migration.stepwise", "migration.firestore_read_only", "dual_write.stop")
#: The part after the last week: the mirror is stopped stepwise.
STOP = "mirror_stop"
#: Beyond the fetch interval and the pace, after which everybody has fetched a template.
_FETCHED_WITHIN_S = 60.0


class OneStackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``weeks`` have the same users under other shares; the last has everybody on the API, and its pace and fetch
    interval are those of all. Everybody is on Firestore for the first ``before_s`` seconds: so long walks are made that
    will have to move. ``roll_back_after`` is the week at whose end everybody is put back on Firestore (0: none).
    ``asked`` users who have just moved are asked for by their old walks. In the end the mirror is brought to each of
    ``shares_percent``, of which the first is the one that it had all along, for ``step_s`` each; ``settle_s`` is what a
    mirrored write may take."""

    name: str = "rollout_one_stack"
    title: str = gettext_noop("The weeks of the rollout over one population")
    claims: tuple[str, ...] = CLAIMS
    weeks: tuple[Scenario, ...]
    before_s: float = 60.0
    roll_back_after: int = 0
    asked: int = 20
    shares_percent: tuple[int, ...] = (100, 50, 0)
    step_s: float = 20.0
    settle_s: float = 6.0

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for weeks whose users are not the same."""
        users = {tuple((each.name, each.users) for each in week.population.audiences) for week in self.weeks}
        if len(users) != 1:
            raise ValueError("the weeks have other users than each other")

    @property
    def windows_s(self) -> float:
        """Of all legs together."""
        return sum(leg.scenario.window_s for leg in legs_of(self))

    @property
    def fetched_within_s(self) -> float:
        """How long everybody has to fetch a week's template."""
        return self.population.fetch_interval_s + self.population.longest_silence_s + _FETCHED_WITHIN_S

    @property
    def population(self) -> PopulationPlan:
        """By whose schedule everybody acts, in every week."""
        return self.weeks[-1].population


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """``part`` is its name among the legs; ``scenario`` the week's."""

    part: str
    week: int
    scenario: Scenario


class OldWalksShown(msgspec.Struct, frozen=True, kw_only=True):
    """What users who had just moved were shown of their old walks: ``walks`` that they have not written since, each
    asked for at the API by its owner; ``missing`` of them (``unknown`` to the API, 404), ``short`` of locations
    (``behind``: the API wrote them once, and Firestore alone since), ``unread``: the answer said nothing of them."""

    users: int
    walks: int
    missing: int
    short: int
    unknown: int | None = None
    behind: int | None = None
    unread: int = 0
    examples: tuple[str | Message, ...] = ()


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """A migration: of the documents ``read`` (those that had changed), ``written`` walks were brought over or replaced;
    ``taken_back`` ones that their users had deleted. Of all documents ``there`` are in PostgreSQL, in this version or a
    later one, and ``left`` are refused, missing or different."""

    read: int
    written: int
    taken_back: int
    there: int
    left: int
    seconds: float


class UserRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of one user: rows of ``users``, walks and their locations in PostgreSQL; documents in Firestore;
    objects in Storage; ``consents`` in PostgreSQL, and those ``given`` in Firestore (``None``: not looked at)."""

    rows: int
    walks: int
    locations: int
    documents: int
    photos: int
    consents: int | None = None
    given: int | None = None

    @property
    def all(self) -> int:
        """Of whatever kind."""
        consents = (self.consents or 0) + (self.given or 0)
        return self.rows + self.walks + self.locations + self.documents + self.photos + consents


class EndedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """``after`` counts of what was there ``before`` what there was still ``seconds`` after the account was deleted.
    ``old_token`` is the API's status for a token that was given before, 0 where no answer came."""

    user: str
    before: UserRecords
    after: UserRecords
    old_token: int
    seconds: float


class LegSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A leg that was entered. Times are monotonic ns, ``None`` for what was not come to. ``published_ns`` is when its
    template was, ``moving`` how many users it moves to the API and ``moved_ns`` when the last of all of its users had
    fetched it. ``migrated`` are the migrations before the template and after everybody had fetched it; none where the
    environment has no PostgreSQL. ``judged_ns`` is when the judge was last asked, of ``judged_rows`` rows."""

    part: str
    moving: int
    migrated: tuple[Migrated, ...] = ()
    published_ns: int | None = None
    moved_ns: int | None = None
    asked: OldWalksShown | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    judged_ns: int | None = None
    judged_rows: int = 0


class OneStackDetails(msgspec.Struct, kw_only=True):
    """``origin_ns`` is when the schedule began. ``rolled_back`` is the part after which everybody was put back, by the
    plan or by a limit that fired (``fired``), ``off_ns`` when the template was published, ``back_rows`` how many rows
    there were when everybody was back, or no longer waited for (0: not come to). ``steps`` are those of the
    mirror's stop, ``account`` is the one that was deleted in the end."""

    origin_ns: int | None = None
    legs: list[LegSeen] = []
    rolled_back: str = ""
    fired: bool = False
    off_ns: int | None = None
    back_rows: int = 0
    steps: list[MirrorStep] = []
    account: EndedAccount | None = None


def legs_of(plan: OneStackPlan) -> Iterator[Leg]:
    """In the order in which they are entered."""
    numbered = list(enumerate(plan.weeks, 1))
    back = plan.roll_back_after
    for week, scenario in numbered if not back else numbered[:back]:
        yield Leg(part=f"week{week}", week=week, scenario=scenario)
    for week, scenario in numbered[max(0, back - 2) :] if back else ():
        yield Leg(part=f"week{week}_again" if week <= back else f"week{week}", week=week, scenario=scenario)


def moving(plan: OneStackPlan, leg: Leg, before: frozenset[str], seed: int) -> list[Account]:
    """The accounts that the leg moves to the API; ``before`` were there."""
    there = on_api(leg.scenario.population, seed) - before
    return [each for each in accounts(plan.population, seed) if each.user in there]


def due_of(plan: OneStackPlan, leg: Leg, seed: int, window: Window, *, origin_ns: int) -> DueList:
    """What is due to the API in a leg's window: everybody acts by one schedule, of which the week has a share there."""
    there = on_api(leg.scenario.population, seed)
    requests = requests_due(plan.population, seed, origin_ns, window.end_ns)
    return DueList(
        requests=tuple(due for due in requests if due.user in there and due.due_ns >= window.start_ns),
        probes=probes_due(leg.scenario.probes, seed, origin_ns, window.start_ns, window.end_ns),
    )
