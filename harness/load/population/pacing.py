"""When each user's requests are due, with a pace that may change within the run: exact, in whole nanoseconds. Pure."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import ceil

from harness.base.ticks import NS
from harness.model.scenario import PopulationPlan


class Pacing:
    """A user at ``place`` of all users has gone through ``place / users`` of a pace when its first request is due, and
    through one more at each that follows. How fast a pace is gone through is the plan's pace at that moment: after a
    step every user is that much faster or slower at once, and still evenly between its neighbours.
    """

    def __init__(self, plan: PopulationPlan) -> None:
        self._users = plan.users
        gone = Fraction(0)  # how many paces had been gone through when the stretch began
        self._stretches: list[tuple[int, int, Fraction]] = []  # when it begins, its pace, what was gone before
        for stretch in plan.stretches:
            at_ns, pace_ns = round(stretch.at_s * NS), round(stretch.pace_s * NS)
            if self._stretches:
                before_ns, before_pace_ns, _ = self._stretches[-1]
                gone += Fraction(at_ns - before_ns, before_pace_ns)
            self._stretches.append((at_ns, pace_ns, gone))
        #: Of each stretch but the first: the first ``number * users + place`` that is due in it.
        self._firsts = [ceil(before * self._users) for _, _, before in self._stretches[1:]]

    def due_ns(self, place: int, number: int) -> int:
        """When the ``number``-th request, from 0, of the user at ``place`` is due, after the run's origin."""
        aim = number * self._users + place
        at_ns, pace_ns, before = self._stretches[bisect_right(self._firsts, aim)]
        left = aim * before.denominator - before.numerator * self._users
        return at_ns + left * pace_ns // (self._users * before.denominator)
