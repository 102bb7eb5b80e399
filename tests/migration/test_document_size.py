"""A document as large as Firestore counts it, and the erratum that the drill's largest one shows."""

from __future__ import annotations

import re
from typing import Any

from api.firestore_document import SIZE_MAX_BYTES
from api.firestore_document import size_bytes as counted_by_the_api
from api.model import Location, WalkDetail
from harness.load.population.firestore_document import MOST_BYTES, size_bytes
from harness.model.judgement import Verdict
from harness.rehearsals.migration_drill import plants
from harness.rehearsals.migration_drill.types import OddDocument
from tests.migration.drilled import details, replace
from tests.migration.test_drill import SEED, UNIX_NS, told
from tests.register import ERRATA


def test_the_document_near_1_mib_shows_by_its_size_that_a_walk_can_be_larger() -> None:
    large = OddDocument(name=plants.NEAR_1_MIB, refused=False, there=True, named=False)
    found = told(details(odd=[large]))["migration.largest"]
    assert "dual_write.document_of_one_mebibyte" in ERRATA
    assert (found.verdict, found.erratum, found.gates) == (
        Verdict.ERRATUM_SHOWN,
        "dual_write.document_of_one_mebibyte",
        False,
    )
    assert "5,600 locations" in found.reason and "183 a location" in found.reason and "20,000" in found.reason
    most = int(re.search(r"which are ([\d,]+) of", found.reason)[1].replace(",", ""))  # type: ignore[index]
    assert 5_600 < most < 5_728, "which one without its polyline has"
    for gone in (replace(large, there=False), replace(large, name="another")):
        assert "migration.largest" not in told(details(odd=[gone]))


def test_a_document_is_as_large_as_the_api_counts_it() -> None:
    """Two programs, one rule: what the target refuses to mirror is what is told here."""
    [(path, fields)] = plants.walks(1, 20, ["u1"], SEED, UNIX_NS)
    points = [
        Location(each["latitude"], each["longitude"], each["timestamp"], number, each["altitude"], each["horizontalAccuracy"],
                 each["verticalAccuracy"], each["speed"], each["course"])
        for number, each in enumerate(fields["location_data"])
    ]  # fmt: skip
    others: dict[str, Any] = {name: fields.get(name) for name in WalkDetail.__struct_fields__ if name != "locations"}
    assert MOST_BYTES == SIZE_MAX_BYTES
    assert size_bytes(path, fields) == counted_by_the_api(WalkDetail(**others, locations=points))
    assert (
        size_bytes("a/b", {"t": "歩", "n": None, "b": True, "m": {"x": [1, 2.0]}})
        == 16 + 4 + 32 + 6 + 3 + 3 + 2 + 32 + 2 + 16
    )
