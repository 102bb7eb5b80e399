"""The least privilege of what is deployed: the pods' account and context, the policies, the role in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from harness.base.errors import NotCapable
from harness.checks.as_printed import applied
from harness.checks.contract.check import Checks, ContractClient, Deviates
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, document
from harness.model.manifests import Manifests
from harness.model.message import message, of_error
from harness.rehearsals.security import privileges
from harness.rehearsals.security.ground import of

_IAM = document("IAM権限")
_LEAST = document("セキュリティ強化施策（Phase2実装項目）")
_NETWORK = document("ネットワークセキュリティ")
CHECKS = Checks(_LEAST, DeviationKind.EFFECT)


def _manifests(bench: ContractClient) -> Manifests:
    found = of(bench).manifests
    if found is None:
        raise NotExercised(message("there are no manifests"), allowed=True)
    return found


def _none(id_: str, sentence: str, found: Callable[[Manifests], object], *, advice: bool = False) -> None:
    @CHECKS(id_, sentence, advice=advice)
    async def look(bench: ContractClient) -> None:
        wrong = list(found(_manifests(bench)))  # type: ignore[call-overload]  # lists and iterators of texts
        if wrong:
            raise Deviates(message("none"), "; ".join(wrong))


@CHECKS("privilege.account", "the pods run under a ServiceAccount of their own, which names Google's", _IAM)
async def account(bench: ContractClient) -> None:
    """Which is there, and names Google's."""
    found = applied(_manifests(bench))
    if found.account in ("", "default") or not found.annotated:
        raise Deviates(
            message("a ServiceAccount that names Google's"), found.account or message("the ServiceAccount default")
        )


_none("privilege.granted", "no manifest grants the pods' account anything at the API server", privileges.granted)
_none("privilege.host", "the pods reach nothing of their node", privileges.of_host)
_none("privilege.in_clear", "no secret stands in the Deployment or in a ConfigMap", privileges.in_clear)
_none(
    "privilege.context",
    "the containers run as Kubernetes' restricted standard asks",
    privileges.unrestricted,
    advice=True,
)


@CHECKS("privilege.api_token", "the pods carry no token for the API server, which they do not ask", advice=True)
async def api_token(bench: ContractClient) -> None:
    """``automountServiceAccountToken``. Workload Identity does without it."""
    if privileges.carries_api_token(_manifests(bench)):
        raise Deviates("automountServiceAccountToken: false", message("a token in every pod"))


@CHECKS(
    "privilege.policy", "a NetworkPolicy restricts what reaches the pods, and what they reach", _NETWORK, advice=True
)
async def policy(bench: ContractClient) -> None:
    """The document adds it in Phase 4; ``nox -s network`` measures it."""
    manifests = _manifests(bench)
    directions = set().union(*privileges.policies(manifests).values())
    if directions != {"Ingress", "Egress"}:
        found = ", ".join(sorted(directions)) or message("no NetworkPolicy")
        raise Deviates(message("Ingress and Egress restricted"), found)


@CHECKS("privilege.policy_open", "no rule of a NetworkPolicy lets everybody, or everything, through", _NETWORK)
async def policy_open(bench: ContractClient) -> None:
    """A rule without peers, for all addresses, or for every pod of every namespace."""
    manifests = _manifests(bench)
    if not privileges.policies(manifests):
        raise NotExercised(message("no NetworkPolicy selects the pods"), allowed=True)
    if wrong := privileges.open_rules(manifests):
        raise Deviates(message("rules with peers"), "; ".join(wrong))


@CHECKS("privilege.can_i", "the API server lets the pods' account do no more than every account")
async def can_i(bench: ContractClient) -> None:
    """As ``kubectl auth can-i --list`` says it of the account as deployed."""
    ground = of(bench)
    if ground.kubectl is None:
        raise NotExercised(message("the environment has no API server"), allowed=True)
    name = privileges.pod(_manifests(bench)).get("serviceAccountName", "default")
    try:
        space = await ground.kubectl("get", "serviceaccount", name, "-o", "jsonpath={.metadata.namespace}")
    except NotCapable as error:  # a cluster of the team's own is asked by this machine's kubectl
        raise NotExercised(of_error(error), allowed=True) from error
    whose = f"--as=system:serviceaccount:{space.output.strip()}:{name}"
    ran = await ground.kubectl("auth", "can-i", "--list", whose)
    if space.status or ran.status or "Resources" not in ran.output:
        raise NotExercised(message("kubectl auth can-i: {answer}", answer=ran.output[:300] or space.output[:300]))
    if wrong := privileges.beyond_everybody(ran.output):
        more = "; ".join(" ".join(line.split()) for line in wrong)
        raise Deviates(message("what every account may"), more)


@CHECKS("privilege.database", "the target's role in PostgreSQL may do no more than its own database needs")
async def database(bench: ContractClient) -> None:
    """No superuser, no maker of roles or databases, a member of no other role."""
    ground = of(bench)
    if ground.role is None:
        raise NotExercised(message("the environment has no PostgreSQL"), allowed=True)
    role = await ground.role()
    if wrong := role.beyond():
        raise Deviates(message("none of them for {role}", role=role.name), "; ".join(wrong))
