"""The keys of a ``kustomization.yaml`` that are read, and what is said of one that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.message import Message, message
from harness.stack.manifests.faults import at_fault
from harness.stack.manifests.kustomize.fields import FieldSpec
from harness.stack.manifests.kustomize.resource import Selector

T = TypeVar("T")

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
KINDS = {"kustomize.config.k8s.io/v1beta1": "Kustomization", "kustomize.config.k8s.io/v1alpha1": "Component"}
RENDER = message(
    "put a kubectl on the PATH, which renders all of kustomize; or render the folder once where there is one, with "
    "`kubectl kustomize DIR > rendered/all.yaml`, and put a kustomization.yaml with `resources: [all.yaml]` beside it"
)
HELM = message(
    "kubectl renders no Helm chart and a run fetches nothing: render it once, `helm template NAME CHART > walk.yaml`, "
    "and list walk.yaml under resources"
)
FETCH = message(
    "a run fetches nothing: keep a copy in the repository (`kubectl kustomize ADDRESS > base/all.yaml`, with a "
    "kustomization.yaml beside it) and list that folder"
)
#: Known to kustomize, and rendered by ``kubectl kustomize`` alone.
BY_KUBECTL = ("buildMetadata", "crds", "generators", "openapi", "transformers", "validators")
BY_HELM = ("helmChartInflationGenerator", "helmCharts", "helmGlobals")


class Unread(BadInput):
    """A folder that uses more of kustomize than is read here."""


class Refused(BadInput):
    """A folder that nothing at hand may render: it would be fetched from elsewhere."""


class Form(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A piece of a kustomization."""


