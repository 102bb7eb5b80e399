"""How answers count."""

from __future__ import annotations

import json

import pytest

from harness.load.answers import SUCCESS, classify, created_id
from harness.load.known import KnownWalks
from harness.load.population.schedule import Population
from harness.model.evidence import Operation, Outcome, Side, Wire

ID = "0b0f5f0e-8d0c-4c7e-9c63-1f2d3a4b5c6d"
WALK = {"id": ID, "user_id": "u1", "title": "T", "status": "in_progress", "total_distance": 1.5}
READ = (Operation.LIST_WALKS, Operation.CREATE_WALK, Operation.GET_WALK, Operation.PUT_WALK)
DEEP = b"[" * 200_000 + b"]" * 200_000
WHOLE = json.dumps({**WALK, "locations": []}).encode()[:-1]
#: Each is good but for what cannot be decoded: in a field that is read, in one that is not, in a key, too deep.
UNREADABLE = (
    WHOLE.replace(b'"T"', b'"\xe6\x95"') + b"}",
    WHOLE + b', "description": "\xe6\x95"}',
    WHOLE + b', "\xff": 1}',
    WHOLE + b', "description": ' + DEEP + b"}",
    b'{"walks": [' + WHOLE + b', "description": "\xff"}], "total_count": 1, "page": 1, "limit": 20}',
    b'{"walks": [' + WHOLE + b', "x": ' + DEEP + b'}], "total_count": 1, "page": 1, "limit": 20}',
    b"\xff\xfe{}",
)


def judged(operation: Operation, status: int, body: object, *, missing_expected: bool = False) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(operation, status, raw, user="u1", walk_id=ID, missing_expected=missing_expected).outcome


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        (Operation.LIST_WALKS, 200, {"walks": [WALK], "total_count": 1, "page": 1, "limit": 20}),
        (Operation.LIST_WALKS, 200, {"walks": [], "total_count": 0, "page": 1, "limit": 20}),
        (Operation.CREATE_WALK, 201, {**WALK, "id": "another"}),
        (Operation.GET_WALK, 200, {**WALK, "locations": []}),
        (Operation.PUT_WALK, 200, WALK),
        (Operation.PUT_WALK, 200, {**WALK, "id": ID.upper()}),
        (Operation.DELETE_WALK, 204, b""),
    ],
)
def test_the_contracts_answers_are_good(operation: Operation, status: int, body: object) -> None:
    assert judged(operation, status, body) is Outcome.OK


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        (Operation.LIST_WALKS, 200, {"walks": []}),
        (Operation.LIST_WALKS, 200, {"walks": [WALK] * 21, "total_count": 21, "page": 1, "limit": 20}),
        (Operation.LIST_WALKS, 200, {"walks": [WALK] * 21, "total_count": 21, "page": 1, "limit": 100}),
        (Operation.CREATE_WALK, 200, WALK),
        (Operation.GET_WALK, 200, WALK),
        (Operation.GET_WALK, 200, {**WALK, "locations": None}),
        (Operation.PUT_WALK, 200, {**WALK, "id": "another"}),
        (Operation.PUT_WALK, 200, {**WALK, "status": "walking"}),
        (Operation.PUT_WALK, 200, b"<html>"),
        (Operation.PUT_WALK, 200, b""),
        (Operation.PUT_WALK, 204, b""),
        (Operation.PUT_WALK, 302, b""),
        (Operation.DELETE_WALK, 200, b""),
        (Operation.DELETE_WALK, 204, b"\xff"),
        *((operation, SUCCESS[operation], body) for operation in READ for body in UNREADABLE),
    ],
)
def test_a_success_that_is_not_the_contracts_is_a_bad_answer(operation: Operation, status: int, body: object) -> None:
    assert judged(operation, status, body) is Outcome.BAD_ANSWER


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        (Operation.LIST_WALKS, 200, {"walks": [{**WALK, "user_id": "u2"}], "total_count": 1, "page": 1, "limit": 20}),
        (Operation.LIST_WALKS, 200, {"walks": [{"user_id": "u2"}]}),  # malformed besides
        (Operation.GET_WALK, 200, {**WALK, "user_id": "u2", "locations": []}),
        (Operation.GET_WALK, 202, {"data": {**WALK, "user_id": "u2"}}),
    ],
)
def test_a_success_that_tells_of_anothers_walk_is_foreign_whatever_else_is_wrong(
    operation: Operation, status: int, body: object
) -> None:
    raw = json.dumps(body).encode()
    found = classify(operation, status, raw, user="u1", walk_id=ID, missing_expected=False)
    assert (found.outcome, found.shown) == (Outcome.FOREIGN_ANSWER, raw[:120].decode())


