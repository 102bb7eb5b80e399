"""Deployments that are insecure in one way each, with the check that must find it, and what looks so and is not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.model.command import Ran
from harness.model.manifests import Manifests
from harness.rehearsals.security import layers
from harness.rehearsals.security.privileges import Role
from tests.security.image import KEY, archive
from tests.security.in_process import manifests


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong beside the target, as ``parts`` of the ground. ``finds`` is the check that must find it."""

    name: str
    parts: Callable[[], dict[str, Any]]
    finds: str


def _with(change: Callable[[dict[str, Any]], object], **documents: Any) -> Callable[[], dict[str, Any]]:
    """The manifests with another pod, and with more documents."""

    def parts() -> dict[str, Any]:
        found = manifests()
        whole = msgspec.json.decode(msgspec.json.encode(found.documents)) | documents
        change(whole[f"Deployment/{found.deployment.name}"]["spec"]["template"]["spec"])
        return {"manifests": msgspec.structs.replace(found, documents=whole)}

    return parts


def _same(_pod: dict[str, Any]) -> None:
    """The pods are right."""


def _granting(pod: dict[str, Any]) -> None:
    pod["serviceAccountName"] = "tekutoko-api-sa"


_BINDING = {
    "kind": "RoleBinding", "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "tekutoko-api-sa"}],
}  # fmt: skip


def _policy(selector: dict[str, Any] | None = None, **spec: Any) -> Callable[[], dict[str, Any]]:
    """The manifests with a NetworkPolicy of the pods that ``selector`` names, all by default."""
    document = {"kind": "NetworkPolicy", "spec": {"podSelector": selector or {}, **spec}}
    return _with(_same, **{"NetworkPolicy/x": document})


def _ingress(*peers: dict[str, Any]) -> dict[str, Any]:
    return {"ingress": [{"from": [*peers], "ports": [{"port": 8080}]}]}


def _variable(name: str, value: str) -> Callable[[], dict[str, Any]]:
    """The API's container with one more variable."""
    return _with(lambda pod: pod["containers"][0]["env"].append({"name": name, "value": value}))


def _word(word: str) -> Callable[[], dict[str, Any]]:
    """The API's container with one more word of its command."""
    return _with(lambda pod: pod["containers"][0].update(args=[*pod["containers"][0].get("args", ()), word]))


def _config(**data: str) -> Callable[[], dict[str, Any]]:
    return _with(_same, **{"ConfigMap/x": {"kind": "ConfigMap", "data": data}})


def _capability(name: str) -> Callable[[], dict[str, Any]]:
    return _with(lambda pod: pod["containers"][0].update(securityContext={"capabilities": {"add": [name]}}))


def _bound(**subject: str) -> Callable[[], dict[str, Any]]:
    return _with(_granting, **{"RoleBinding/x": _BINDING | {"subjects": [subject]}})


_AN_APP = {"podSelector": {"matchLabels": {"app": "edge"}}}
_NAMES_IT = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["tekutoko-api", "other"]}]}
_ANOTHERS = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["tekutoko-api"]}]}


def _can_i(more: str) -> Callable[..., Any]:
    listed = (
        "Resources                                       Non-Resource URLs   Resource Names   Verbs\n"
        "selfsubjectreviews.authentication.k8s.io        []                  []               [create]\n"
        "selfsubjectaccessreviews.authorization.k8s.io   []                  []               [create]\n"
        "                                                [/api/*]            []               [get]\n"
        "                                                [/healthz]          []               [get]\n"
        "                                                [/openid/v1/jwks]   []               [get]\n"
    )

    async def kubectl(*words: str) -> Ran:
        output = listed + more if "can-i" in words else "rehearsal"
        return Ran(command=" ".join(words), status=0, output=output)

    return kubectl


def kubectl_of(more: str = "") -> dict[str, Any]:
    """An API server that lets the pods' account do what every account may, and ``more``."""
    return {"kubectl": _can_i(more)}


async def _superuser() -> Role:
    return Role(name="tekutoko", superuser=True, member_of=("pg_read_server_files",))


