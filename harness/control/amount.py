"""A number of pods, or a percentage of them (``intstr.GetScaledValueFromIntOrPercent``)."""

from __future__ import annotations


def resolve(value: int | str, of: int, *, round_up: bool) -> int:
    """``value`` in pods; a percentage is taken ``of`` that many and rounded.

    Kubernetes rounds ``maxSurge`` and both amounts of a PodDisruptionBudget up, a Deployment's ``maxUnavailable`` down.
    Raises ``ValueError`` for a negative number and for text that is no percentage.
    """
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"{value} is negative; write a number of pods or a percentage such as '25%'")
        return value
    digits = value.removesuffix("%")
    if digits == value or not digits.isdecimal():
        raise ValueError(f"{value!r} is neither a number of pods nor a percentage such as '25%'")
    share = int(digits) * of  # integers: 10% of 30 is 3, not 3.0000000000000004 rounded up
    return -(-share // 100) if round_up else share // 100
