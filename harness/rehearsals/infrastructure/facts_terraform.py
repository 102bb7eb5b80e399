"""What the Terraform of a repository says of what the document says. Pure.

What is wrong is counted by resource; one whose value stands in a file that is not read may be wrong. Of what the
document does print and is gone there is no fact; what it does not print is lacking.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from harness.base.message import gettext_noop
from harness.model.message import Message, Told, joined, message
from harness.rehearsals.infrastructure.types import Backend, Document, InfrastructurePlan, Repository
from harness.rehearsals.infrastructure.workflow import steps_of
from harness.rules.rule import Fact, FactsOf

_TIER = re.compile(r"db-custom-(\d+)-(\d+)")
_KMS_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_MAKES = re.compile(r"\bclusters\s+create\b")
_ROLE = re.compile(r"roles/[A-Za-z0-9_.]+")
_ROLES = {
    "cloud_sql.ungranted": "roles/cloudsql.client",
    "secret_manager.ungranted": "roles/secretmanager.secretAccessor",
}
#: How a member begins that is no account of a service.
_PEOPLE = ("user:", "group:", "domain:", "allUsers", "allAuthenticatedUsers")
#: Cloud SQL's rule for db-custom-CPUS-MEGABYTES.
_LEAST_MB, _STEP_MB, _LEAST_MB_A_CPU, _MOST_MB_A_CPU = 3840, 256, 922, 6656
_MOST_LOG_DAYS = 7  # Cloud SQL Enterprise
_KEY_BYTES = 32
_BACKUP_ON = ("enabled", "point_in_time_recovery_enabled")
_GRANTS = {
    "grants.found": gettext_noop("grants of a role: {seen}"),
    **dict.fromkeys(_ROLES, gettext_noop("roles that the API needs and has not: {seen} of {of} ({why})")),
}
_MISSING = gettext_noop("what the document uses, without a resource: {seen} ({names})")
PHRASES = {
    "layout.missing": gettext_noop("files of the layout that are missing: {seen} of {of} ({names})"),
    "environments.empty": gettext_noop("environments without a file: {seen} of {of} ({counts})"),
    "environments.differing": gettext_noop("files that are not in each: {seen} ({names})"),
    "clusters.managed": gettext_noop("resources google_container_cluster: {seen}"),
    "autopilot.off": gettext_noop("clusters without Autopilot: {seen} of {of} ({why})"),
    "pool.wrong": gettext_noop("clusters without their workload pool: {seen} of {of} ({why})"),
    "private.unasked": gettext_noop("clusters made without private nodes: {seen} of {of} ({why})"),
    "databases.managed": gettext_noop("resources google_sql_database_instance: {seen}"),
    "tier.refused": gettext_noop("tiers that Cloud SQL refuses: {seen} of {of} ({why})"),
    "tier.in_gigabytes": gettext_noop("tiers of which gigabytes were meant: {seen} of {of} ({why})"),
    "version.other": gettext_noop("databases of another version: {seen} of {of} ({why})"),
    "availability.other": gettext_noop("databases of another availability: {seen} of {of} ({why})"),
    "backup.off": gettext_noop("databases without backups: {seen} of {of} ({why})"),
    "backup.elsewhen": gettext_noop("databases that are backed up at another hour: {seen} of {of} ({why})"),
    "log_days.wrong": gettext_noop("databases whose logs Cloud SQL does not keep so long: {seen} of {of} ({why})"),
    "backends.found": gettext_noop("backends of Terraform's state: {seen}"),
    "state.wrong": gettext_noop("states that are not in Cloud Storage under a key of KMS: {seen} of {of} ({why})"),
    "state.key_as_path": gettext_noop("states of which the key is a path: {seen} of {of} ({why})"),
    **_GRANTS,
    "services.missing": _MISSING,
    "services.missing_in_phase_2": _MISSING,
    "services.by_hand": gettext_noop("what is made by hand: {seen} ({names})"),
}


class SettingFound(NamedTuple):
    """What was found of one thing: whether it is ``wrong`` (``None``: it is not read), and why."""

    wrong: bool | None
    told: Told


def facts(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """All of Terraform."""
    yield from _layout(fact, plan, found)
    yield from _cluster(fact, plan, found)
    yield from _database(fact, plan, found)
    yield from _state(fact, plan, found)
    yield from _roles(fact, plan, found)
    yield from _everything(fact, plan, found)


def counted(fact: FactsOf, name: str, found: Sequence[SettingFound]) -> Fact:
    """How many are wrong, and may be; with the first of the worst."""
    wrong, unread = ([each for each in found if each.wrong is is_] for is_ in (True, None))
    why = joined((wrong or unread or found)[0].told)
    return fact(name, len(wrong), high=len(wrong) + len(unread), of=len(found), why=why)


def either(
    fact: FactsOf, one: str, of_one: Sequence[SettingFound], other: str, of_other: Sequence[SettingFound]
) -> Iterator[Fact]:
    """Two ways to be wrong; where anything is, what is not read changes nothing."""
    both = {one: of_one, other: of_other}
    wrong = any(each.wrong for found in both.values() for each in found)
    for name, found in both.items():
        yield counted(fact, name, [each._replace(wrong=bool(each.wrong)) if wrong else each for each in found])


def unprinted(fact: FactsOf, names: Iterable[str], what: Message) -> Iterable[Fact]:
    """Instead of facts on what the document prints nothing of."""
    why = message("the document prints no {what}: read a repository of your own by --repository", what=what)
    return fact.none(*names, lacks=(why,))


def first(block: Document, *names: str) -> Document:
    """The first block of a block, and so on; {} where there is none."""
    for name in names:
        found = block.get(name)
        block = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return block


def elsewhere(value: object) -> bool:
    """Whether the value of an attribute is that of a variable or a local: it stands in a file that is not read."""
    return isinstance(value, str) and "${" in value


def unread(name: str, value: object) -> SettingFound:
    """A value that is elsewhere."""
    return SettingFound(None, (message("{name} is {value}, which is not read", name=name, value=str(value)),))


def listed(names: Iterable[str]) -> str:
    """Names, one after the other."""
    return ", ".join(names) or "–"


def commands(found: Repository) -> list[str]:
    """What the scripts and the steps of workflows run, each with what continues it."""
    return [*found.scripts, *(line for step in steps_of(found.workflows.values()) for line in step.lines)]


def _layout(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    """The files of the layout; and a folder for each environment, of the same files: what differs are values."""
    layout = plan.tables.layout
    wanted = [f"environments/{each}/{name}" for each in layout.environments for name in layout.environment_files]
    wanted += [f"modules/{each}/{name}" for each in layout.modules for name in layout.module_files]
    missing = [each for each in wanted if not any(f"/{name}".endswith(f"/{each}") for name in found.files)]
    told = fact("layout.missing", len(missing), of=len(wanted), names=listed(missing))
    counts = {"missing": str(len(missing)), "all": str(len(wanted))}
    left_out = message("{missing} of {all} files of the layout are not printed", **counts)
    yield from fact.none(told.name, lacks=(left_out,)) if plan.printed and missing else (told,)
    there: dict[str, set[str]] = {each: set() for each in layout.environments}
    for name in found.files:
        if match := re.search(r"(?:^|/)environments/([^/]+)/(.+)", name):
            there.setdefault(match[1], set()).add(match[2])
    empty = [name for name, files in there.items() if not files]
    counted_ = listed(f"{name} ({len(of)})" for name, of in there.items())
    if plan.printed and empty:
        lacks = (message("environments: {names}", names=counted_),)
        yield from fact.none("environments.empty", "environments.differing", lacks=lacks)
        return
    every = set().union(*there.values())
    differ = sorted({name for name in every for files in there.values() if name not in files})
    yield fact("environments.empty", len(empty), of=len(there), counts=counted_)
    yield fact("environments.differing", len(differ), names=listed(differ))


def _cluster(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    clusters = [each.attributes for each in found.of("google_container_cluster")]
    if clusters or not plan.printed:
        yield fact("clusters.managed", len(clusters))
    if clusters:
        yield counted(fact, "autopilot.off", [_autopilot(each) for each in clusters])
        yield counted(fact, "pool.wrong", [_pool(each) for each in clusters])
        yield counted(fact, "private.unasked", [*_private(clusters, found)])


def _private(clusters: Iterable[Document], found: Repository) -> Iterator[SettingFound]:
    """Of each resource and command that makes a cluster."""
    name, told = "enable_private_nodes", (message("private nodes are asked for wherever a cluster is made"),)
    not_asked = message("neither every resource nor every command that makes a cluster asks for private nodes")
    for each in clusters:
        said = first(each, "private_cluster_config").get(name)
        yield (
            unread(name, said)
            if elsewhere(said)
            else SettingFound(said is not True, told if said is True else (not_asked,))
        )
    for command in filter(_MAKES.search, commands(found)):
        asked = "--enable-private-nodes" in command
        yield SettingFound(not asked, told if asked else (not_asked,))


def _autopilot(cluster: Document) -> SettingFound:
    said = cluster.get("enable_autopilot")
    if elsewhere(said):
        return unread("enable_autopilot", said)
    return SettingFound(said is not True, (message("enable_autopilot is {value}", value=str(said).lower()),))


def _pool(cluster: Document) -> SettingFound:
    pool = first(cluster, "workload_identity_config").get("workload_pool", "")
    if not pool:
        alone = _autopilot(cluster)
        by_itself = message("no workload pool is named, and Autopilot has it by itself")
        without = message("no workload pool is named, which Autopilot alone has by itself")
        return SettingFound(alone.wrong, (by_itself if alone.wrong is False else without, *alone.told))
    right = str(pool).endswith(".svc.id.goog")
    if elsewhere(pool) and not right:
        return unread("workload_pool", pool)
    told = message("the workload pool {pool} stands beside enable_autopilot", pool=str(pool))
    return SettingFound(not right, (told,))


def _database(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    databases = found.of("google_sql_database_instance")
    if databases or not plan.printed:
        yield fact("databases.managed", len(databases))
    # A replica is backed up by its primary.
    primaries = [each for each in databases if "master_instance_name" not in each.attributes] or databases
    every = [first(each.attributes, "settings") for each in primaries]
    if not every:
        return
    tiers = [str(settings.get("tier", "")) for settings in every]
    refused, in_gigabytes = ([_tier(each, gigabytes=is_) for each in tiers] for is_ in (False, True))
    yield from either(fact, "tier.refused", refused, "tier.in_gigabytes", in_gigabytes)
    for name, attribute, value in (
        ("version.other", "database_version", "POSTGRES_15"), ("availability.other", "availability_type", "REGIONAL"),
    ):  # fmt: skip
        said = [of.get(attribute, each.attributes.get(attribute)) for of, each in zip(every, primaries, strict=True)]
        yield counted(fact, name, [_as_printed(attribute, value, each) for each in said])
    backups = [first(settings, "backup_configuration") for settings in every]
    elsewhen = [_backup_elsewhen(plan, backup) for backup in backups]
    yield from either(fact, "backup.off", [_backup_off(each) for each in backups], "backup.elsewhen", elsewhen)
    yield counted(fact, "log_days.wrong", [_retention(backup) for backup in backups])


def _as_printed(name: str, value: str, said: object) -> SettingFound:
    if elsewhere(said):
        return unread(name, said)
    there = "–" if said is None else str(said)
    told = message("{name} is {there}, printed: {value}", name=name, there=there, value=value)
    return SettingFound(said != value, (told,))


def _retention(backup: Document) -> SettingFound:
    days = backup.get("transaction_log_retention_days")
    if elsewhere(days):
        return unread("transaction_log_retention_days", days)
    kept = isinstance(days, int) and 1 <= days <= _MOST_LOG_DAYS
    said = "–" if days is None else str(days)
    told = message("{days} days of logs; Cloud SQL keeps 1 to {most}", days=said, most=str(_MOST_LOG_DAYS))
    return SettingFound(not kept, (told,))


def _tier(tier: str, *, gigabytes: bool) -> SettingFound:
    """Whether it is refused; with ``gigabytes``, whether that is for its megabytes are less than the step."""
    match = _TIER.fullmatch(tier)
    if match is None:
        told = message("the tier {tier} is no db-custom-CPUS-MEGABYTES", tier=tier or "–")
        return SettingFound(False if gigabytes else None, (told,))
    cpus, megabytes = int(match[1]), int(match[2])
    told = message("{tier} asks for {cpus} processors and {mb} MB", tier=tier, cpus=match[1], mb=match[2])
    least = max(_LEAST_MB, _LEAST_MB_A_CPU * cpus)
    right = megabytes % _STEP_MB == 0 and least <= megabytes <= _MOST_MB_A_CPU * cpus and (cpus == 1 or cpus % 2 == 0)
    if right or (megabytes < _STEP_MB) is not gigabytes:
        return SettingFound(False, (told,))
    why = message(
        "Cloud SQL refuses it: a multiple of {step} MB, from {least} MB", step=str(_STEP_MB), least=str(least)
    )
    return SettingFound(True, (told, why))


def _backup_off(backup: Document) -> SettingFound:
    for name in ("start_time", *_BACKUP_ON):
        if elsewhere(backup.get(name)):
            return unread(name, backup[name])
    on = all(backup.get(name) is True for name in _BACKUP_ON)
    time = str(backup.get("start_time", ""))
    if _hour(backup) is None or not on:
        told = message("backups and recovery to a moment are not both on, or have no time: {time}", time=time or "–")
        return SettingFound(True, (told,))
    return SettingFound(False, (message("backups and recovery to a moment are on"),))


def _backup_elsewhen(plan: InfrastructurePlan, backup: Document) -> SettingFound:
    """One that has no time is off, and not at another."""
    if (match := _hour(backup)) is None:
        return SettingFound(False, (message("it has no time"),))
    hour = (int(match[1]) + plan.tables.utc_offset_hours) % 24
    there = f"{hour:02d}:{match[2]}"
    told = message(
        "{time} is read as UTC: {there} where the document runs, which says {asked}",
        time=match[0],
        there=there,
        asked=plan.tables.backup_at,
    )
    return SettingFound(there != plan.tables.backup_at, (told,))


def _hour(backup: Document) -> re.Match[str] | None:
    return re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(backup.get("start_time", "")))


def _state(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    if found.backends or not plan.printed:
        yield fact("backends.found", len(found.backends))
    if not found.backends:
        return
    bare = _without_a_state(found)
    why = message("no backend in {folders}: that state stays where Terraform was run", folders=listed(bare))
    without = [SettingFound(True, (why,)) for _ in bare]
    kept = without or [_kept(each) for each in found.backends]  # a state that lies nowhere is the first thing to mend
    yield from either(fact, "state.wrong", kept, "state.key_as_path", [_as_path(each) for each in found.backends])


def _kept(backend: Backend) -> SettingFound:
    key, said = _key(backend), backend.attributes
    if key == "elsewhere":
        return unread("encryption_key", said.get("kms_encryption_key") or said["encryption_key"])
    # Whether its settings stand elsewhere: without a bucket it could not be used as it is
    if backend.kind == "gcs" and _key(backend) == "none" and "bucket" not in backend.attributes:
        return SettingFound(
            None, (message("{file}: the backend's settings are given to terraform init", file=backend.file),)
        )
    told = message(
        "{file}: backend {kind}, encrypted by {what}", file=backend.file, kind=backend.kind, what=_NAMES[key]
    )
    return SettingFound((backend.kind, key) not in (("gcs", "kms"), ("gcs", "kms path")), (told,))


def _as_path(backend: Backend) -> SettingFound:
    """The document's own mistake."""
    if backend.kind == "gcs" and _key(backend) == "kms path":
        why = message("encryption_key takes 32 bytes in base64: a path of KMS is refused there")
        return SettingFound(True, (*_kept(backend).told, why))
    return SettingFound(False, (message("no path stands for a key"),))


