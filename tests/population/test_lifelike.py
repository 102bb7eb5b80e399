"""Users unlike robots: nothing tells canaries from users, and phones write times as phones do."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.base.ticks import NS
from harness.load.population.lifelike import OFFSETS_MIN
from harness.load.population.schedule import PlannedRequest, accounts, canaries, mark, population_of, schedule
from harness.load.population.walk import NewWalk, WalkUpdate, encode
from harness.load.probe import content
from harness.run.scenarios.load import load, parse

WEEK = load("rollout_week3")
SEED = 7
ANCHOR = 1_790_000_000 * NS
USERS = accounts(WEEK.population, SEED)
CANARIES = canaries(WEEK.probes, SEED)


def sample(*, lifelike: bool = True) -> list[PlannedRequest]:
    plan = msgspec.structs.replace(WEEK.population, lifelike=lifelike, long_lists=0.0)
    return list(itertools.islice(schedule(plan, accounts(plan, SEED), SEED, ANCHOR), 2 * len(USERS)))


def test_names_and_titles_of_canaries_are_of_the_kind_of_users() -> None:
    users, probing = ([each.user for each in USERS], [each.account.user for each in CANARIES])
    assert len({*users, *probing}) == 508
    assert all(re.fullmatch(r"u\d{4}", name) for name in (*users, *probing))
    assert min(users) < min(probing) and max(probing) < max(users), "no number divides them"
    assert users != sorted(users)
    titles = {each.body.title.rpartition(" ")[0] for each in sample() if isinstance(each.body, NewWalk | WalkUpdate)}
    assert titles >= {each.title.rpartition(" ")[0] for each in CANARIES}
    assert all(re.search("[぀-鿿𠀀-𪛟]", title) and re.search("[☀-➿⛩🌀-🫿]", title) for title in titles)
    assert len(titles) == 8


def test_others_names_and_marks_are_known_whoever_tells_them() -> None:
    known = population_of(WEEK.population, WEEK.probes, SEED)
    one, other, canary = USERS[0].user, USERS[1].user, CANARIES[0].account.user
    for teller, told in ((one, other), (one, canary), (canary, one)):
        assert known.of_another(f'{{"by": "{told}"}}'.encode(), teller)
        assert known.of_another(f"散歩 🌸 {mark(SEED, told)}".encode(), teller)
        assert not known.of_another(f'{{"by": "{teller}", "t": "{mark(SEED, teller)}"}}'.encode(), teller)
    nobody = next(f"u{number:04d}" for number in range(1, 9999) if f"u{number:04d}" not in {a.user for a in USERS})
    assert nobody in {each.account.user for each in CANARIES} or not known.of_another(nobody.encode(), one)
    assert not known.of_another(content(CANARIES[0], ANCHOR), canary)


def test_times_are_those_of_an_exact_clock_but_for_a_tenth_and_have_every_offset() -> None:
    offsets: Counter[timedelta | None] = Counter()
    off_s: dict[int, set[float]] = {}
    for of_people, even in zip(sample(), sample(lifelike=False), strict=True):
        assert of_people.due_offset_ns == even.due_offset_ns
        if not isinstance(of_people.body, WalkUpdate):
            continue
        assert isinstance(even.body, WalkUpdate)
        offsets.update(each.timestamp.utcoffset() for each in of_people.body.locations)
        by = (of_people.body.start_time - even.body.start_time).total_seconds()
        off_s.setdefault(round(by / 3600), set()).add(by)
        sent = encode(of_people.body).decode()
        minutes = of_people.body.start_time.utcoffset()
        assert minutes is not None and ('Z"' in sent) is (not minutes)
    assert {each // timedelta(minutes=1) for each in offsets if each is not None} == set(OFFSETS_MIN)
    assert set(off_s) == {0, -9, 9, -1, 14, -26, 3}


def test_users_and_canaries_are_lifelike_together() -> None:
    text = (SCENARIOS / "rollout_week3.yaml").read_text()
    with pytest.raises(BadInput, match="are not the same"):
        parse(text.replace("timeout: 2s\n  lifelike: true", "timeout: 2s"), "ours.yaml", "ours")
