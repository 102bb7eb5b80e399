"""What the target's pods and its role in PostgreSQL may do beyond what they need, from manifests and facts. Pure, but
for ``read_role``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec

from harness.base.errors import PartDied
from harness.model.manifests import Manifests
from harness.model.stack import Endpoints

Document = dict[str, Any]
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|PRIVATE_KEY|API_KEY", re.IGNORECASE)
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_SQL_TIMEOUT_S = 10.0
#: Rules that every account has by itself (system:discovery, system:basic-user, system:public-info-viewer,
#: system:service-account-issuer-discovery).
_EVERYBODYS = re.compile(
    r"selfsubject(access|rules)?reviews?\.|^\s+\[/(api|apis|healthz|livez|readyz|openapi|openid|version|\.well-known)"
)
_ROLE = """
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolcreatedb AS creates_databases,
       r.rolcreaterole AS creates_roles, r.rolreplication AS replicates, r.rolbypassrls AS bypasses_row_security,
       ARRAY(SELECT m.rolname::text FROM pg_roles m WHERE m.rolname NOT IN (r.rolname, 'pg_database_owner')
             AND pg_has_role(r.oid, m.oid, 'MEMBER') ORDER BY 1) AS member_of,
       ARRAY(SELECT d.datname::text FROM pg_database d WHERE NOT d.datistemplate AND d.datname <> current_database()
             AND d.datname <> 'postgres' AND has_database_privilege(r.oid, d.oid, 'CREATE') ORDER BY 1) AS creates_in
