"""``kubectl kustomize``, asked about a folder within limits of time and bytes, and its refusals with file and line.

Nothing is asked of a cluster, and nothing is fetched: the program gets neither a kubeconfig nor git, and its way to the
network is a proxy that does not exist.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Timer

from harness.base import bootstrap, yamltext
from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.folder import at
from harness.stack.manifests.layers import Layer

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
