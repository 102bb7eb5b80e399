"""A kustomize folder as plain manifests, rendered by ``kubectl kustomize``: the one door to what a folder says.

The folders of ``deploy/kubernetes`` are rendered beforehand, into ``rendered/``, by
``python3 -m harness.stack.manifests``; each file begins with a digest of what it was rendered of. A folder that was
changed since is rendered anew, as anybody's is.

Where the values of rendered manifests stand: in the resource's file, in a patch, or in what a generator reads.
``kubectl kustomize``, asked about a folder within limits of time and bytes, and its refusals with file and line.

Nothing is asked of a cluster, and nothing is fetched: the program gets neither a kubeconfig nor git, and its way to the
network is a proxy that does not exist.

Risks that a folder carries as it is, with file and line: told in the report, never a reason to refuse it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import msgspec
import yaml

from harness.base import bootstrap, yamltext
from harness.base.data import KUBERNETES
from harness.base.errors import BadInput
from harness.model.manifests import ManifestWarning, PatchNote
from harness.model.message import message
from harness.stack.manifests import layers
from harness.stack.manifests.folder import Documents, Folder, ManifestPlaces, Path_, at, listed, tag_of
from harness.stack.manifests.layers import Layer, Patch

#: What a shell would put in; Kubernetes and kustomize hand it on as it stands. ``$(NAME)`` is Kubernetes' own.
_SHELL = re.compile(r"\$\{[A-Za-z_]\w*[^}\n]*\}|\$\([^()\n]*[ /|][^()\n]*\)|`[^`\n]+`")
_REFERENCE = re.compile(r"\$\([A-Za-z_][\w.-]*\)")


def warnings(rendered: Rendered, folder: Folder) -> tuple[ManifestWarning, ...]:
    """What is to be told of the folder."""
    return (*_passed_over(rendered), *_images(folder), *_shell(folder), *_secrets(folder))


def _passed_over(rendered: Rendered) -> Iterator[ManifestWarning]:
    for note in rendered.notes:
        if note.nothing_changed:
            told = message("the patch {name} changes nothing: its target selects no resource", name=note.name)
            yield ManifestWarning(told=told, file=str(rendered.layers[-1].file))


def _images(folder: Folder) -> Iterator[ManifestWarning]:
    for each in folder.containers():
        if each.image and tag_of(each.image) in ("", "latest"):
            file, line = folder.place(each.key, *each.path, "image")
            told = message("container {name} of {resource} runs {image}, which names no version", name=each.name,
                           resource=each.key, image=each.image)  # fmt: skip
            yield ManifestWarning(told=told, file=file, line=line)


def _shell(folder: Folder) -> Iterator[ManifestWarning]:
    for kind in ("ConfigMap", "Secret"):
        for key, document in folder.of_kind(kind):
            for holder in ("data", "stringData"):
                for name, value in (at(document, holder) or {}).items():
                    literal = kind == "ConfigMap" or holder == "stringData"
                    text = _decoded(value, literal)
                    if "\n" not in text.strip() and (found := _SHELL.search(text) or _REFERENCE.search(text)):
                        file, line = folder.place(key, holder, name)
                        told = message("{name} of {resource} is the text {words}: nobody puts a value in its place",
                                       name=name, resource=key, words=found[0])  # fmt: skip
                        yield ManifestWarning(told=told, file=file, line=line)
    for each in folder.containers():
        for index, variable in enumerate(listed(each.says.get("env"))):
            found = _SHELL.search(str(variable.get("value", "")))
            if found is not None:
                file, line = folder.place(each.key, *each.path, "env", index, "value")
                told = message("{name} of {resource} is the text {words}: nobody puts a value in its place",
                               name=str(variable.get("name")), resource=each.key, words=found[0])  # fmt: skip
                yield ManifestWarning(told=told, file=file, line=line)


def _decoded(value: Any, literal: bool) -> str:
    if literal:
        return str(value)
    try:
        return base64.b64decode("".join(str(value).split()), validate=True).decode()
    except ValueError:
        return ""


def _secrets(folder: Folder) -> Iterator[ManifestWarning]:
    for key, document in folder.of_kind("Secret"):
        names = [*(at(document, "data") or {}), *(at(document, "stringData") or {})]
        if names:
            holder = "data" if at(document, "data") else "stringData"
            file, line = folder.place(key, holder, names[0])
            told = message("{resource} stands in the folder in plain text: {keys}", resource=key, keys=", ".join(names))
            yield ManifestWarning(told=told, file=file, line=line)


Place = tuple[str, int]
Known = dict[Path_, Place]


class YamlSource(NamedTuple):
    """What a file says at the path ``below``, and the lines of that file."""

    says: Any
    below: Path_
    file: str
    lines: yamltext.Lines


def places(
    documents: Documents, files: dict[str, Path], layers: Sequence[Layer], patches: Iterable[Patch]
) -> dict[str, Known]:
    """Return the file and line of each value that is found, by ``Kind/name`` and path.

    ``files`` are where the resources come from. What a step of kustomize changed (``images``, ``replicas``) is not
    found; its place is then that of what holds it.
    """
    patches = list(patches)
    generated = {layer.file.resolve() for layer in layers}
    found: dict[str, Known] = {}
    for key, document in documents.items():
        known: Known = {(): (str(files[key]), 0)}
        if files[key].resolve() in generated:
            _generated(key, document, layers, known)
        else:
            _read(key, document, files[key], known)
        for patch in patches:
            if patch.fits(key):
                _patched(document, patch, known)
        found[key] = known
    return found


def _read(key: str, document: dict[str, Any], file: Path, known: Known) -> None:
    """Add the places of the resource's own file: those of the document whose name is most of the rendered one."""
    kind, _, name = key.partition("/")
    with suppress(BadInput):  # kubectl takes more YAML than the reader with lines
        best = max(
            (each for each in _resources(file) if at(each[0], "kind") == kind),
            key=lambda each: (own := str(at(each[0], "metadata", "name"))) in name and len(own),
            default=None,
        )
        if best is not None:
            source, lines, below = best
            known[()] = (str(file), lines[below])
            _same(document, (), YamlSource(source, below, str(file), lines), known)


