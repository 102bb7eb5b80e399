"""What the Terraform of a repository says, against what the document says of it. Pure.

What the document does not print is not exercised of the document, and is not kept by a repository that has it not.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.judge.claimed import held, not_exercised, shown_as, unknown
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.infrastructure.types import Backend, Document, InfrastructurePlan, Repository
from harness.rehearsals.infrastructure.workflow import steps_of

_TIER = re.compile(r"db-custom-(\d+)-(\d+)")
_KMS_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_MAKES = re.compile(r"\bclusters\s+create\b")
_ROLE = re.compile(r"roles/[A-Za-z0-9_.]+")
_ROLES = {
    "security.iam.cloud_sql": "roles/cloudsql.client",
    "security.iam.secret_manager": "roles/secretmanager.secretAccessor",
}
_UNPRINTED = {*_ROLES, "security.scan.dependabot", "phase2.dockerfile"}
#: How a member begins that is no account of a service.
_PEOPLE = ("user:", "group:", "domain:", "allUsers", "allAuthenticatedUsers")
#: Cloud SQL's rule for db-custom-CPUS-MEGABYTES.
_LEAST_MB, _STEP_MB, _LEAST_MB_A_CPU, _MOST_MB_A_CPU = 3840, 256, 922, 6656
_MOST_LOG_DAYS = 7  # Cloud SQL Enterprise
_KEY_BYTES = 32
_BACKUP_ON = ("enabled", "point_in_time_recovery_enabled")
#: Attributes of the instance, or of its settings, that are to have the value which the document prints.
_PRINTED = {
    "iac.database.version": ("database_version", "POSTGRES_15"),
    "iac.database.ha": ("availability_type", "REGIONAL"),
}
_WORST = (Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE, Verdict.PASS)


def terraform(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    """Each claim on Terraform."""
    yield _layout(plan, found)
    yield _environments(plan, found)
    yield from _cluster(plan, found)
    yield from _database(plan, found)
    yield from _state(plan, found)
    yield from _roles(plan, found)
    yield from _everything(plan, found)


def absent(plan: InfrastructurePlan, claim: str, what: Message, *also: str) -> Iterator[Judgement]:
    """Nothing of ``claim`` is in the files. Of what the document does print, nothing is known then."""
    for each in (claim, *also):
        if not plan.printed:
            yield held("", each, False, message("there is no {what}", what=what))
        elif each in _UNPRINTED:
            why = message("the document prints no {what}: read a repository of your own by --repository", what=what)
            yield not_exercised("", each, why)


def first(block: Document, *names: str) -> Document:
    """The first block of a block, and so on; {} where there is none."""
    for name in names:
        found = block.get(name)
        block = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return block


def _layout(plan: InfrastructurePlan, found: Repository) -> Judgement:
    layout, claim = plan.tables.layout, "iac.layout"
    wanted = [f"environments/{each}/{name}" for each in layout.environments for name in layout.environment_files]
    wanted += [f"modules/{each}/{name}" for each in layout.modules for name in layout.module_files]
    missing = [each for each in wanted if not any(f"/{name}".endswith(f"/{each}") for name in found.files)]
    told = message(
        "{there} of {all} files of the layout are there", there=str(len(wanted) - len(missing)), all=str(len(wanted))
    )
    if plan.printed and missing:
        return not_exercised("", claim, told)
    lacks = (message("missing: {files}", files=", ".join(missing)),) if missing else ()
    return held("", claim, not missing, told, *lacks)


def _environments(plan: InfrastructurePlan, found: Repository) -> Judgement:
    """A folder for each, of the same files: what differs are values."""
    claim, also = "iac.secrets.environments", ("checklist.iac.environments",)
    there: dict[str, set[str]] = {each: set() for each in plan.tables.layout.environments}
    for name in found.files:
        if match := re.search(r"(?:^|/)environments/([^/]+)/(.+)", name):
            there.setdefault(match[1], set()).add(match[2])
    empty = [name for name, files in there.items() if not files]
    told = message("environments: {names}", names=", ".join(f"{name} ({len(of)})" for name, of in there.items()))
    if plan.printed and empty:
        return not_exercised("", claim, told, also=also)
    every = set().union(*there.values())
    differ = sorted({name for name in every for files in there.values() if name not in files})
    lacks = (message("not in each: {files}", files=", ".join(differ)),) if differ else ()
    return held("", claim, not empty and not differ, told, *lacks, also=also)


def _cluster(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    clusters = found.of("google_container_cluster")
    if not clusters:
        names = ("iac.workload_pool", "security.network.private_nodes")
        yield from absent(plan, "iac.autopilot", message("resource {kind}", kind="google_container_cluster"), *names)
        return
    for claim, of in (("iac.autopilot", _autopilot), ("iac.workload_pool", _pool)):
        yield worst([of(claim, each.attributes) for each in clusters])
    yield _private([first(each.attributes, "private_cluster_config") for each in clusters], found)


def commands(found: Repository) -> list[str]:
    """What the scripts and the steps of workflows run, each with what continues it."""
    return [*found.scripts, *(line for step in steps_of(found.workflows.values()) for line in step.lines)]


def _private(configured: Sequence[Document], found: Repository) -> Judgement:
    claim, name = "security.network.private_nodes", "enable_private_nodes"
    said = [each.get(name) for each in configured]
    asked = ["--enable-private-nodes" in each for each in commands(found) if _MAKES.search(each)]
    if not all(asked) or not all(value is True or elsewhere(value) for value in said):
        why = message("neither every resource nor every command that makes a cluster asks for private nodes")
        return shown_as("", "security.private_nodes_not_asked_for", why, claim=claim)
    if unread := [*filter(elsewhere, said)]:
        return left_open(claim, name, unread[0])
    return held("", claim, True, message("private nodes are asked for wherever a cluster is made"))


def _autopilot(claim: str, cluster: Document) -> Judgement:
    said = cluster.get("enable_autopilot")
    if elsewhere(said):
        return left_open(claim, "enable_autopilot", said)
    return held("", claim, said is True, message("enable_autopilot is {value}", value=str(said).lower()))


def _pool(claim: str, cluster: Document) -> Judgement:
    pool = first(cluster, "workload_identity_config").get("workload_pool", "")
    if not pool:
        alone = _autopilot(claim, cluster)
        by_itself = message("no workload pool is named, and Autopilot has it by itself")
        without = message("no workload pool is named, which Autopilot alone has by itself")
        why = by_itself if alone.verdict is Verdict.PASS else without
        return msgspec.structs.replace(alone, told=(why, *alone.told))
    told = message("the workload pool {pool} stands beside enable_autopilot", pool=str(pool))
    if elsewhere(pool) and not str(pool).endswith(".svc.id.goog"):
        return left_open(claim, "workload_pool", pool)
    return held("", claim, str(pool).endswith(".svc.id.goog"), told)


def _database(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    databases = found.of("google_sql_database_instance")
    if not databases:
        names = ("iac.database.backup", "iac.database.log_retention", *_PRINTED)
        yield from absent(
            plan, "iac.database.tier", message("resource {kind}", kind="google_sql_database_instance"), *names
        )
        return
    # A replica is backed up by its primary.
    primaries = [each for each in databases if "master_instance_name" not in each.attributes] or databases
    every = [first(each.attributes, "settings") for each in primaries]
    yield worst([_tier(str(settings.get("tier", ""))) for settings in every])
    for claim, (name, value) in _PRINTED.items():
        said = [first(each.attributes, "settings").get(name, each.attributes.get(name)) for each in primaries]
        yield worst([_as_printed(claim, name, value, each) for each in said])
    backups = [first(settings, "backup_configuration") for settings in every]
    yield worst([_backup(plan, backup) for backup in backups])
    yield worst([_retention(backup) for backup in backups])


def _as_printed(claim: str, name: str, value: str, said: object) -> Judgement:
    if elsewhere(said):
        return left_open(claim, name, said)
    there = "–" if said is None else str(said)
    return held(
        "", claim, said == value, message("{name} is {there}, printed: {value}", name=name, there=there, value=value)
    )


def _retention(backup: Document) -> Judgement:
    claim, days = "iac.database.log_retention", backup.get("transaction_log_retention_days")
    if elsewhere(days):
        return left_open(claim, "transaction_log_retention_days", days)
    kept = isinstance(days, int) and 1 <= days <= _MOST_LOG_DAYS
    said = "–" if days is None else str(days)
    told = message("{days} days of logs; Cloud SQL keeps 1 to {most}", days=said, most=str(_MOST_LOG_DAYS))
    return held("", claim, kept, told)


def worst(found: Sequence[Judgement]) -> Judgement:
    """Of several resources the first whose verdict is the worst."""
    return min(found, key=lambda each: _WORST.index(each.verdict))


def elsewhere(value: object) -> bool:
    """Whether the value of an attribute is that of a variable or a local: it stands in a file that is not read."""
    return isinstance(value, str) and "${" in value


def left_open(claim: str, name: str, value: object, *, also: tuple[str, ...] = ()) -> Judgement:
    """``claim`` hangs on a value that is elsewhere."""
    return unknown("", claim, message("{name} is {value}, which is not read", name=name, value=str(value)), also=also)


def _tier(tier: str) -> Judgement:
    claim = "iac.database.tier"
    match = _TIER.fullmatch(tier)
    if match is None:
        return unknown("", claim, message("the tier {tier} is no db-custom-CPUS-MEGABYTES", tier=tier or "–"))
    cpus, megabytes = int(match[1]), int(match[2])
    told = message("{tier} asks for {cpus} processors and {mb} MB", tier=tier, cpus=match[1], mb=match[2])
    least = max(_LEAST_MB, _LEAST_MB_A_CPU * cpus)
    right = megabytes % _STEP_MB == 0 and least <= megabytes <= _MOST_MB_A_CPU * cpus and (cpus == 1 or cpus % 2 == 0)
    if right:
        return held("", claim, True, told)
    why = message(
        "Cloud SQL refuses it: a multiple of {step} MB, from {least} MB", step=str(_STEP_MB), least=str(least)
    )
    if megabytes < _STEP_MB:  # gigabytes were meant
        return shown_as("", "iac.tier_is_4_megabytes", told, why, claim=claim)
    return held("", claim, False, told, why)


def _backup(plan: InfrastructurePlan, backup: Document) -> Judgement:
    claim, said = "iac.database.backup", str(backup.get("start_time", ""))
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", said)
    for name in ("start_time", *_BACKUP_ON):
        if elsewhere(backup.get(name)):
            return left_open(claim, name, backup[name])
    on = all(backup.get(name) is True for name in _BACKUP_ON)
    if match is None or not on:
        told = message("backups and recovery to a moment are not both on, or have no time: {time}", time=said or "–")
        return held("", claim, False, told)
    hour = (int(match[1]) + plan.tables.utc_offset_hours) % 24
    there = f"{hour:02d}:{match[2]}"
    told = message(
        "{time} is read as UTC: {there} where the document runs, which says {asked}",
        time=said,
        there=there,
        asked=plan.tables.backup_at,
    )
    if there != plan.tables.backup_at:
        return shown_as("", "dr.backup_hour_is_utc", told, claim=claim)
    return held("", claim, True, told)


def _state(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    claim, also = "iac.state.kms", ("iac.state", "checklist.iac.backend")
    if not found.backends:
        yield from absent(plan, claim, message("backend of Terraform's state"), *also)
        return
    if bare := _without_a_state(found):
        told = message("no backend in {folders}: that state stays where Terraform was run", folders=", ".join(bare))
        yield held("", claim, False, told, also=also)
        return
    others = (each for each in found.backends if (each.kind, _key(each)) != ("gcs", "kms"))
    wrong = sorted(others, key=lambda each: (_key(each) == "elsewhere", _is_partial(each)))
    if wrong and _key(wrong[0]) == "elsewhere":
        said = wrong[0].attributes
        yield left_open(claim, "encryption_key", said.get("kms_encryption_key") or said["encryption_key"], also=also)
        return
    if wrong and _is_partial(wrong[0]):
        why = message("{file}: the backend's settings are given to terraform init", file=wrong[0].file)
        yield unknown("", claim, why, also=also)
        return
    if not wrong:
        told = message("each state lies in Cloud Storage, under a key of KMS ({count})", count=str(len(found.backends)))
        yield held("", claim, True, told, also=also)
        return
    one = wrong[0]
    told = message("{file}: backend {kind}, encrypted by {what}", file=one.file, kind=one.kind, what=_NAMES[_key(one)])
    if one.kind == "gcs" and _key(one) == "kms path":
        why = message("encryption_key takes 32 bytes in base64: a path of KMS is refused there")
        yield shown_as("", "iac.state_key_is_no_kms", told, why, claim=claim, also=also)
    else:
        yield held("", claim, False, told, also=also)


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


def _is_partial(backend: Backend) -> bool:
    """Whether its settings stand elsewhere: without a bucket it could not be used as it is."""
    return backend.kind == "gcs" and _key(backend) == "none" and "bucket" not in backend.attributes


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


def _roles(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    granting = [each.attributes for each in found.resources if "_iam_" in each.kind]
    if not granting:
        yield from absent(plan, next(iter(_ROLES)), message("grant of a role"), *[*_ROLES][1:])
        return
    to_people = [each for each in granting if _of_people(each)]
    granted, of_people = _granted(each for each in granting if each not in to_people), _granted(to_people)
    told = [message("granted: {roles}", roles=", ".join(sorted(granted)) or "–")]
    if alone := of_people - granted:
        told.append(message("to people alone: {roles}", roles=", ".join(sorted(alone))))
    unread = [_said(each) for each in granting if not _granted([each]) and elsewhere(_said(each))]
    for claim, role in _ROLES.items():
        if role not in granted and unread:
            yield left_open(claim, "role", unread[0])
        else:
            yield held("", claim, role in granted, *told)


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


def _everything(plan: InfrastructurePlan, found: Repository) -> Iterator[Judgement]:
    kinds = {each.kind for each in found.resources}
    missing = [name for name, of in plan.tables.services.items() if not kinds & set(of)]
    by_hand = [each for each in found.scripts if re.search(r"\bcreate(-auto)?\b", each)]
    for claim, lacks, made in (
        ("iac.everything", missing, by_hand),
        ("phase2.terraform", [each for each in plan.tables.of_phase_2 if each in missing], []),
    ):
        told = [message("without a resource: {services}", services=", ".join(lacks))] if lacks else []
        told += [message("made by hand: {command}", command=each) for each in made]
        if told:
            yield shown_as("", "iac.not_everything", *told, claim=claim)
        else:
            yield held("", claim, True, message("each service that the document uses has a resource"))
