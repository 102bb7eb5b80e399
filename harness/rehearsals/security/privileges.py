"""What the target's pods and its role in PostgreSQL may do beyond what they need, from manifests and facts. Pure, but
for ``read_role``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg
import msgspec

from harness.model.manifests import Manifests
from harness.model.stack import Endpoints
from harness.rehearsals.security import layers
from harness.stack.manifests.spec import picks

Document = dict[str, Any]
#: A password in an address, among a driver's words, or under a key of YAML or JSON. One that is taken from a variable,
#: ``$(NAME)`` of Kubernetes' or ``$NAME`` of a shell's, stands elsewhere, and so does what a template puts in.
_PASSWORD_HELD = re.compile(
    r"""\w://[^\s/:@]*:(?!\$)[^\s/@]+@|password=["']?(?![\s"'&$])\S"""
    r"""|(?:^|[{,])[ \t]*(?:-[ \t]+)?["']?\w*password["']?[ \t]*:"""
    r"""[ \t]*["']?(?![\s"'$<{[#&*!|>]|(?:~|null|true|false|yes|no|on|off)["']?(?:[\s,}#]|\Z))\S""",
    re.IGNORECASE | re.MULTILINE,
)
_TAKEN = re.compile(r"\$\(\w+\)")
#: The one capability that Kubernetes' restricted standard lets a container add: a port below 1024.
_HARMLESS = "NET_BIND_SERVICE"
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
        raise to.database_failed(error) from error
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
    """Whether it is the account: by itself, as the user that it is at the API server, or in a group that it is in."""
    kind, name = subject.get("kind"), str(subject.get("name", ""))
    if kind == "ServiceAccount":
        return name == account
    if kind == "User":
        return name.startswith("system:serviceaccount:") and name.endswith(f":{account}")
    return kind == "Group" and name.startswith(("system:serviceaccounts", "system:auth"))


def of_host(manifests: Manifests) -> list[str]:
    """What of the node the pods may reach."""
    spec = pod(manifests)
    found = [name for name in _HOST if spec.get(name)]
    found += [f"hostPath {each['hostPath'].get('path')}" for each in spec.get("volumes") or () if "hostPath" in each]
    for each in containers(spec):
        security = each.get("securityContext") or {}
        found += [f"{each['name']}: privileged"] if security.get("privileged") else []
        added = (security.get("capabilities") or {}).get("add") or ()
        found += [f"{each['name']}: capability {name}" for name in added if name != _HARMLESS]
    return found


def containers(spec: Document) -> list[Document]:
    """All of a pod."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def unrestricted(manifests: Manifests) -> Iterator[str]:
    """What the pods' security context leaves open, as Kubernetes' restricted standard names it: what a container says
    goes before what its pod says."""
    spec = pod(manifests)
    for each in containers(spec):
        own = each.get("securityContext") or {}
        both = (spec.get("securityContext") or {}) | own
        if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
            yield f"{each['name']}: runAsNonRoot is not asked for"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{each['name']}: allowPrivilegeEscalation is not false"
        if "ALL" not in ((own.get("capabilities") or {}).get("drop") or ()):
            yield f"{each['name']}: capabilities are not dropped"
        if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{each['name']}: no seccompProfile is asked for"


def carries_api_token(manifests: Manifests) -> bool:
    """Whether the pods carry a token for the API server, which Kubernetes gives where nobody says otherwise."""
    spec = pod(manifests)
    account = manifests.documents.get(f"ServiceAccount/{spec.get('serviceAccountName', 'default')}", {})
    said = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    sources = [of for each in spec.get("volumes") or () for of in (each.get("projected") or {}).get("sources") or ()]
    mounted = [of["serviceAccountToken"] or {} for of in sources if "serviceAccountToken" in of]
    return said is not False or any(not each.get("audience") for each in mounted)  # no audience is the API server's


def in_clear(manifests: Manifests) -> list[str]:
    """Secrets that stand in the Deployment or in a ConfigMap: by the name of what holds them, or by what is held."""
    found = []
    for each in containers(pod(manifests)):
        for variable in each.get("env") or ():
            source = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            name, value = str(variable.get("name", "")), str(variable.get("value") or "")
            if _secret(name, value) or (source and layers.named(name)):
                found.append(f"{each['name']}: {name}")
        words = map(str, (*(each.get("command") or ()), *(each.get("args") or ())))
        found += [f"{each['name']}: word {n} of its command" for n, word in enumerate(words, 1) if _held(word)]
    for key, each in manifests.documents.items():
        if key.startswith("ConfigMap/"):
            found += [f"{key}: {name}" for name, value in (each.get("data") or {}).items() if _secret(name, str(value))]
            found += [f"{key}: {name}" for name in each.get("binaryData") or {} if layers.named(name)]
    return found


def _secret(name: str, value: str) -> bool:
    """Whether a variable or a key of a ConfigMap holds a secret: a value that is another variable's holds none."""
    return _held(value) or (layers.named(name, value) and bool(value) and _TAKEN.fullmatch(value) is None)


def _held(text: str) -> bool:
    """Whether a secret stands in a text."""
    return _PASSWORD_HELD.search(text) is not None or any(layers.held(text.encode()))


def policies(manifests: Manifests) -> dict[str, set[str]]:
    """The NetworkPolicies that select the pods, each with the directions that it restricts."""
    template = (
        manifests.documents.get(f"Deployment/{manifests.deployment.name}", {}).get("spec", {}).get("template", {})
    )
    labels = (template.get("metadata") or {}).get("labels") or {}
    found = {}
    for key, each in manifests.documents.items():
        spec = each.get("spec") or {}
        if key.startswith("NetworkPolicy/") and picks(spec.get("podSelector") or {}, labels):
            by_itself = ("Ingress", "Egress") if spec.get("egress") else ("Ingress",)  # as Kubernetes fills it in
            found[key] = set(spec.get("policyTypes") or by_itself)
    return found


def open_rules(manifests: Manifests) -> list[str]:
    """Rules of those policies that let everybody, or everything, through."""
    found = []
    for key in policies(manifests):
        spec = manifests.documents[key].get("spec") or {}
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction) or ():
                if not rule.get(peers) or any(map(_every_pod, rule[peers])) or _everywhere(rule[peers]):
                    found.append(f"{key}: {direction} {'from' if peers == 'from' else 'to'} everywhere")
    return found


def _every_pod(peer: Document) -> bool:
    """Whether a peer is every pod of every namespace. ``podSelector`` alone means the policy's own."""
    return peer.get("namespaceSelector") is not None and not any(
        any((peer.get(name) or {}).values()) for name in ("namespaceSelector", "podSelector")
    )


def _everywhere(peers: Iterable[Document]) -> bool:
    """Whether the blocks of a rule are, together, all addresses of a version of IP, whatever they leave out. What is no
    range is a name that a cluster's own stands for."""
    fours, sixes = list[ipaddress.IPv4Network](), list[ipaddress.IPv6Network]()
    for each in peers:
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network((each.get("ipBlock") or {}).get("cidr", ""), strict=False)
            fours.append(network) if isinstance(network, ipaddress.IPv4Network) else sixes.append(network)
    return any(each.prefixlen == 0 for each in ipaddress.collapse_addresses(fours)) or any(
        each.prefixlen == 0 for each in ipaddress.collapse_addresses(sixes)
    )


def beyond_everybody(listed: str) -> list[str]:
    """The lines of ``kubectl auth can-i --list`` that are no account's by itself."""
    lines = [line.rstrip() for line in listed.splitlines()[1:] if line.strip()]
    return [line for line in lines if not _EVERYBODYS.search(line)]