FROM pg_roles r WHERE r.rolname = current_user
"""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """The role that the target logs in as. ``creates_in`` are other databases that it may change."""

    name: str
    superuser: bool = False
    creates_databases: bool = False
    creates_roles: bool = False
    replicates: bool = False
    bypasses_row_security: bool = False
    member_of: tuple[str, ...] = ()
    creates_in: tuple[str, ...] = ()

    def beyond(self) -> list[str]:
        """What it may do that no call of the contract needs, in English."""
        flags = ("superuser", "creates_databases", "creates_roles", "replicates", "bypasses_row_security")
        found = [name for name in flags if getattr(self, name)]
        return [
            *found,
            *(f"member of {each}" for each in self.member_of),
            *(f"CREATE in {each}" for each in self.creates_in),
        ]


async def read_role(to: Endpoints) -> Role:
    """Of the target's own login. Raises ``PartDied``."""
    try:
        connection = await asyncpg.connect(**to.login, timeout=_SQL_TIMEOUT_S)
        try:
            row = await connection.fetchrow(_ROLE, timeout=_SQL_TIMEOUT_S)
        finally:
            await connection.close(timeout=_SQL_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PartDied(f"PostgreSQL does not answer: {error!r}", where=str(to.database)) from error
    return msgspec.convert(dict(row), Role)


def pod(manifests: Manifests) -> Document:
    """The Deployment's pod spec as the folder has it."""
    whole = manifests.documents.get(f"Deployment/{manifests.deployment.name}", {})
    found: Document = whole.get("spec", {}).get("template", {}).get("spec", {})
    return found


def granted(manifests: Manifests) -> list[str]:
    """What the folder grants the pods' account at the API server: the target asks it nothing."""
    account = str(pod(manifests).get("serviceAccountName", "default"))
    found = []
    for key, each in manifests.documents.items():
        subjects = each.get("subjects") or () if key.startswith(("RoleBinding/", "ClusterRoleBinding/")) else ()
        if any(_is(subject, account) for subject in subjects):
            found.append(f"{key}: {each.get('roleRef', {}).get('name', '')}")
    return found


def _is(subject: Document, account: str) -> bool:
    if subject.get("kind") == "ServiceAccount":
        return subject.get("name") == account
    return subject.get("kind") == "Group" and str(subject.get("name", "")).startswith(
        ("system:serviceaccounts", "system:auth")
    )


def of_host(manifests: Manifests) -> list[str]:
    """What of the node the pods may reach."""
    spec = pod(manifests)
    found = [name for name in _HOST if spec.get(name)]
    found += [f"hostPath {each['hostPath'].get('path')}" for each in spec.get("volumes") or () if "hostPath" in each]
    for each in containers(spec):
        security = each.get("securityContext") or {}
        found += [f"{each['name']}: privileged"] if security.get("privileged") else []
        added = (security.get("capabilities") or {}).get("add") or ()
        found += [f"{each['name']}: capability {name}" for name in added]
    return found


def containers(spec: Document) -> list[Document]:
    """All of a pod."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def unrestricted(manifests: Manifests) -> Iterator[str]:
    """What the pods' security context leaves open, as Kubernetes' restricted standard names it."""
    spec = pod(manifests)
    of_pod = spec.get("securityContext") or {}
    for each in containers(spec):
        security = each.get("securityContext") or {}
        if not (security.get("runAsNonRoot") or of_pod.get("runAsNonRoot")):
            yield f"{each['name']}: runAsNonRoot is not asked for"
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"{each['name']}: allowPrivilegeEscalation is not false"
        if "ALL" not in ((security.get("capabilities") or {}).get("drop") or ()):
            yield f"{each['name']}: capabilities are not dropped"


def carries_api_token(manifests: Manifests) -> bool:
    """Whether the pods carry a token for the API server, which Kubernetes gives where nobody says otherwise."""
    spec = pod(manifests)
    account = manifests.documents.get(f"ServiceAccount/{spec.get('serviceAccountName', '')}", {})
    said = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    return said is not False


def in_clear(manifests: Manifests) -> list[str]:
    """Secrets that stand in the Deployment or in a ConfigMap."""
    found = []
    for each in containers(pod(manifests)):
        for variable in each.get("env") or ():
            source = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            if _SECRET_NAME.search(str(variable.get("name", ""))) and (variable.get("value") or source):
                found.append(f"{each['name']}: {variable['name']}")
        found += [f"{each['name']}: {word}" for word in each.get("args") or () if re.search(r"password=\S", str(word))]
    for key, each in manifests.documents.items():
        if key.startswith("ConfigMap/"):
            found += [f"{key}: {name}" for name in each.get("data") or {} if _SECRET_NAME.search(name)]
    return found


def policies(manifests: Manifests) -> dict[str, set[str]]:
    """The NetworkPolicies that select the pods, each with the directions that it restricts."""
    template = (
        manifests.documents.get(f"Deployment/{manifests.deployment.name}", {}).get("spec", {}).get("template", {})
    )
    labels = (template.get("metadata") or {}).get("labels") or {}
    found = {}
    for key, each in manifests.documents.items():
        spec = each.get("spec") or {}
        wanted = (spec.get("podSelector") or {}).get("matchLabels") or {}
        if key.startswith("NetworkPolicy/") and wanted.items() <= labels.items():
            found[key] = set(spec.get("policyTypes") or ("Ingress",))
    return found


def open_rules(manifests: Manifests) -> list[str]:
    """Rules of those policies that let everybody, or everything, through."""
    found = []
    for key in policies(manifests):
        spec = manifests.documents[key].get("spec") or {}
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction) or ():
                cidrs = [(each.get("ipBlock") or {}).get("cidr") for each in rule.get(peers) or ()]
                if not rule.get(peers) or "0.0.0.0/0" in cidrs:
                    found.append(f"{key}: {direction} {'from' if peers == 'from' else 'to'} everywhere")
    return found


def beyond_everybody(listed: str) -> list[str]:
    """The lines of ``kubectl auth can-i --list`` that are no account's by itself."""
    lines = [line.rstrip() for line in listed.splitlines()[1:] if line.strip()]
    return [line for line in lines if not _EVERYBODYS.search(line)]
