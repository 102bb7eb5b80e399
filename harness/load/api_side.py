"""A planned request made to the API, through the service address (flag on)."""

from __future__ import annotations

from harness.load.answers import SUCCESS, classify, created_id, unanswered
from harness.load.http1 import Answer, NoAnswer
from harness.load.population.marks import NOBODY, Population
from harness.load.population.schedule import Planned
from harness.load.population.walk import PAGE_WALKS, encode
from harness.load.result import Result
from harness.load.runtime import runtime
from harness.model.evidence import WRITES, Operation, Outcome
from harness.model.stack import Address

_METHOD = {
    Operation.LIST_WALKS: "GET",
    Operation.CREATE_WALK: "POST",
    Operation.GET_WALK: "GET",
    Operation.PUT_WALK: "PUT",
    Operation.DELETE_WALK: "DELETE",
}


def path_of(operation: Operation, walk_id: str) -> str:
    """The contract's path."""
    if operation is Operation.LIST_WALKS:
        return f"/v1/walks?page=1&limit={PAGE_WALKS}"
    return "/v1/walks" if operation is Operation.CREATE_WALK else f"/v1/walks/{walk_id}"


class ApiSide:
    """A client of the API, for one user of ``population`` at a time. ``timeout_s`` is the phone's, from the moment it
    sends."""

    def __init__(self, service: Address, timeout_s: float, population: Population = NOBODY) -> None:
        self._connection = runtime().phone(service)
        self._population = population
        self._timeout_s = timeout_s

    def execute(self, planned: Planned, token: str, *, missing_expected: bool) -> Result:
        """Never raises for what the target does."""
        operation, walk_id = planned.operation, planned.walk_id
        path = path_of(operation, walk_id)
        try:
            answer = self._connection.exchange(_METHOD[operation], path, token, encode(planned.body), self._timeout_s)
        except NoAnswer as ended:
            found = unanswered(ended, self._population, planned.user)
            return Result(
                status=0,
                outcome=found.outcome,
                acknowledged=False,
                walk_id=walk_id,
                retried=ended.retried,
                shown=found.shown,
                wire=found.wire,
            )
        return _result(planned, answer, self._population, missing_expected=missing_expected)

    def reopen(self) -> None:
        """Another connection, at once."""
        self._connection.reopen()

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()


def _result(planned: Planned, answer: Answer, population: Population, *, missing_expected: bool) -> Result:
    operation, walk_id = planned.operation, planned.walk_id
    # A repeated DELETE finds nothing when the first one was carried out and only its answer was lost.
    repeated_delete = operation is Operation.DELETE_WALK and answer.retried
    answered = classify(
        operation,
        answer.status,
        answer.body,
        head=answer.head,
        behind=answer.behind,
        user=planned.user,
        population=population,
        walk_id=walk_id,
        missing_expected=missing_expected or repeated_delete,
    )
    outcome = answered.outcome
    if operation is Operation.CREATE_WALK and outcome is Outcome.OK:
        walk_id = created_id(answer.body)
    confirmed = outcome is Outcome.OK and (answer.status == SUCCESS[operation] or repeated_delete)
    return Result(
        status=answer.status,
        outcome=outcome,
        acknowledged=operation in WRITES and confirmed,
        walk_id=walk_id,
        pod=answer.pod,
        retried=answer.retried,
        shown=answered.shown,
        wire=answered.wire,
    )