async def _with_a_key() -> list[str]:
    """The last layer takes the key away again, as a Dockerfile that copies one for a build does."""
    with tempfile.TemporaryDirectory() as folder:
        image = archive(Path(folder) / "image.tar", [{"root/.ssh/id_ed25519": KEY}, {"root/.ssh/.wh.id_ed25519": b""}])
        return [*layers.found("image", image)]


_BY = "privilege.policy_open"
_CLEAR = "privilege.in_clear"
DEPLOYED = (
    Deployed(name="default_account", parts=_with(lambda pod: pod.pop("serviceAccountName")), finds="privilege.account"),
    Deployed(name="admin_binding", parts=_with(_granting, **{"RoleBinding/x": _BINDING}), finds="privilege.granted"),
    Deployed(
        name="user_binding", finds="privilege.granted",
        parts=_bound(kind="User", name="system:serviceaccount:default:tekutoko-api-sa"),
    ),
    Deployed(name="host_network", parts=_with(lambda pod: pod.update(hostNetwork=True)), finds="privilege.host"),
    Deployed(name="reads_the_clock_s_device", parts=_capability("SYS_TIME"), finds="privilege.host"),
    Deployed(name="password_in_clear", parts=_variable("DB_PASSWORD", "x"), finds=_CLEAR),
    Deployed(name="dollar_in_clear", parts=_variable("DB_PASSWORD", "$ecret"), finds=_CLEAR),
    Deployed(name="url_in_clear", parts=_variable("DATABASE_URL", "postgres://u:pw@127.0.0.1/walks"), finds=_CLEAR),
    Deployed(name="words_in_clear", parts=_variable("DSN", "host=127.0.0.1 password='pw' user=u"), finds=_CLEAR),
    Deployed(name="command_in_clear", parts=_word("--database=postgres://u:pw@127.0.0.1/walks"), finds=_CLEAR),
    Deployed(name="config_in_clear", parts=_config(database_url="postgres://u:pw@127.0.0.1/walks"), finds=_CLEAR),
    Deployed(name="yaml_in_clear", parts=_config(**{"config.yaml": "database:\n  password: pw\n"}), finds=_CLEAR),
    Deployed(name="json_in_clear", parts=_config(**{"c.json": '{"db": {"port": 1, "password": "pw"}}'}), finds=_CLEAR),
    Deployed(name="like_a_null_in_clear", parts=_config(**{"c.yaml": "db:\n  password: ~pw\n"}), finds=_CLEAR),
    Deployed(name="key_in_clear", parts=_config(firebase_credentials=KEY.decode()), finds=_CLEAR),
    Deployed(name="open_policy", parts=_policy(ingress=[{}], policyTypes=["Ingress"]), finds=_BY),
    Deployed(name="open_by_expressions", parts=_policy(_NAMES_IT, ingress=[{}]), finds=_BY),
    Deployed(name="open_to_all_of_ipv6", parts=_policy(**_ingress({"ipBlock": {"cidr": "::/0"}})), finds=_BY),
    Deployed(
        name="open_to_two_halves", finds=_BY,
        parts=_policy(**_ingress({"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}})),
    ),
    Deployed(name="open_to_all_namespaces", parts=_policy(**_ingress(_AN_APP, {"namespaceSelector": {}})), finds=_BY),
    Deployed(
        name="open_to_all_pods", finds=_BY,
        parts=_policy(egress=[{"to": [{"namespaceSelector": {"matchLabels": {}}, "podSelector": {}}]}]),
    ),
    Deployed(
        name="reads_secrets", finds="privilege.can_i",
        parts=lambda: kubectl_of("secrets                                         []                  []               [get list]\n"),
    ),
    Deployed(name="key_in_a_layer", parts=lambda: {"images": _with_a_key}, finds="secret.images"),
    Deployed(name="superuser", parts=lambda: {"role": _superuser}, finds="privilege.database"),
)  # fmt: skip

#: What looks like a hole and is none, each with the check that must not take it for one.
HARMLESS = (
    Deployed(name="another_s_binding", parts=_bound(kind="User", name="tekutoko-api-sa"), finds="privilege.granted"),
    Deployed(name="a_port_below_1024", parts=_capability("NET_BIND_SERVICE"), finds="privilege.host"),
    Deployed(
        name="url_of_a_variable", finds=_CLEAR,
        parts=_variable("DATABASE_URL", "postgres://u:$(DB_PASSWORD)@127.0.0.1/walks"),
    ),
    Deployed(name="url_without_password", parts=_variable("DATABASE_URL", "postgres://u@127.0.0.1/w"), finds=_CLEAR),
    Deployed(name="another_variable", parts=_variable("PGPASSWORD_TOO", "$(DB_PASSWORD)"), finds=_CLEAR),
    Deployed(name="where_it_lies", parts=_variable("DB_PASSWORD_FILE", "/secrets/password"), finds=_CLEAR),
    Deployed(
        name="keys_of_what_is_elsewhere", finds=_CLEAR,
        parts=_config(
            **{
                "config.yaml": "a:\n  password: ${DB_PASSWORD}\n  password_file: /x\nb:\n  password:\n    type: string\n",
                "schema.json": '{"password": {"type": "string"}, "old_password": null, "db_password": ""}',
                "words": "Your password: at least 8 letters\n",
                "template": 'db:\n- password: "{{ password }}"\n',
            }
        ),
    ),
    Deployed(name="how_long_it_is_good", parts=_config(ACCESS_TOKEN_EXPIRE_MINUTES="30"), finds=_CLEAR),
    Deployed(
        name="settings_about_one", finds=_CLEAR,
        parts=_config(SECRET_MANAGER_PROJECT_ID="walks", TOKEN_LEEWAY="30s", API_KEY_HEADER="X-Key", CHECK_TOKEN="true"),
    ),
    Deployed(
        name="none_in_yaml", finds=_CLEAR,
        parts=_config(**{"c.yaml": "a:\n  password: ~\n  old_password: ~ # none\n  ask_password: yes\n"}),
    ),
    Deployed(name="what_it_is_called", parts=_variable("DB_PASSWORD_SECRET_NAME", "walks-db"), finds=_CLEAR),
    Deployed(name="words_of_a_variable", parts=_word("host=db password=$(DB_PASSWORD) user=u"), finds=_CLEAR),
    Deployed(name="words_of_a_shell", parts=_word('exec api --dsn "password="$PGPASSWORD""'), finds=_CLEAR),
    Deployed(name="another_s_address", parts=_config(url="https://example.test:8080/a@b"), finds=_CLEAR),
    Deployed(name="policy_of_other_pods", parts=_policy(_ANOTHERS, ingress=[{}]), finds=_BY),
    Deployed(name="own_namespace", parts=_policy(**_ingress({"podSelector": {}})), finds=_BY),
    Deployed(
        name="one_app_of_all_namespaces", parts=_policy(**_ingress(_AN_APP | {"namespaceSelector": {}})), finds=_BY
    ),
    Deployed(
        name="half_of_all_and_a_name", finds=_BY,
        parts=_policy(**_ingress({"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "NODE_RANGE"}})),
    ),
)  # fmt: skip


def of_policy(**spec: Any) -> Manifests:
    """The manifests with a NetworkPolicy of all pods."""
    found: Manifests = _policy(**spec)()["manifests"]
    return found


def in_context(of_pod: dict[str, Any], own: dict[str, Any]) -> Manifests:
    """The manifests whose pods say ``of_pod`` of their security, and each container ``own``."""

    def change(pod: dict[str, Any]) -> None:
        pod["securityContext"] = of_pod
        for each in (*pod["containers"], *pod.get("initContainers", ())):
            each["securityContext"] = own

    found: Manifests = _with(change)()["manifests"]
    return found


def with_token(source: dict[str, str]) -> Manifests:
    """The manifests whose pods are given no token but one of a volume."""
    volume = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token", **source}}]}}
    change = {"automountServiceAccountToken": False, "volumes": [volume]}
    found: Manifests = _with(lambda pod: pod.update(change))()["manifests"]
    return found