def _resources(file: Path) -> Iterator[tuple[Any, yamltext.Lines, Path_]]:
    """Yield each document of the file, its lines and the path it has among them; a List's items one by one."""
    for data, lines in yamltext.documents(yamltext.read(file), str(file), merge_keys=True):
        items = at(data, "items")
        if str(at(data, "kind")).endswith("List") and isinstance(items, list):
            yield from ((each, lines, ("items", index)) for index, each in enumerate(items))
        elif data is not None:
            yield data, lines, ()


def _same(value: Any, path: Path_, source: YamlSource, known: Known) -> None:
    """Add the place of each value at and below ``path`` that the source says alike; elements meet by their name."""
    said, lines = source.says, source.lines
    here = (source.file, lines[source.below]) if source.below in lines else None
    if isinstance(value, dict) and isinstance(said, dict):
        pairs = [(key, key) for key in value if key in said]
    elif isinstance(value, list) and isinstance(said, list):
        names = [at(each, "name") for each in said]
        own = [at(each, "name") for each in value]
        pairs = [
            (index, names.index(name) if name is not None and name in names else index)
            for index, name in enumerate(own)
        ]
        pairs = [each for each in pairs if each[1] < len(said)]
    else:
        if value == said and here is not None:
            known[path] = here
        return
    if here is not None:
        known.setdefault(path, here)
    for step, its in pairs:
        inner = source._replace(says=said[its], below=(*source.below, its))
        _same(value[step], (*path, step), inner, known)


def _patched(document: dict[str, Any], patch: Patch, known: Known) -> None:
    """Add the places of the values that a patch, strategic or of operations, put in."""
    for data, lines in patch.documents:
        if isinstance(data, dict):
            _same(document, (), YamlSource(data, (), str(patch.file), lines), known)
        for index, operation in enumerate(data if isinstance(data, list) else ()):
            path = _pointed(document, str(at(operation, "path")))
            if at(operation, "op") in ("add", "replace"):
                said = YamlSource(at(operation, "value"), (index, "value"), str(patch.file), lines)
                _same(at(document, *path), path, said, known)


def _pointed(document: dict[str, Any], pointer: str) -> Path_:
    """Return a JSON pointer as a path in ``document``, in which "-" is a list's last element."""
    path: Path_ = ()
    for part in pointer.split("/")[1:]:
        holder = at(document, *path)
        step: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(holder, list):
            step = int(part) if part.isdecimal() else len(holder) - 1
        path = (*path, step)
    return path


