"""Admits the population: every account made and signed in, every first flag fetched, every session begun."""

from __future__ import annotations

from typing import Any

from harness.base.errors import MeasurementFailed, RehearsalError
from harness.load.auth import create_accounts, sign_in
from harness.load.flag import fetch_flag, remote_config
from harness.load.phone import Phone, Shared
from harness.load.plan import ADMISSION_LIMIT_S
from harness.load.population.schedule import Account, Slot, accounts, slots, user_schedule
from harness.load.rest import JsonClient, now_ns, runtime
from harness.model.evidence import SessionRow
from harness.model.message import message
from harness.stack.firebase.rest import FlagCache

#: Greenlets admitting at once: enough to keep two emulators busy, few enough to leave them responsive.
AT_ONCE = 12
_CREATE_TIMEOUT_S = 30.0


class _Admission:
    def __init__(self, shared: Shared, firestore: Any) -> None:
        plan = shared.plan
        self._shared = shared
        self._firestore = firestore
        everybody = accounts(plan.population, plan.seed)
        self._slots = slots(plan.population, everybody, plan.seed)
        self._accounts = everybody[plan.worker :: plan.workers]
        self._left = list(reversed(self._accounts))
        self._phones: dict[str, Phone] = {}
        self._error: RehearsalError | None = None

    def run(self) -> list[Phone]:
        plan = self._shared.plan
        client = JsonClient("the Auth emulator", plan.endpoints.auth, _CREATE_TIMEOUT_S)
        create_accounts(client, plan.endpoints.project_id, self._accounts)
        client.close()
        workers = [runtime().spawn(self._work) for _ in range(AT_ONCE)]
        try:
            runtime().join(workers)
        finally:
            for worker in workers:
                worker.kill()
        if self._error is not None:
            raise self._error
        return [self._phones[account.user] for account in self._accounts]

    def _work(self) -> None:
        auth = JsonClient("the Auth emulator", self._shared.plan.endpoints.auth, _CREATE_TIMEOUT_S)
        flags = remote_config(self._shared.plan)
        try:
            while self._left:
                account = self._left.pop()
                self._phones[account.user] = self._admit(account, self._slots[account.user], auth, flags)
        except RehearsalError as error:
            self._error = error
            self._left.clear()
        finally:
            auth.close()
            flags.close()

    def _admit(self, account: Account, slot: Slot, auth: JsonClient, flags: JsonClient) -> Phone:
        plan, recorder = self._shared.plan, self._shared.recorder
        token = sign_in(auth, account)
        cache = FlagCache(plan.population.fetch_interval_s)
        fetch_flag(plan, flags, recorder, account, cache)
        recorder.write(SessionRow(at_ns=now_ns(), user=account.user, audience=account.audience, live=True))
        mine = user_schedule(account.user, slot, plan.population, plan.seed, plan.anchor.unix_ns)
        phone = Phone(self._shared, account, plan=mine, token=token, cache=cache, firestore=self._firestore)
        phone.write_earlier()
        return phone


def admit(shared: Shared, firestore: Any) -> list[Phone]:
    """Every phone, ready to act. Raises ``MeasurementFailed`` when it takes longer than the plan's limit."""
    late = MeasurementFailed(
        message("the simulated users could not be signed in within {limit_s} s", limit_s=f"{ADMISSION_LIMIT_S:g}"),
        where="Auth and Remote Config emulators",
        remedy="see their logs; the machine may be too busy",
    )
    with runtime().timeout(ADMISSION_LIMIT_S, late):
        return _Admission(shared, firestore).run()
