"""One client's Remote Config fetch, as ``harness.stack.firebase.rest`` says the app's SDK does it."""

from __future__ import annotations

from harness.base.errors import MeasurementFailed
from harness.load.plan import LoadPlan
from harness.load.population.schedule import Account
from harness.load.recorder import Recorder
from harness.load.rest import JsonClient, now_ns
from harness.model.evidence import FlagRow
from harness.model.flag import FlagClient
from harness.stack.firebase import rest

#: Of the fetch itself; a fetch never holds up a request (see ``phone``).
FETCH_TIMEOUT_S = 5.0


def remote_config(plan: LoadPlan) -> JsonClient:
    """A client of the Remote Config emulator."""
    return JsonClient("Remote Config", plan.endpoints.remote_config, FETCH_TIMEOUT_S)


def fetch_flag(plan: LoadPlan, client: JsonClient, recorder: Recorder, account: Account, cache: rest.FlagCache) -> None:
    """Fetches once for ``account``, into ``cache`` and the evidence. Raises ``MeasurementFailed``."""
    path = rest.path(plan.endpoints.project_id)
    sent = rest.body(FlagClient(instance_id=account.instance_id, audience=account.audience))
    received = client.post(path, sent)
    try:
        answer = rest.answer(received)
        version = int(answer.templateVersion)
    except ValueError as error:
        raise MeasurementFailed(f"Remote Config's answer is not a fetch: {error}", where=path) from error
    at_ns = now_ns()
    cache.store(answer.entries, version, at_ns)
    value = cache.value(plan.flag)
    recorder.write(FlagRow(at_ns=at_ns, user=account.user, value=value, template_version=version, fetched=True))