class Options(Form, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    disable_name_suffix_hash: bool = False
    immutable: bool = False


class Generator(Form, frozen=True, kw_only=True):
    """An entry of ``configMapGenerator`` or ``secretGenerator``."""

    name: str
    namespace: str = ""
    behavior: str = ""
    literals: list[str] = []
    files: list[str] = []
    envs: list[str] = []
    env: str = ""  # the older word for one of ``envs``
    type: str = ""
    options: Options = Options()


class Patch(Form, frozen=True, kw_only=True):
    """A file, or its text. A strategic merge patch may name its target itself."""

    target: Selector | None = None
    path: str = ""
    patch: str = ""
    options: dict[str, bool] = {}


class Labels(Form, frozen=True, kw_only=True):
    pairs: dict[str, str]
    include_selectors: bool = False
    include_templates: bool = False
    field_specs: list[FieldSpec] = msgspec.field(default_factory=list, name="fields")


class Image(Form, frozen=True, kw_only=True):
    name: str
    new_name: str = ""
    new_tag: str = ""
    tag_suffix: str = ""
    digest: str = ""


class Replicas(Form, frozen=True, kw_only=True):
    name: str
    count: int


class Delimited(Form, frozen=True, kw_only=True):
    delimiter: str = ""
    index: int = 0
    create: bool = False
    encoding: str = ""


class Source(Form, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    group: str = ""
    version: str = ""
    field_path: str = "metadata.name"
    options: Delimited = Delimited()


class TargetFields(Form, frozen=True, kw_only=True):
    select: Selector
    reject: list[Selector] = []
    field_paths: tuple[str, ...] = ("metadata.name",)
    options: Delimited = Delimited()


class Replacement(Form, frozen=True, kw_only=True):
    """A replacement, or the path of a file with some."""

    path: str = ""
    source: Source | None = None
    source_value: str | None = None
    targets: list[TargetFields] = []


class ObjectRef(Form, frozen=True, kw_only=True):
    name: str
    kind: str
    api_version: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""


class FieldRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fieldpath: str = "metadata.name"


class Variable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of ``vars``."""

    name: str
    objref: ObjectRef
    fieldref: FieldRef = FieldRef()


class Kustomization(Form, frozen=True, kw_only=True):
    """One folder's."""

    api_version: str = ""
    kind: str = "Kustomization"
    metadata: dict[str, Any] = {}
    resources: list[str] = []
    bases: list[str] = []
    components: list[str] = []
    configurations: list[str] = []
    config_map_generator: list[Generator] = []
    secret_generator: list[Generator] = []
    generator_options: Options = Options()
    patches_strategic_merge: list[str] = []
    patches: list[Patch] = []
    namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    labels: list[Labels] = []
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    patches_json6902: list[Patch] = msgspec.field(default_factory=list, name="patchesJson6902")
    replicas: list[Replicas] = []
    images: list[Image] = []
    replacements: list[Replacement] = []
    vars: list[Variable] = []
    sort_options: dict[str, Any] = {}  # the order of what is printed


class Referred(msgspec.Struct, frozen=True, kw_only=True):
    """Who names a kind of resource, and where."""

    kind: str
    group: str = ""
    version: str = ""
    fields: tuple[FieldSpec, ...] = msgspec.field(default=(), name="fieldSpecs")


class Configuration(Form, frozen=True, kw_only=True):
    """A file of ``configurations``: more fields for the built-in steps."""

    name_reference: list[Referred] = []
    name_prefix: list[FieldSpec] = []
    name_suffix: list[FieldSpec] = []
    namespace: list[FieldSpec] = []
    common_labels: list[FieldSpec] = []
    common_annotations: list[FieldSpec] = []
    labels: list[FieldSpec] = []
    images: list[FieldSpec] = []
    replicas: list[FieldSpec] = []
    var_reference: list[FieldSpec] = []


def file_of(folder: Path) -> Path:
    """The kustomization of ``folder``. Raises ``BadInput`` without one, or with two."""
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        names: str | Message = found[0].name
        for each in found[1:]:
            names = message("{first} and {second}", first=names, second=each.name)
        raise BadInput(
            message("{folder} has {names}", folder=str(folder), names=names), where=str(folder), remedy="keep one"
        )
    if not found:
        raise BadInput(
            message("no {file} in {folder}", file=NAMES[0], folder=str(folder)),
            where=str(folder),
            remedy=message(
                "add one that lists the manifests, e.g. `resources: [deployment.yaml, service.yaml]`; {render}",
                render=RENDER,
            ),
        )
    return found[0]


def read(file: Path) -> tuple[Kustomization, yamltext.Lines]:
    """The kustomization and its lines. Raises ``BadInput``, ``Unread`` or ``Refused`` with file, line and key."""
    data, lines = _mapping(file)
    for key in BY_HELM:
        if key in data:
            at = yamltext.place(str(file), lines, (key,))
            raise Refused(message("{key}: a Helm chart is not rendered", key=key), where=at, remedy=HELM)
    for key in BY_KUBECTL:
        if key in data:
            at = yamltext.place(str(file), lines, (key,))
            raise Unread(message("{key} is not read here", key=key), where=at, remedy=RENDER)
    kustomization = converted(data, Kustomization, file, lines)
    if KINDS.get(kustomization.api_version, kustomization.kind) != kustomization.kind:
        at = yamltext.place(str(file), lines, ("kind",))
        raise BadInput(message("kind {kind} is not read", kind=repr(kustomization.kind)), where=at, remedy=RENDER)
    return kustomization, lines


def configuration(file: Path) -> Configuration:
    """A file of ``configurations``. Raises ``BadInput``."""
    data, lines = _mapping(file)
    return converted(data, Configuration, file, lines)


def replacements(file: Path) -> list[Replacement]:
    """A file that ``replacements`` names: one, or a list. Raises ``BadInput``."""
    [(data, lines)] = yamltext.documents(yamltext.read(file), str(file)) or [(None, {})]
    return converted(data if isinstance(data, list) else [data], list[Replacement], file, lines)


def _mapping(file: Path) -> tuple[dict[str, Any], yamltext.Lines]:
    found = yamltext.documents(yamltext.read(file), str(file))
    if len(found) != 1 or not isinstance(found[0][0], dict):
        what = message("{file} is not one mapping", file=str(file))
        raise BadInput(what, where=str(file), remedy="write `resources: [deployment.yaml]`")
    data, lines = found[0]
    return {key: value for key, value in data.items() if value is not None}, lines


def converted(data: Any, wanted: type[T], file: Path, lines: yamltext.Lines) -> T:
    """``data`` as ``wanted``. Raises ``BadInput`` with the line of the value that does not fit."""
    try:
        return msgspec.convert(data, wanted)
    except msgspec.ValidationError as error:
        said, path = at_fault(data, error)
        unknown = re.search(r"unknown field `([^`]*)`", said)
        at = yamltext.place(str(file), lines, (*path, unknown[1]) if unknown else path)
        remedy = "see kustomize's reference; text that looks like a number or a date goes in quotes"
        raise BadInput(f"{file.name}: {said}", where=at, remedy=RENDER if unknown else remedy) from error