def _generated(key: str, document: dict[str, Any], layers: Sequence[Layer], known: Known) -> None:
    """Add the places of a generator's keys: its literal's line, that of its file of variables, or its file."""
    kind, _, name = key.partition("/")
    for layer in layers:
        for of_kind, named, entry, path in layer.generators():
            if (of_kind, named in name) != (kind, True):
                continue
            known[()] = (str(layer.file), layer.lines.get(path, 0))
            for holder in ("data", "binaryData"):
                for each in at(document, holder) or ():
                    if (place := _said(layer, entry, path, str(each))) is not None:
                        known[(holder, each)] = place


def _said(layer: Layer, entry: dict[str, Any], path: Path_, key: str) -> Place | None:
    for index, text in enumerate(_texts(entry, "literals")):
        if text.partition("=")[0] == key:
            return str(layer.file), layer.lines.get((*path, "literals", index), 0)
    for text in _texts(entry, "files"):
        given, _, file = text.rpartition("=")
        if key == (given or Path(file).name):
            return str(layer.folder / file), 1
    for text in (*_texts(entry, "envs"), *([entry["env"]] if isinstance(entry.get("env"), str) else ())):
        file = layer.folder / text
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if line.lstrip("\ufeff \t").partition("=")[0] == key:
                return str(file), number
    return None


def _texts(entry: dict[str, Any], key: str) -> list[str]:
    found = entry.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


OLDEST = (1, 30)
LIMIT_S = 60.0
MAX_BYTES = 8_000_000
_NO_WAY_OUT = "http://0.0.0.0:9"
_FOLDER = re.compile(
    r"(?:recursed accumulation of path '|couldn't make target for path '|read )([^':\n]+)(?:'|: is a directory'): "
)
_FILE = re.compile(r"accumulation err='\w+ resources from '([^']+)': (.*?)': (?:must build at|no 'git')", re.DOTALL)
_LOGGED = re.compile(r'E\d{4} .*?"command failed" err=[<"]?\s*')
_CONFIG = re.compile(r"trouble configuring builtin \w+ with config: `.*?`: ", re.DOTALL)
#: What a refusal names of a folder: a resource by its id, a variable, a file, text in quotes, the path of a value.
_NAMED = re.compile(
    r"(?:Group|Version|Kind|Namespace):\"[^\"]*\"|\{(\w+) |name (\S+) does|source ([^\s\[]\S*),|sources: \[([^\]]+)\]|"
    r"patch: \"([^\"]+)|'([^'\n{]+)'|\"([^\"\n/]+)\"|(/[^\s:;']+)"
)
_ID = re.compile(r"\w+\.[\w\[\]]+\.[\w\[\].]+/([\w.-]+)\.\[noNs\]")
_TYPE = re.compile(r"cannot unmarshal (\w+) into Go struct field (?:\w+\.)*(\w+) of type")
_TYPES = {"number": (int, float), "string": (str,), "bool": (bool,), "object": (dict,), "array": (list,)}


@functools.cache
def program() -> str:
    """Return the kubectl of the PATH where it is new enough, else the locked one, which is installed first.

    Raises ``BadInput`` where it cannot be installed.
    """
    if (found := shutil.which("kubectl")) is not None and version(found) >= OLDEST:
        return found
    try:
        return str(bootstrap.program("kubectl"))
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        what = message(
            "kubectl, which renders a folder of manifests, could not be installed: {error}", error=str(error)
        )
        newest = ".".join(map(str, OLDEST))
        raise BadInput(what, remedy=message("put a kubectl of {version} or newer on PATH", version=newest)) from error


