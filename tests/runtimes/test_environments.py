"""Preparing images and environments and checking imports in them, in both runtimes."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed, UsageError
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.engine import connect
from epochal.runtimes.imports import ImportFailed
from epochal.settings import RuntimeName

from .conftest import Bench, MakeHome, make_settings


def write_code(folder: Path, requirements: str) -> Path:
    """Write the code of a repository with a requirements.txt."""
    code = folder / "code"
    code.mkdir()
    (code / "requirements.txt").write_text(requirements, encoding="utf-8")
    return code


@pytest.fixture
def new_code(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """Yield code for which no environment exists yet; remove the environment after the test."""
    code = write_code(tmp_path, f"tinycss2 != 0.{uuid.uuid4().int % 10**9}\n")
    yield code
    image = bench.make_runtime().prepare("python", code, print)
    if bench.name == "docker":
        connect(bench.docker_host).images.remove(image)
    else:
        shutil.rmtree(image)


def test_environment_is_made_once(bench: Bench, new_code: Path) -> None:
    """An environment has the required and the pinned packages. Its name is known in advance and ignores comments."""
    first: list[str] = []
    second: list[str] = []
    runtime = bench.make_runtime()
    name_before = runtime.image_name("python", new_code)
    image = runtime.prepare("python", new_code, first.append)
    assert image == name_before
    with (new_code / "requirements.txt").open("a") as requirements:
        requirements.write("\n# A comment.\n")
    assert runtime.prepare("python", new_code, second.append) == image
    assert any("; later runs will reuse it" in line for line in first)
    assert not any("; later runs will reuse it" in line for line in second)
    assert image != bench.image
    runtime.check_imports(image, ["tinycss2", "numpy"])


def test_missing_module_is_named(bench: Bench) -> None:
    """The detail contains the interpreter's error."""
    with pytest.raises(ImportFailed) as caught:
        bench.make_runtime().check_imports(bench.image, ["json", "no_such_module"])
    assert caught.value.reason is Reason.IMPORT_ERROR
    assert caught.value.errors == {"no_such_module": "ModuleNotFoundError: No module named 'no_such_module'"}
    assert "no_such_module" in caught.value.detail


def test_requirement_that_would_run_code_is_refused(bench: Bench, tmp_path: Path) -> None:
    """Code that runs during installation is outside the sandbox for training."""
    with pytest.raises(RunFailed) as caught:
        bench.make_runtime().prepare("python", write_code(tmp_path, "git+https://example.org/evil.git\n"), print)
    assert caught.value.reason is Reason.REFUSED_REQUIREMENT


def test_requirements_in_utf16_are_reported(bench: Bench, tmp_path: Path) -> None:
    """Windows PowerShell writes UTF-16 by default."""
    code = write_code(tmp_path, "")
    (code / "requirements.txt").write_bytes("numpy\n".encode("utf-16"))
    with pytest.raises(RunFailed, match="not UTF-8"):
        bench.make_runtime().prepare("python", code, print)


def test_missing_requirement_fails_the_environment(bench: Bench, tmp_path: Path) -> None:
    """The detail contains the installer's output."""
    with pytest.raises(RunFailed) as caught:
        bench.make_runtime().prepare("python", write_code(tmp_path, "numpy==0.0.1\n"), print)
    assert caught.value.reason is Reason.ENVIRONMENT_FAILED
    assert "numpy==0.0.1" in caught.value.detail


def test_requirement_without_a_wheel_fails_the_environment(bench: Bench, tmp_path: Path) -> None:
    """The message names the setting that allows packages without a wheel."""
    with pytest.raises(RunFailed, match=r"antlr4-python3-runtime.* has no usable wheel.*packages = \"any\"") as caught:
        bench.make_runtime().prepare("python", write_code(tmp_path, "antlr4-python3-runtime==4.9.3\n"), print)
    assert caught.value.reason is Reason.ENVIRONMENT_FAILED
    assert caught.value.explanation.startswith("requirements.txt")


def test_index_that_cannot_be_reached_is_named(
    make_home: MakeHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says which settings an admin can change."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    runtime = choose_runtime("process", make_home(tmp_path / "home"), make_settings(), "", print)
    with pytest.raises(RunFailed, match=r"http://127\.0\.0\.1:9/simple/.* could not be reached.*ca_bundle") as caught:
        runtime.prepare("python", write_code(tmp_path, "tinycss2==0.0.1\n"), print)
    assert caught.value.reason is Reason.ENVIRONMENT_FAILED


def test_failed_fetch_of_a_dataset_is_reported(bench: Bench) -> None:
    """The error contains the last lines of the output."""
    with pytest.raises(UsageError, match="no such host"):
        bench.make_runtime().fetch_dataset(bench.image, "raise SystemExit('no such host')", print)


def test_incomplete_environment_is_made_again(tmp_path: Path) -> None:
    """A killed build leaves a folder without a completion marker, which must not be used for training."""
    bench = Bench("process", tmp_path / "home", "", "")  # not the shared cache, whose environments other tests use
    (tmp_path / "home").mkdir()
    runtime = bench.make_runtime()
    incomplete = Path(runtime.image_name("python", bench.home))
    (incomplete / "bin").mkdir(parents=True)
    assert runtime.prepare("python", bench.home, print) == str(incomplete)
    assert (incomplete / "complete").exists()
    runtime.check_imports(str(incomplete), ["json"])


def test_process_runtime_warns_that_it_is_no_sandbox(process_bench: Bench) -> None:
    """Nobody should mistake it for one."""
    lines: list[str] = []
    process_bench.make_runtime().prepare("python", process_bench.home, lines.append)
    assert any("without a sandbox" in line for line in lines)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_keras_uses_cached_datasets(
    name: RuntimeName,
    request: pytest.FixtureRequest,
    prepare: Callable[[RuntimeName, str], str],
) -> None:
    """Keras loads a file and unpacks an archive from a read-only cache, without network access."""
    bench: Bench = request.getfixturevalue(f"{name}_bench")
    image = prepare(name, "keras")
    runtime = bench.make_runtime(limits={"memory_mb": 4096})
    runtime.check_imports(image, ["keras", "pandas", "sklearn"])
    runtime.fetch_dataset(
        image,
        "import keras, numpy, os, pathlib, tarfile\n"
        "folder = pathlib.Path(os.environ['KERAS_HOME'], 'datasets'); folder.mkdir()\n"
        "numpy.savez(folder / 'mnist.npz', x_test=numpy.arange(5))\n"
        "tarfile.open(folder / 'cifar-10-batches-py-target_archive', 'w:gz').add(folder / 'mnist.npz', 'batch')\n",
        print,
    )
    training = bench.make_training(
        """
        import keras, numpy, pathlib
        nowhere = "http://127.0.0.1:9/"
        print(numpy.load(keras.utils.get_file("mnist.npz", nowhere))["x_test"])
        folder = keras.utils.get_file("cifar-10-batches-py-target", nowhere, extract=True)
        print(numpy.load(pathlib.Path(folder) / "batch")["x_test"])
        """,
        image=image,
    )
    outcome = runtime.train(training)
    log = training.folder.log.read_text()
    assert outcome.exit_status == 0, log
    assert log.count("[0 1 2 3 4]") == 2
