"""What is waited for before an experiment is judged as it ends: the answers to all that its verdict looks at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.model.evidence import Window
from harness.rehearsals.chaos.flow import Experiments
from harness.rehearsals.chaos.types import ChaosDetails, MadeExperiment
from harness.rules.steady import STEADY_S
from tests.chaos.test_judge_run import plan


@pytest.mark.parametrize(("steady_s", "until_s"), [(22.0, 22.0 + STEADY_S), (None, 40.0)])
async def test_what_was_due_in_the_steady_state_afterwards_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, steady_s: float | None, until_s: float
) -> None:
    """A phone may hang for ten seconds: judged sooner, its call would not be in evidence."""
    waited: list[Window] = []

    async def answered(window: Window) -> None:
        waited.append(window)

    async def made(self: Experiments, *_: object) -> None:
        steady_ns = None if steady_s is None else round(steady_s * NS)
        self._see(start_ns=10 * NS, undone_ns=20 * NS, steady_ns=steady_ns, end_ns=40 * NS)

    chosen = plan("pod_kill")
    ran = Experiments.__new__(Experiments)
    on = SimpleNamespace(
        clock=SimpleNamespace(now_ns=lambda: 41 * NS), details=ChaosDetails(), evidence=None,
        options=SimpleNamespace(seed=1), phase=lambda *_, **__: None, part_over=lambda _: None,
    )  # fmt: skip
    template = SimpleNamespace(proxy_stops_at_once=False)
    ran._plan, ran._on, ran._bridge = chosen, cast(Any, on), cast(Any, SimpleNamespace())
    ran._users = cast(Any, SimpleNamespace(answered=answered))
    ran._manifests = cast(Any, SimpleNamespace(deployment=SimpleNamespace(template=template)))
    monkeypatch.setattr(Experiments, "_make", made)
    await ran._experiment(1, chosen.experiments[0])
    (window,) = waited
    assert window.start_ns == 10 * NS
    assert window.end_ns / NS == pytest.approx(until_s)
    (found,) = on.details.made
    assert isinstance(found, MadeExperiment) and found.answered_ns == 41 * NS