@pytest.mark.parametrize("status", [200, 404, 429, 500])
@pytest.mark.parametrize("where", ["body", "head", "behind"])
def test_whatever_its_status_and_wherever_it_tells_so_an_answer_that_tells_of_another_is_foreign(
    where: str, status: int
) -> None:
    own = json.dumps({**WALK, "locations": []}).encode()
    texts = {"body": own, "head": b"x: y", "behind": b""} | {where: b'{"error": "no walk of u0002"}'}
    found = classify(
        Operation.GET_WALK, status, texts["body"], head=texts["head"], behind=texts["behind"],
        user="u1", walk_id=ID, missing_expected=False, population=Population(seed=1, users=2),
    )  # fmt: skip
    assert (found.outcome, found.shown) == (Outcome.FOREIGN_ANSWER, texts[where].decode())
    assert found.wire is (Wire.BEHIND if where == "behind" else Wire.CLEAN)


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, Outcome.BAD_ANSWER), (404, Outcome.UNEXPECTED_4XX), (500, Outcome.SERVER_ERROR)]
)
def test_bytes_behind_an_answer_make_a_good_one_bad_and_are_told_of_any(status: int, outcome: Outcome) -> None:
    own = json.dumps({**WALK, "locations": []}).encode()
    found = classify(Operation.GET_WALK, status, own, user="u1", walk_id=ID, missing_expected=False, behind=b"x")
    assert (found.outcome, found.wire, found.shown) == (outcome, Wire.BEHIND, "x")


@pytest.mark.parametrize("operation", list(Operation))
def test_errors(operation: Operation) -> None:
    assert judged(operation, 429, b"") is Outcome.RATE_LIMITED
    for status in (500, 502, 503, 504, 599):
        assert judged(operation, status, b"") is Outcome.SERVER_ERROR
    for status in (400, 401, 403, 404, 409):
        assert judged(operation, status, b"") is Outcome.UNEXPECTED_4XX


def test_a_404_is_right_only_for_a_walk_that_need_not_be_there() -> None:
    for operation in SUCCESS:
        right = operation in {Operation.GET_WALK, Operation.DELETE_WALK}
        expected = Outcome.OK if right else Outcome.UNEXPECTED_4XX
        assert judged(operation, 404, b"", missing_expected=True) is expected
    assert judged(Operation.GET_WALK, 400, b"", missing_expected=True) is Outcome.UNEXPECTED_4XX


def test_the_created_id_is_kept_in_lower_case() -> None:
    assert created_id(json.dumps({**WALK, "id": ID.upper()}).encode()) == ID


def test_known_walks_are_kept_apart_by_side() -> None:
    known = KnownWalks()
    assert known.missing_expected(Side.API, ID)
    known.record(Side.API, Operation.PUT_WALK, ID, acknowledged=False)
    assert known.missing_expected(Side.API, ID)
    known.record(Side.API, Operation.PUT_WALK, ID, acknowledged=True)
    assert not known.missing_expected(Side.API, ID)
    assert known.missing_expected(Side.FIRESTORE, ID)
    known.record(Side.API, Operation.GET_WALK, ID, acknowledged=False)
    assert not known.missing_expected(Side.API, ID)
    known.record(Side.API, Operation.DELETE_WALK, ID, acknowledged=False)  # it may have happened
    assert known.missing_expected(Side.API, ID)


def test_a_whole_number_with_its_point_is_the_same_number() -> None:
    """JSON has one kind of number: a server of another language may write 6789.0."""
    shown = []
    for point in ("", ".0"):
        walk = WHOLE + f', "total_steps": 6789{point}'.encode()
        page = b'{"walks": [' + walk + f'}}], "total_count": 1{point}, "page": 1{point}, "limit": 20{point}}}'.encode()
        one = walk + f', "locations": [{{"sequence_number": 0{point}}}]}}'.encode()
        for operation, body in ((Operation.LIST_WALKS, page), (Operation.GET_WALK, one)):
            answered = classify(operation, 200, body, user="u1", walk_id=ID, missing_expected=False)
            assert answered.outcome is Outcome.OK
            shown.append(answered.shown)
    assert shown[:2] == shown[2:]


@pytest.mark.parametrize("count", ['"1"', "1.5"])
def test_a_count_that_is_no_whole_number_is_a_bad_answer(count: str) -> None:
    page = f'{{"walks": [], "total_count": {count}, "page": 1, "limit": 20}}'.encode()
    assert judged(Operation.LIST_WALKS, 200, page) is Outcome.BAD_ANSWER