def _without_a_state(found: Repository) -> list[str]:
    """The folders of environments that have Terraform, and no backend."""
    named = (re.match(r"((?:.*/)?environments/[^/]+)/.*\.tf$", name) for name in found.files)
    folders = {match[1] for match in named if match}
    return sorted(each for each in folders if not any(of.file.startswith(f"{each}/") for of in found.backends))


_NAMES = {
    "kms": message("a key of KMS"),
    "kms path": message("the path of a key of KMS, as if it were the key itself"),
    "customer": message("a key of the customer's"),
    "none": message("Google's own key alone"),
}


def _key(backend: Backend) -> str:
    """What encrypts a state."""
    kms, own = (str(backend.attributes.get(name, "")) for name in ("kms_encryption_key", "encryption_key"))
    if elsewhere(kms) or elsewhere(own):
        return "elsewhere"
    if kms:
        return "kms" if _KMS_KEY.fullmatch(kms) else "none"
    if _KMS_KEY.fullmatch(own):
        return "kms path"
    try:
        return "customer" if len(base64.b64decode(own, validate=True)) == _KEY_BYTES else "none"
    except ValueError:
        return "none"


def _roles(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    granting = [each.attributes for each in found.resources if "_iam_" in each.kind]
    if not granting and plan.printed:
        yield from unprinted(fact, _GRANTS, message("grant of a role"))
        return
    yield fact("grants.found", len(granting))
    to_people = [each for each in granting if _of_people(each)]
    granted, of_people = _granted(each for each in granting if each not in to_people), _granted(to_people)
    told = [message("granted: {roles}", roles=listed(sorted(granted)))]
    if alone := of_people - granted:
        told.append(message("to people alone: {roles}", roles=listed(sorted(alone))))
    open_ = [_said(each) for each in granting if not _granted([each]) and elsewhere(_said(each))]
    for name, role in _ROLES.items() if granting else ():
        lacks = role not in granted
        yield counted(fact, name, [unread("role", open_[0]) if lacks and open_ else SettingFound(lacks, tuple(told))])


def _said(grant: Document) -> object:
    """The role of a grant as it stands, or the policy that has all of them."""
    return grant.get("role", grant.get("policy_data"))


def _granted(grants: Iterable[Document]) -> set[str]:
    """The roles that they name: where a role is that of each, those that they go through."""
    found = [(_said(each), each.get("for_each") if "each." in str(_said(each)) else None) for each in grants]
    return set(_ROLE.findall(json.dumps(found)))


def _of_people(grant: Document) -> bool:
    """Whether nobody but people is given it; who is named elsewhere may be the service's account."""
    members = [grant["member"]] if "member" in grant else grant.get("members")
    return isinstance(members, list) and bool(members) and all(str(each).startswith(_PEOPLE) for each in members)


def _everything(fact: FactsOf, plan: InfrastructurePlan, found: Repository) -> Iterator[Fact]:
    kinds = {each.kind for each in found.resources}
    missing = [name for name, of in plan.tables.services.items() if not kinds & set(of)]
    by_hand = [each for each in found.scripts if re.search(r"\bcreate(-auto)?\b", each)]
    early = [each for each in plan.tables.of_phase_2 if each in missing]
    yield fact("services.missing", len(missing), names=listed(missing))
    yield fact("services.missing_in_phase_2", len(early), names=listed(early))
    yield fact("services.by_hand", len(by_hand), names=listed(by_hand))
