"""A package index of our own for tests without the network; the built layers and changed copies of them."""

import base64
import dataclasses
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

import layers
from layers import Layer
from tools import zip_entries
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer, read_path
from tools.wheels.download import sha256
from tools.zip_entries import read_entries

MakeStack = Callable[..., list[Layer]]


class Index:
    """A folder of wheels behind simple index pages (PEP 503), reached by a file URL.

    The same wheel has the same bytes in every test, so that tests can share a cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = folder.as_uri()

    def pin(self, name: str, version: str) -> str:
        """A lock's line for a wheel."""
        (wheel,) = (self.folder / name).glob(f"*-{version}-*.whl")
        return f"{name}=={version} \\\n    --hash=sha256:{sha256(wheel)}\n"

    def add(
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        python: str = "",
        tag: str = "py3-none-any",
        files: Mapping[str, str | bytes] | None = None,
        extras: Sequence[str] = (),
        yanked: str | None = None,
        metadata: bytes | None = None,
        record: Callable[[list[str]], list[str]] = lambda rows: rows,
    ) -> Path:
        """Publish a wheel; by default it is one module of its own name."""
        module = name.replace("-", "_")
        wheel = self.folder / name / f"{module}-{version}-{tag}.whl"
        wheel.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        lines += [f"Provides-Extra: {extra}" for extra in extras]
        lines += [f"Requires-Python: {python}"] if python else []
        contents = dict(files or {f"{module}.py": f"version = {version!r}\n"})
        contents[f"{module}-{version}.dist-info/METADATA"] = metadata or "\n".join(lines) + "\n"
        contents[f"{module}-{version}.dist-info/WHEEL"] = f"Wheel-Version: 1.0\nTag: {tag}\n"
        _write_wheel(wheel, contents, f"{module}-{version}.dist-info/RECORD", record)
        attributes = f' data-requires-python="{python.replace(">", "&gt;")}"' if python else ""
        attributes += f' data-yanked="{yanked}"' if yanked is not None else ""
        self._list(wheel, attributes)
        return wheel

    def add_sdist(self, name: str, version: str) -> None:
        """Publish a source distribution."""
        sdist = self.folder / name / f"{name}-{version}.tar.gz"
        sdist.parent.mkdir(parents=True, exist_ok=True)
        sdist.write_bytes(b"source")
        self._list(sdist)

    def _list(self, wheel: Path, attributes: str = "") -> None:
        page = wheel.with_name("index.html")
        links = page.read_text() if page.exists() else "<!DOCTYPE html>\n"
        page.write_text(
            f'{links}<a href="{wheel.name}#sha256={sha256(wheel)}"{attributes}>{wheel.name}</a>\n'
        )


def _write_wheel(
    wheel: Path,
    contents: Mapping[str, str | bytes],
    record: str,
    changed: Callable[[list[str]], list[str]],
) -> None:
    rows = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(data)}\n")
            archive.writestr(zipfile.ZipInfo(path), data)
        archive.writestr(zipfile.ZipInfo(record), "".join(changed([*rows, f"{record},,\n"])))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index, the only one in pip's configuration."""
    made = Index(tmp_path / "index")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", made.url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    return made


@pytest.fixture
def make_stack(tmp_path: Path) -> MakeStack:
    """Layers in a folder of their own: `make_stack(strands="…", langfuse="…")` names their requirements."""

    def make(**requirements: str) -> list[Layer]:
        stack = [Layer(name, tmp_path / "layers" / name) for name in requirements]
        for layer in stack:
            layer.directory.mkdir(parents=True, exist_ok=True)
            layer.requirements.write_text(requirements[layer.name] + "\n")
        return stack

    return make


@pytest.fixture(scope="session")
def built() -> list[Layer]:
    """The layers of this checkout, built."""
    for layer in layers.LAYERS:
        if reason := layers.stale_reason(layer):
            pytest.fail(reason)
    return list(layers.LAYERS)


@pytest.fixture(scope="session")
def real(built):
    """The candidate that would be deployed."""
    return Candidate([read_layer(layer) for layer in built])


@pytest.fixture
def changed(real, tmp_path):
    """Make the candidate with one layer's zip changed: `changed("langfuse", {path: bytes or None})`."""

    def change(name, changes, *, more=()):
        copy = tmp_path / f"{name}.zip"
        trees = {layer.name: layer for layer in real.layers}
        copy.write_bytes(_rezipped(trees[name].path, changes, more))
        known = {key: getattr(trees[name], key) for key in ("name", "source", "pins", "requirements")}
        trees[name] = dataclasses.replace(read_path(copy), **known)
        return dataclasses.replace(real, layers=list(trees.values()), store=tmp_path)

    return change


def _rezipped(source, changes, more):
    """A zip with some of `python/` replaced, added or (None) left out, the rest copied as it is."""
    changes = {f"python/{path}": content for path, content in changes.items()}
    buffer = io.BytesIO()
    with ZipFile(source) as old:
        kept = [entry for entry in read_entries(old, source.read_bytes()) if entry.path not in changes]
    added = [zip_entries.compress(path, content) for path, content in changes.items() if content is not None]
    zip_entries.write_zip(buffer, [*kept, *added, *more])
    return buffer.getvalue()


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A cache that fills while these tests run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def empty_store(tmp_path):
    """A cache of this test's own."""
    return tmp_path / "cache"


@pytest.fixture
def stack(index, make_stack):
    """Two small layers, locked."""
    index.add("agent", "1.0", requires=["shared"])
    index.add("shared", "1.0")
    index.add("traces", "1.0", requires=["shared"])
    made = make_stack(strands="agent>=1.0", langfuse="traces>=1.0")
    made[0].lock.write_text(index.pin("agent", "1.0") + index.pin("shared", "1.0"))
    made[1].lock.write_text(index.pin("traces", "1.0"))
    return made


@pytest.fixture
def one_layer(index, make_stack):
    """Lock one layer of the only version of a distribution."""

    def make(name):
        (layer,) = make_stack(strands=f"{name}>=1.0")
        layer.lock.write_text(index.pin(name, "1.0"))
        return layer

    return make