def version(kubectl: str) -> tuple[int, ...]:
    """Return its major and minor version; () for a program that tells none."""
    with suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(
            [kubectl, "version", "--client", "--output=json"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
        return tuple(int(each) for each in re.findall(r'"(?:major|minor)": "(\d+)', said)[:2])
    return ()


def rendered(folder: Path, layers: Sequence[Layer], kubectl: str = "") -> tuple[str, Path]:
    """Return what ``kubectl``, or ``program()``, prints for ``folder``, and the folder that origins in it start from.

    Each resource is annotated with its origin. Raises ``BadInput`` in kubectl's words.
    """
    with tempfile.TemporaryDirectory() as name:
        above = Path(name).resolve()
        says = {
            "resources": [os.path.relpath(folder.resolve(), above)],
            "buildMetadata": [*layers[-1].of("buildMetadata"), "originAnnotations"],  # asked of the outermost alone
            "sortOptions": {"order": "fifo"},
        }
        (above / "kustomization.yaml").write_text(yamltext.written(says), encoding="utf-8")
        status, text = _asked(
            [kubectl or program(), "kustomize", "--load-restrictor=LoadRestrictionsNone", name], above
        )
    if status == 0:
        return text, above
    if status < 0:
        limits = {"limit": f"{LIMIT_S:g}", "megabytes": f"{MAX_BYTES / 1e6:g}"}
        what = message("kubectl kustomize took longer than {limit} s, or printed more than {megabytes} MB", **limits)
        raise BadInput(what, where=str(folder), remedy="leave out what is no manifest")
    raise refusal(text, layers)


def _asked(command: list[str], nobody: Path) -> tuple[int, str]:
    """Return the program's status and what it printed, or said where it failed; negative when it met a limit."""
    outside = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NO_WAY_OUT)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": str(nobody), "HOME": str(nobody), **outside},
    ) as child, ThreadPoolExecutor(2) as readers:  # fmt: skip
        timer = Timer(LIMIT_S, child.kill)
        timer.start()
        try:
            out, err = (readers.submit(pipe.read, MAX_BYTES) for pipe in (child.stdout, child.stderr) if pipe)
            if len(printed := out.result()) == MAX_BYTES:
                child.kill()
            said = err.result()
            status = child.wait()
        finally:
            timer.cancel()
            child.kill()
    return status, (said if status > 0 else printed).decode(errors="replace")


def refusal(said: str, layers: Sequence[Layer]) -> BadInput:
    """Return kubectl's refusal with the file and, where it can be found, the line of what it names."""
    lines = [line for line in said.splitlines() if not line.startswith("# Warning")]
    text = "\n".join(lines).removeprefix("error: ").strip()
    if (logged := _LOGGED.match(text)) is not None:
        block, text = text.endswith(">"), text[logged.end() : -1].strip()  # of several lines, which are not escaped
        text = text if block else text.replace('\\"', '"')
    folders = [Path(each).resolve() for each in _FOLDER.findall(text)]
    text = _CONFIG.sub("", _FOLDER.split(text)[-1])
    inner = [each for each in layers if folders and each.folder.resolve() == folders[-1]] or [layers[-1]]
    resource = None
    if (file := _FILE.search(text)) is not None:
        text, resource = f"'{file[1]}': {file[2]}", inner[0].folder / file[1]
    where = _place(text, resource, [*inner, *(each for each in layers if each not in inner)])
    what = message("kubectl kustomize refuses the folder: {said}", said=text[-800:])
    return BadInput(what, where=where, remedy="mend the folder")


def _place(text: str, resource: Path | None, layers: Sequence[Layer]) -> str:
    """Return file and line of what ``text`` names: in ``resource``, else in the first of ``layers`` that has it; else
    that file.

    Raises ``BadInput`` for a named file that is no YAML: the reader of lines tells its line better.
    """
    if (wrong := _TYPE.search(text)) is not None and (number := _typed(layers[0], wrong[1], wrong[2])):
        return f"{layers[0].file}:{number}"
    names = [f"name: {each}" for each in _ID.findall(text)]
    for found in _NAMED.findall(text):
        names += [each.removeprefix(f"{layers[0].folder}/") for each in found if each]
    if resource is not None and resource.is_file():
        return _line(names, [resource]) or str(resource)
    for layer in layers:
        for file in layer.files():
            if file.name in names and file != layer.file:
                yamltext.documents(yamltext.read(file), str(file), merge_keys=True)
        if line := _line(names, layer.files()):
            return line
    return str(layers[0].file)


def _line(names: Sequence[str], files: Iterable[Path]) -> str:
    """Return file and line of the first of ``names`` that stands in one of ``files``; "" where none does."""
    texts = [(file, yamltext.read(file).splitlines()) for file in files]
    for name in names:
        word = re.compile(rf"(?<![\w./-]){re.escape(name)}(?![\w-])")
        for file, lines in texts:
            for number, line in enumerate(lines, 1):
                if word.search(line):
                    return f"{file}:{number}"
    return ""


def _typed(layer: Layer, of_type: str, key: str) -> int:
    """Return the line of the first value at ``key`` that has the JSON type; 0 without one."""
    for path, line in layer.lines.items():
        if path and path[-1] == key and type(at(layer.says, *path)) in _TYPES.get(of_type, ()):
            return line
    return 0


