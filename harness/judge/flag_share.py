"""Is the flag on for as many users as planned, and does it stay so for each of them? Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from harness.model.evidence import FlagRow
from harness.model.scenario import PopulationPlan


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
