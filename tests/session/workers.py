"""Which tests one worker of pytest-xdist runs, one after the other (``--dist loadgroup``).

All tests of the cluster are one group, for there is one cluster. Tests that share a fixture of their module are one,
for it would be made again in each worker, and some share a stack in the order they are written. Others go anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

ON_THE_CLUSTER = frozenset({"kind", "compose"})


def is_one(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def is_first(config: pytest.Config) -> bool:
    """Whether this process is the one that says what was collected: all workers collect the same."""
    return str(getattr(config, "workerinput", {"workerid": "gw0"})["workerid"]) == "gw0"


def leaves_the_cluster(group: str, following: str) -> bool:
    """Whether the test of ``group`` was the last on the cluster of a worker that goes on with ``following`` ("": with
    none): what nobody asks any more would only take the processors from all other tests.
    """
    return group in ON_THE_CLUSTER and following not in ON_THE_CLUSTER


def keep_together(items: Iterable[pytest.Item], group: Callable[[pytest.Item], str]) -> None:
    """Adds the mark ``xdist_group`` to each test that needs company and does not say so itself."""
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        if group(item) in ON_THE_CLUSTER:
            item.add_marker(pytest.mark.xdist_group("kind"))
        elif shares_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


def shares_its_module(item: pytest.Item) -> bool:
    """Whether a fixture of the test is made once a module."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info is not None else ()
    return any(chain[-1].scope == "module" and chain[-1].baseid for chain in definitions)