RENDERED = KUBERNETES / "rendered"
_ORIGIN = "config.kubernetes.io/origin"
_MADE = "# Made by `python3 -m harness.stack.manifests`, of sources whose digest is"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The manifests by ``Kind/name``, a note for each patch, and where each value stands.

    ``layers`` are the kustomizations that were read, the folder's own last.
    """

    documents: Documents
    notes: tuple[PatchNote, ...]
    places: ManifestPlaces
    layers: tuple[Layer, ...]


class _Loader(yamltext.SAFE):  # type: ignore[misc]  # one of the two classes
    """The safe constructors with the plain scalars that kubectl writes: JSON's, and any other is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


for _tag, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null", "n"),
    ("int", r"-?[0-9]+", "-0123456789"),
    ("float", r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), list(_first))


def render(folder: Path) -> Rendered:
    """Return the resources of ``folder``.

    Raises ``BadInput`` for what kubectl refuses, with file and line where they are known, and for a chart or an
    address, which a run does not fetch; ``NotOwn`` for files that another user may have written.
    """
    found = layers.read(folder)
    text, root = _stored(folder, found) or rendered(folder, found)
    documents, from_ = documents_of(text, str(folder))
    patches = [(layer, patch) for layer in found for patch in layer.patches()]
    as_named = {path.resolve(): path for layer in found for path in layer.files()}
    origin = {key: (root / each).resolve() for key, each in from_.items()}
    files = {key: as_named.get(path, path) for key, path in origin.items()}
    return Rendered(
        documents=documents,
        notes=tuple(layers.patch_notes(patches, documents)),
        places=ManifestPlaces(places(documents, files, found, [patch for _layer, patch in patches])),
        layers=tuple(found),
    )


def documents_of(text: str, source: str) -> tuple[Documents, dict[str, str]]:
    """Return the documents, and the file that each came from; the annotations that tell it are taken off."""
    found: Documents = {}
    origin: dict[str, str] = {}
    for document, _lines in yamltext.documents(text, source, loader=_Loader):
        key = f"{document['kind']}/{document['metadata']['name']}"
        if key in found:
            what = message("{resource} is defined twice, in two groups or namespaces", resource=key)
            raise BadInput(what, where=source, remedy="a run has one namespace: leave one of the two out")
        annotations = document["metadata"].pop("annotations")
        said = yaml.safe_load(annotations.pop(_ORIGIN))
        origin[key] = str(said.get("path") or said["configuredIn"])
        if annotations:
            document["metadata"]["annotations"] = annotations
        found[key] = _without_nulls(document)
    return found, origin


def _without_nulls(value: Any) -> Any:
    """Return the value without the keys that have none: for the API server they are absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _stored(folder: Path, found: Sequence[Layer]) -> tuple[str, Path] | None:
    """Return what is stored of a bundled folder, as ``rendered`` would; ``None`` when its sources changed."""
    file = _file_of(folder)
    if file is None or not file.is_file():
        return None
    seal, _, text = yamltext.read(file).partition("\n")
    return (text, RENDERED) if seal == _seal(found) else None


def _file_of(folder: Path) -> Path | None:
    """Return where a bundled folder's rendering is stored; ``None`` for any other folder."""
    resolved = folder.resolve()
    if not resolved.is_relative_to(KUBERNETES):
        return None
    return RENDERED / f"{'-'.join(resolved.relative_to(KUBERNETES).parts)}.yaml"


def _seal(found: Sequence[Layer]) -> str:
    files = {path.resolve() for layer in found for path in layer.files()}
    texts = [file.read_bytes() for file in sorted(files)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()[:16]
    return f"{_MADE} {digest}"


def sealed(folder: Path, kubectl_: str) -> str:
    """Return what ``rendered/`` holds of a bundled folder, as the program renders it. Raises ``BadInput``."""
    found = layers.read(folder)
    text, root = rendered(folder, found, kubectl_)
    return f"{_seal(found)}\n{text.replace(os.path.relpath(KUBERNETES, root), '..')}"


def is_current(folder: Path) -> bool:
    """Return whether what is stored of a bundled folder is of its sources as they now are."""
    return _stored(folder, layers.read(folder)) is not None


def bundled() -> dict[Path, Path]:
    """Return the file of each bundled folder's rendering."""
    folders = (KUBERNETES / "document", KUBERNETES / "base", *sorted((KUBERNETES / "overlays").iterdir()))
    return {each: file for each in folders if (file := _file_of(each)) is not None}
