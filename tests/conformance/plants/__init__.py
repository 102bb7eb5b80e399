"""Every plant by name: targets that are wrong in one way each, which the checks must find."""

from __future__ import annotations

from tests.conformance.plants import answers, bodies, documents, stores
from tests.conformance.plants.planting import Planted

PLANTS: tuple[Planted, ...] = (*bodies.PLANTS, *answers.PLANTS, *stores.PLANTS, *documents.PLANTS)
