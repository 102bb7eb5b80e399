"""The facts of the document's infrastructure and pipeline: what a repository says, and what Google's promises come to.
Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.base.message import gettext_noop
from harness.rehearsals.infrastructure import facts_pipeline, facts_terraform
from harness.rehearsals.infrastructure.types import InfrastructurePlan, Repository
from harness.rules.fact import Fact, FactsOf

#: Each fact of a repository, in a sentence.
PHRASES = {
    **facts_terraform.PHRASES,
    **facts_pipeline.PHRASES,
    "sla.product_ratio": gettext_noop(
        "{parts}: {product} in series; the document prints {printed} and requires {required}"
    ),
    "sla.printed_ratio": gettext_noop("the document prints {seen}"),
}


def facts(plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """All that was read; and the parts in series, of which a request needs each."""
    fact, of = FactsOf(PHRASES), plan.tables.availability
    yield from facts_terraform.facts(fact, plan, found)
    yield from facts_pipeline.facts(fact, plan, found)
    product = math.prod(each.promise for each in of.parts)
    yield fact(
        "sla.product_ratio", product, parts=", ".join(f"{each.part} {each.promise:.2%}" for each in of.parts),
        product=f"{product:.2%}", printed=f"{of.printed:.2%}", required=f"{of.required:.2%}",
    )  # fmt: skip
    yield fact("sla.printed_ratio", of.printed)
