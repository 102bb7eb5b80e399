"""A planned request made to the API, through the service address (flag on)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from harness.load.answers import SUCCESS, classify, created_id, unanswered
from harness.load.http1 import NoAnswer, PhoneAnswer
from harness.load.population.schedule import NOBODY, PlannedRequest, Population
from harness.load.population.walk import PAGE_WALKS, encode
from harness.load.rest import runtime
from harness.load.result import CallResult
from harness.model.evidence import WRITES, Operation, Outcome
from harness.model.stack import Address

_METHOD = {
    Operation.LIST_WALKS: "GET",
    Operation.CREATE_WALK: "POST",
    Operation.GET_WALK: "GET",
    Operation.PUT_WALK: "PUT",
    Operation.DELETE_WALK: "DELETE",
}


_ALWAYS = repeat(True)


def path_of(operation: Operation, walk_id: str, page: int = 1) -> str:
    """The contract's path."""
    if operation is Operation.LIST_WALKS:
        return f"/v1/walks?page={page}&limit={PAGE_WALKS}"
    return "/v1/walks" if operation is Operation.CREATE_WALK else f"/v1/walks/{walk_id}"


class ApiSide:
    """A client of the API, for one user of ``population`` at a time. ``timeout_s`` is the phone's, from the moment it
    sends. ``whole`` says of each answer whether it is read whole."""

    def __init__(
        self, service: Address, timeout_s: float, population: Population = NOBODY, whole: Iterator[bool] = _ALWAYS
    ) -> None:
        self._connection = runtime().phone(service)
        self._population = population
        self._timeout_s = timeout_s
        self._whole = whole

    def execute(self, planned: PlannedRequest, token: str, *, missing_expected: bool) -> CallResult:
        """Never raises for what the target does."""
        operation, walk_id = planned.operation, planned.walk_id
        path = path_of(operation, walk_id, planned.page)
        found: PhoneAnswer | NoAnswer
        try:
            found = self._connection.exchange(_METHOD[operation], path, token, encode(planned.body), self._timeout_s)
        except NoAnswer as ended:
            found = ended
        whole = next(self._whole)
        return _result(planned, found, self._population, missing_expected=missing_expected, whole=whole)

    def reopen(self) -> None:
        """Another connection, at once."""
        self._connection.reopen()

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()


def _result(
    planned: PlannedRequest, found: PhoneAnswer | NoAnswer, of: Population, *, missing_expected: bool, whole: bool
) -> CallResult:
    operation, walk_id, user = planned.operation, planned.walk_id, planned.user
    # A repeated DELETE finds nothing when the first one was carried out and only its answer was lost.
    repeated_delete = operation is Operation.DELETE_WALK and found.retried
    if isinstance(found, NoAnswer):
        answered = unanswered(found, of, user)
    else:
        answered = classify(
            operation,
            found.status,
            found.body,
            head=found.head,
            behind=found.behind,
            user=user,
            population=of,
            walk_id=walk_id,
            missing_expected=missing_expected or repeated_delete,
            whole=whole,
        )
        if operation is Operation.CREATE_WALK and answered.outcome is Outcome.OK:
            walk_id = created_id(found.body)
    confirmed = answered.outcome is Outcome.OK and (found.status == SUCCESS[operation] or repeated_delete)
    return CallResult(
        status=found.status,
        outcome=answered.outcome,
        acknowledged=operation in WRITES and confirmed,
        walk_id=walk_id,
        pod=found.pod,
        retried=found.retried,
        shown=answered.shown,
        wire=answered.wire,
    )
