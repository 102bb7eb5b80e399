"""The generator's lag: how late a request was sent through no fault of the target.

A fail (or a latency rollback) stands only if the requests that were sent on time, judged alone, fail (or fire) too.
On time means within ``ON_TIME_NS`` of when the request could have been sent: a tenth of the smallest limit on latency
in the document (500 ms). A user acts strictly one request after the other, so a request that waited for the same
user's earlier answer was kept by the target: that wait is latency, not lag. Lag never removes anything from what
could pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.rules.ledger import Calls

ON_TIME_NS = 50_000_000


def lag_ns(rows: Calls) -> NDArray[np.int64]:
    """For each row, how long after it was due (or its user's earlier request was answered) it was sent.

    Give it all the requests (or all the probes) of a run: an earlier answer may lie before the window.
    """
    lag = np.zeros(len(rows), dtype=np.int64)
    if not len(rows):
        return lag
    order = np.lexsort((rows["sent_ns"], rows["due_ns"], rows["user"]))
    ordered = rows[order]
    could = ordered["due_ns"].copy()
    same_user = ordered["user"][1:] == ordered["user"][:-1]
    could[1:] = np.where(same_user, np.maximum(could[1:], ordered["done_ns"][:-1]), could[1:])
    lag[order] = np.maximum(ordered["sent_ns"] - could, 0)
    return lag


def on_time(rows: Calls) -> NDArray[np.bool_]:
    """Which of ``rows`` the generator sent on time."""
    timely: NDArray[np.bool_] = lag_ns(rows) <= ON_TIME_NS
    return timely
