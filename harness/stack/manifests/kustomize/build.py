"""A kustomize folder built as ``kubectl kustomize`` builds it, in its order, each value with its place in the folder.

resources -> generators -> components -> patches -> namespace, prefix and suffix, labels, annotations, replicas, images
-> replacements; at the end hashes, names that follow, variables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.manifests import PatchNote
from harness.model.message import message
from harness.stack.manifests.kustomize import (
    form,
    generators,
    patches,
    references,
    replacements,
    resource,
    steps,
    variables,
)
from harness.stack.manifests.kustomize.resource import Resource
from harness.stack.manifests.kustomize.tree import Place

MAX_FOLDERS = 20
_REMOTE = re.compile(
    r"[a-z+]+://|git@|git::|(?:www\.)?(?:github|gitlab|bitbucket)\.\w+[/:]|.*[?&]ref=|[^./]+\.[a-z]+/.*//"
)


class Layer:
    """One folder's kustomization, and where each of its keys stands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = form.file_of(folder)
        self.says, self.lines = form.read(self.file)

    def where(self, *path: str | int) -> Place:
        """The place of a key, or of the nearest one above it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return str(self.file), self.lines.get(known, 0)

    def named(self, *path: str | int) -> str:
        """``file:line, key`` for an error."""
        return yamltext.place(str(self.file), self.lines, path)


class Build:
    """What has been gathered while the folders are read."""

    def __init__(self) -> None:
        self.notes: list[PatchNote] = []
        self.layers: list[Layer] = []  # as they were entered: the outermost first
        self.variables: dict[str, tuple[form.Variable, Place]] = {}
        self.more = form.Configuration()

    def folder(self, folder: Path) -> list[Resource]:
        """The resources of ``folder``, finished. Raises ``BadInput``, ``Unread`` or ``Refused``."""
        found: list[Resource] = []
        self.accumulate(folder, found, ())
        references.add_hashes(found)
        references.follow(found, self.more.name_reference)
        variables.resolve(self.variables, found, self.more.var_reference)
        return [each for each in found if each.labels("annotations").get(resource.LOCAL_ONLY) not in ("true", "")]

    def accumulate(self, folder: Path, found: list[Resource], above: tuple[Path, ...], component: bool = False) -> None:
        """Adds the folder's resources to ``found`` and changes all there as it says."""
        resolved = folder.resolve()
        if resolved in above or len(above) > MAX_FOLDERS:
            where = str(form.file_of(above[-1]))
            what = message("{folder} includes itself", folder=str(folder))
            raise BadInput(what, where=where, remedy="remove one of the resources")
        layer = Layer(folder)
        self.layers.append(layer)
        says = layer.says
        if (says.kind == "Component") is not component:
            what = (
                message("{folder} is no component", folder=str(folder))
                if component
                else message("kind {kind} is not read", kind=repr(says.kind))
            )
            remedy = "write `kind: Component`" if component else "list a component under components"
            raise BadInput(what, where=layer.named("kind"), remedy=remedy)
        for key, names in (("resources", says.resources), ("bases", says.bases)):
            for index, name in enumerate(names):
                self._resource(layer, name, (key, index), found, (*above, resolved))
        for index, name in enumerate(says.configurations):
            self._configure(form.configuration(_inside(layer, name, "configurations", index)))
        self._generate(layer, found)
        for index, name in enumerate(says.components):
            path = _inside(layer, name, "components", index)
            self.accumulate(path, found, (*above, resolved), component=True)
        self._transform(layer, found)
        declared = [(each, layer.where("vars", index)) for index, each in enumerate(says.vars)]
        variables.claim(declared, found)
        self._declare(declared)

    def _resource(
        self, layer: Layer, name: str, at: tuple[str, int], found: list[Resource], above: tuple[Path, ...]
    ) -> None:
        path = _inside(layer, name, *at)
        fresh: list[Resource] = []
        if path.is_dir():
            self.accumulate(path, fresh, above)
        else:
            fresh = list(resource.read(path, layer.named(*at)))
        known = {each.id for each in found}
        for each in fresh:
            if each.id in known:
                where = f"{each.at[0]}:{each.at[1]}"
                what = message("{resource} is defined twice", resource=each.key)
                raise BadInput(what, where=where, remedy="keep one")
            known.add(each.id)
            found.append(each)

    def _configure(self, given: form.Configuration) -> None:
        merged = {
            name: [*getattr(self.more, name), *getattr(given, name)] for name in form.Configuration.__struct_fields__
        }
        self.more = form.Configuration(**merged)

    def _declare(self, declared: Iterable[tuple[form.Variable, Place]]) -> None:
        for variable, place in declared:
            if variable.name in self.variables:
                where = f"{place[0]}:{place[1]}, vars"
                what = message("variable {name} is declared twice", name=variable.name)
                raise BadInput(what, where=where, remedy="keep one")
            self.variables[variable.name] = (variable, place)

    def _generate(self, layer: Layer, found: list[Resource]) -> None:
        says = layer.says
        for key, kind, given in (
            ("configMapGenerator", "ConfigMap", says.config_map_generator),
            ("secretGenerator", "Secret", says.secret_generator),
        ):
            for index, each in enumerate(given):
                place = layer.where(key, index)
                generators.generate(each, kind, generators.Of(says.generator_options, layer.folder, place), found)

    def _transform(self, layer: Layer, found: list[Resource]) -> None:
        says, more, where = layer.says, self.more, layer.where
        for index, text in enumerate(says.patches_strategic_merge):
            place = where("patchesStrategicMerge", index)
            self.notes += patches.apply_strategic(text, layer.folder, place, found)
        for index, patch in enumerate(says.patches):
            place = where("patches", index, "patch" if patch.patch else "path")
            self.notes.append(patches.apply(patch, layer.folder, place, found, key=f"patches[{index}]"))
        if says.namespace:
            steps.namespace(found, says.namespace, where, more.namespace)
        steps.affixes(found, says, where, more)
        steps.labels(found, says, where, more)
        steps.common_annotations(found, says, where, more)
        for index, patch in enumerate(says.patches_json6902):
            place = where("patchesJson6902", index, "patch" if patch.patch else "path")
            self.notes.append(patches.apply_json(patch, layer.folder, place, found))
        for index, entry in enumerate(says.replicas):
            steps.replicas(found, entry, where, index, more.replicas)
        for index, image in enumerate(says.images):
            steps.images(found, image, where, index, more.images)
        for index, replacement in enumerate(says.replacements):
            for each in _listed(layer, replacement, index):
                replacements.replace(each, where("replacements", index), found)


