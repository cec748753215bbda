"""Choosing the versions of an environment's packages, with a folder of small packages as the index."""

import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import uv

from epochal.runtimes.recipe import RESOLVE
from epochal.runtimes.remarks import describe_remarks

_PINS = "net-cpu==2.1\nlayers==3.1\ntwin==2.1\n"
_WANTED = "net-cpu==2.*  # also as net, net-gpu\nlayers==3.*\ntwin\n"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of packages. Like Hydra, ``config`` has a newest release that needs a package without a wheel."""
    folder = tmp_path_factory.mktemp("index")
    for name in ("net", "net-cpu"):
        make_wheel(folder, name, "1.5", "layers<3")
        make_wheel(folder, name, "2.1", "layers>=3")
        make_wheel(folder, name, "2.2", "layers>=3")
    for version in ("2.9", "3.1", "3.2"):
        make_wheel(folder, "layers", version)
    make_wheel(folder, "twin", "2.1", "net>=2,<2.2")
    make_wheel(folder, "twin", "2.2", "net>=2.2")
    make_wheel(folder, "text", "1.0", "net<2")
    make_wheel(folder, "config", "0.11")
    make_wheel(folder, "config", "1.3", "grammar==4.9")
    make_wheel(folder, "grammar", "4.8")
    make_sdist(folder, "grammar", "4.9")
    make_wheel(folder, "plain", "1.1")
    make_sdist(folder, "plain", "2.0")
    for path in list(folder.iterdir()):
        page = folder / path.name.partition("-")[0].replace("_", "-") / "index.html"
        page.parent.mkdir(exist_ok=True)
        with page.open("a") as text:
            text.write(f'<a href="../{path.name}">{path.name}</a>\n')
    return folder


def make_wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Write a wheel without modules."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")


def make_sdist(folder: Path, name: str, version: str) -> None:
    """Write a source package that must not be built."""
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as sdist:
        content = b"raise SystemExit('built')"
        member = tarfile.TarInfo(f"{name}-{version}/setup.py")
        member.size = len(content)
        sdist.addfile(member, BytesIO(content))


def run_resolve(tmp_path: Path, index: Path, requirements: str | None) -> subprocess.CompletedProcess[str]:
    """Run resolve.py with ``tmp_path`` as its folder, as the build of an environment does."""
    (tmp_path / "toy.txt").write_text(_PINS)
    (tmp_path / "toy.in").write_text(_WANTED)
    if requirements is not None:
        (tmp_path / "requirements.txt").write_text(requirements)
    variables = {"UV_DEFAULT_INDEX": index.as_uri(), "UV_NO_CACHE": "1"}
    command = [sys.executable, str(RESOLVE), uv.find_uv_bin(), "toy", "wheels", str(tmp_path)]
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def resolve(tmp_path: Path, index: Path, requirements: str | None) -> tuple[set[str], set[str], list[str]]:
    """Return the lines of packages.txt and shared.txt, and the notes."""
    done = run_resolve(tmp_path, index, requirements)
    assert done.returncode == 0, done.stderr
    packages, shared = ((tmp_path / name).read_text().split() for name in ("packages.txt", "shared.txt"))
    return set(packages), set(shared), describe_remarks((tmp_path / "remarks.json").read_text(), "requirements.txt")


_PINNED = {"net-cpu==2.1", "layers==3.1", "twin==2.1"}


_OLD = "net 1.5 instead of net-cpu 2.1, layers 2.9 instead of 3.1"


@pytest.mark.parametrize(
    ("requirements", "packages", "changes"),
    [
        (None, _PINNED, ""),
        ("plain<2\n", _PINNED | {"plain==1.1"}, ""),
        # The same version under another name is the same package.
        ("net\n", _PINNED, ""),
        ("net>=1\nlayers\n", _PINNED, ""),
        (
            "net==2.2\n",
            {"net==2.2", "layers==3.1", "twin==2.2"},
            "net 2.2 instead of net-cpu 2.1, twin 2.2 instead of 2.1",
        ),
        ("net-cpu==2.2\n", _PINNED ^ {"net-cpu==2.1", "net-cpu==2.2"}, "net-cpu 2.2 instead of 2.1"),
        ("layers==3.2\n", _PINNED ^ {"layers==3.1", "layers==3.2"}, "layers 3.2 instead of 3.1"),
        # No version of twin works with net 1.5, the version that text needs.
        ("net==1.5\n", {"net==1.5", "layers==2.9"}, f"{_OLD}, twin is left out"),
        ("text\n", {"text==1.0", "net==1.5", "layers==2.9"}, f"{_OLD}, twin is left out"),
    ],
)
def test_requirements_replace_pins(
    tmp_path: Path, index: Path, requirements: str | None, packages: set[str], changes: str
) -> None:
    """No package is installed twice: each is there under one name, in the version that the repository needs."""
    chosen, shared, notes = resolve(tmp_path, index, requirements)
    assert chosen == packages
    assert shared == packages & _PINNED
    prefix = "requirements.txt changes the packages that come with the framework: "
    assert notes == ([prefix + changes] if changes else [])


@pytest.mark.parametrize(
    ("requirements", "parts"),
    [
        ("config\n", ("config 0.11 is installed, not 1.3, because config 1.3 needs grammar, which has no wheel")),
        ("plain>=1  # any\n", ("plain 1.1 is installed, not 2.0, because plain 2.0 has no wheel")),
        ("plain<2\n", ""),
        ("config==0.11\n", ""),
        ("layers\n", ""),  # the pin is older than the newest release, but on purpose
    ],
)
def test_release_without_a_wheel_is_noted(tmp_path: Path, index: Path, requirements: str, parts: str) -> None:
    """The note gives both versions and the reason. If the repository itself limits the version, there is no note."""
    _, _, notes = resolve(tmp_path, index, requirements)
    assert len(notes) == bool(parts)
    assert all(parts in note and 'packages = "any"' in note for note in notes)
