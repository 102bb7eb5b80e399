"""What prices of another region than the document's can say: what rests on them is not known, what holds by any is.

Pure.
"""

from __future__ import annotations

import msgspec

from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.cost.types import CostPlan


def priced(plan: CostPlan, found: Judgement) -> Judgement:
    """``found``, which rests on what a region charges: another region's prices neither keep nor break it, nor show its
    erratum."""
    if (untried := plan.tables.untried(plan.prices)) is None:
        return found
    region = plan.prices.region
    told = message("figures by the prices of {region} are for information", region=region)
    return msgspec.structs.replace(
        found, verdict=Verdict.NOT_EXERCISED, erratum="", gates=False, told=(untried, told, *found.told)
    )


def anywhere(plan: CostPlan, found: Judgement) -> Judgement:
    """``found``, which holds whatever a region charges."""
    return by_those(plan, found, message("what is shown holds by any"))


def by_those(plan: CostPlan, found: Judgement, *more: Message) -> Judgement:
    """``found`` with by which region's prices its amounts are, where that is not the document's, and ``more``."""
    if plan.tables.untried(plan.prices) is None:
        return found
    told = message("the amounts are by prices of {region}", region=plan.prices.region)
    return msgspec.structs.replace(found, told=(*found.told, told, *more))