def _listed(layer: Layer, replacement: form.Replacement, index: int) -> list[form.Replacement]:
    """The replacements of an entry: itself, or those of the file that it names."""
    if not replacement.path:
        return [replacement]
    return form.replacements(_inside(layer, replacement.path, "replacements", index))


def _inside(layer: Layer, name: str, *at: str | int) -> Path:
    """The file or folder that ``name`` stands for. Raises ``Refused`` for an address."""
    path = layer.folder / name
    if "\0" in name or len(name) > 500:
        raise BadInput("a name that no file has", where=layer.named(*at), remedy="name a file or folder beside it")
    if not path.exists() and _REMOTE.match(name):
        raise form.Refused(message("{name} lies elsewhere", name=name), where=layer.named(*at), remedy=form.FETCH)
    shorter = Path(os.path.normpath(path))  # overlays/production/../../base reads badly in an error
    return shorter if shorter.exists() and path.exists() and shorter.samefile(path) else path


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A folder as it was built."""

    resources: list[Resource]
    notes: tuple[PatchNote, ...]
    layers: tuple[Layer, ...]


def built(folder: Path) -> Rendered:
    """``folder`` built. Raises ``BadInput`` naming file, line and key, ``Unread`` for what is not read here."""
    build = Build()
    resources = build.folder(folder)
    return Rendered(resources=resources, notes=tuple(build.notes), layers=tuple(build.layers))
