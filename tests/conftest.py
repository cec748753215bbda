"""Shared fixtures: a home whose training environments are created once per session, and a Python for each framework."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from epochal.errors import RunFailed
from epochal.runtimes.engine import connect
from epochal.runtimes.lock import file_lock
from epochal.runtimes.process import ProcessRuntime
from epochal.settings import Environment, read_server_settings
from tests.warm import warm_training

pytest.register_assert_rewrite("tests.cases.expected")
collect_ignore_glob = ["cases/*/*"]
"""The folders of tests/cases hold scripts that are data here, even if they are named like tests."""


hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")
"""Other processes may slow down the machine that runs the tests."""


def pytest_configure() -> None:
    """Draw the seed of test_noise.py before pytest-xdist's workers start, so that they all inherit it."""
    os.environ.setdefault("TEST_NOISE_SEED", str(random.SystemRandom().randrange(10_000)))


def pytest_report_header() -> str:
    """Report the seed, so that the same scripts can be drawn again."""
    return f"TEST_NOISE_SEED={os.environ['TEST_NOISE_SEED']}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests that need Docker on one worker, so that none waits for an image that another worker builds.

    They run first, so that the other workers do not wait for that worker at the end.
    """
    for item in items:
        if item.get_closest_marker("docker"):
            item.add_marker(pytest.mark.xdist_group("docker"))
    items.sort(key=lambda item: item.get_closest_marker("docker") is None)


@pytest.fixture(scope="session", autouse=True)
def _hide_user_configuration() -> Iterator[None]:
    """Hide the git configuration and the Epochal variables of the user who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in ("EPOCHAL_HOME", "EPOCHAL_RUN", "EPOCHAL_RUNTIME", "EPOCHAL_DATABASE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache folder that all homes of this session share: TEST_CACHE_FOLDER, or a temporary folder.

    All pytest-xdist workers use the same folder; Epochal's own locks guard what is created in it.
    """
    configured = os.environ.get("TEST_CACHE_FOLDER")
    folder = tmp_path_factory.getbasetemp()
    session = folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder
    cache = Path(configured) if configured else session / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache.absolute()


@pytest.fixture
def home(tmp_path: Path, shared_cache: Path) -> Path:
    """Return an EPOCHAL_HOME for this test alone, except that its cache is shared."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "cache").symlink_to(shared_cache)
    return home


def _prepare_python(
    framework: str, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory, server_settings: str = ""
) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "cache").symlink_to(shared_cache)
    (home / "server.toml").write_text(server_settings, encoding="utf-8")
    settings = read_server_settings(Environment.read({"EPOCHAL_HOME": str(home), **_read_ca_bundle()}))
    environment = ProcessRuntime(home, settings).prepare(framework, tmp_path_factory.mktemp("code"), print)
    return Path(environment) / "bin" / "python"


def _read_ca_bundle() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name == "EPOCHAL_CA_BUNDLE"}


@pytest.fixture(scope="session")
def keras_python(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has Keras."""
    return _prepare_python("keras", shared_cache, tmp_path_factory)


@pytest.fixture(scope="session")
def warm_keras_python(keras_python: Path) -> Path:
    """Return a Python that has Keras and has already imported TensorFlow, to run scripts (see ``warm``)."""
    return warm_training(keras_python.parent.parent.resolve())


@pytest.fixture(autouse=True)
def _train_with_warm_python(request: pytest.FixtureRequest) -> None:
    """Make jobs train with the warm Python in each test that is marked ``keras``."""
    if request.node.get_closest_marker("keras"):
        request.getfixturevalue("warm_keras_python")


@pytest.fixture(scope="session")
def sklearn_python(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has scikit-learn."""
    return _prepare_python("sklearn", shared_cache, tmp_path_factory)


@pytest.fixture(scope="session")
def boosting_python(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has XGBoost and LightGBM."""
    return _prepare_python("xgboost", shared_cache, tmp_path_factory)


TORCH_STUBS = Path(__file__).parent / "torch_stubs"
TORCH_SETTINGS = '[images]\ntorch_index = "pypi"\n'
"""The server.toml of the environment that ``torch_python`` makes."""


@pytest.fixture(scope="session")
def torch_python(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has PyTorch, from the ordinary index but without the 5 GB of CUDA libraries.

    Building stand-ins for the libraries that torch links against needs gcc and readelf. Without them, skip the test, or
    fail it in CI.
    """
    if not (shutil.which("gcc") and shutil.which("readelf")):
        why = "needs gcc and binutils to make stand-ins for CUDA's libraries"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with file_lock(shared_cache / "locks" / "torch-stubs", print), pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_OVERRIDE", str(TORCH_STUBS / "no-cuda.txt"))
        python = _prepare_python("torch", shared_cache, tmp_path_factory, TORCH_SETTINGS)
        libraries = next(python.parents[1].glob("lib/python*/site-packages/torch/lib"))
        if not (libraries / "stubs").exists():
            subprocess.run([sys.executable, TORCH_STUBS / "stub_cuda.py", libraries], check=True)
            (libraries / "stubs").touch()
    return python


@pytest.fixture(scope="session")
def docker_host() -> str:
    """Return the address of a Docker engine that answers; without one, skip the test, or fail it in CI."""
    host = os.environ.get("DOCKER_HOST", "")
    try:
        connect(host).close()
    except RunFailed as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return host
