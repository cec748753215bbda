"""Making and proving images and environments, in whichever runtime."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed, UsageError
from epochal.runtimes.engine import connect
from epochal.settings import RuntimeName

from .conftest import Bench


def code_with(folder: Path, requirements: str) -> Path:
    """A repository's code with a requirements.txt."""
    code = folder / "code"
    code.mkdir()
    (code / "requirements.txt").write_text(requirements, encoding="utf-8")
    return code


@pytest.fixture
def unmade(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """A repository's code for which no environment was ever made; what is made for it goes away again."""
    code = code_with(tmp_path, f"tinycss2 != 0.{uuid.uuid4().int % 10**9}\n")
    yield code
    image = bench.runtime().prepare("python", code, print)
    if bench.name == "docker":
        connect(bench.docker_host).images.remove(image)
    else:
        shutil.rmtree(image)


def test_an_environment_is_made_once(bench: Bench, unmade: Path) -> None:
    """The repository's own requirements are in it beside the framework's pins; a second preparation makes nothing, nor do
    comments. Its name is known before it is made."""
    first: list[str] = []
    second: list[str] = []
    runtime = bench.runtime()
    named = runtime.image_name("python", unmade)
    image = runtime.prepare("python", unmade, first.append)
    assert image == named
    with (unmade / "requirements.txt").open("a") as requirements:
        requirements.write("\n# A comment.\n")
    assert runtime.prepare("python", unmade, second.append) == image
    assert any(": once, it is kept" in line for line in first)
    assert not any(": once, it is kept" in line for line in second)
    assert image != bench.image
    runtime.prove(image, ["tinycss2", "numpy"])


def test_a_missing_module_is_told_by_its_name(bench: Bench) -> None:
    """An import that fails is told with the module and the remedy, what the interpreter said being the detail."""
    with pytest.raises(RunFailed) as caught:
        bench.runtime().prove(bench.image, ["json", "no_such_module"])
    assert caught.value.reason is Reason.IMPORT_ERROR
    assert "The code imports no_such_module" in caught.value.explanation
    assert "ModuleNotFoundError" in caught.value.detail


def test_a_requirement_that_is_not_allowed(bench: Bench, tmp_path: Path) -> None:
    """What would run code while it is installed is refused before anything is made."""
    with pytest.raises(RunFailed) as caught:
        bench.runtime().prepare("python", code_with(tmp_path, "git+https://example.org/evil.git\n"), print)
    assert caught.value.reason is Reason.REFUSED_REQUIREMENT


def test_requirements_that_are_no_text(bench: Bench, tmp_path: Path) -> None:
    """UTF-16, as PowerShell writes it, is told as that."""
    code = code_with(tmp_path, "")
    (code / "requirements.txt").write_bytes("numpy\n".encode("utf-16"))
    with pytest.raises(RunFailed, match="not UTF-8"):
        bench.runtime().prepare("python", code, print)


def test_a_requirement_that_does_not_exist(bench: Bench, tmp_path: Path) -> None:
    """The installer's own words are the detail."""
    with pytest.raises(RunFailed) as caught:
        bench.runtime().prepare("python", code_with(tmp_path, "numpy==0.0.1\n"), print)
    assert caught.value.reason is Reason.ENVIRONMENT_FAILED
    assert "numpy==0.0.1" in caught.value.detail


def test_a_dataset_that_cannot_be_fetched(bench: Bench) -> None:
    """The last lines of the attempt are told."""
    with pytest.raises(UsageError, match="no such host"):
        bench.runtime().fetch_dataset(bench.image, "raise SystemExit('no such host')", print)


def test_a_build_that_was_killed_is_made_anew(tmp_path: Path) -> None:
    """A folder without its marker is what a killed build left: it is not trained in."""
    bench = Bench("process", tmp_path / "home", "", "")  # not the shared cache: others train in what is there
    (tmp_path / "home").mkdir()
    runtime = bench.runtime()
    left = Path(runtime.image_name("python", bench.home))
    (left / "bin").mkdir(parents=True)
    assert runtime.prepare("python", bench.home, print) == str(left)
    assert (left / "complete").exists()
    runtime.prove(str(left), ["json"])


def test_the_process_runtime_says_what_it_is(process_bench: Bench) -> None:
    """Nobody takes it for a sandbox."""
    told: list[str] = []
    process_bench.runtime().prepare("python", process_bench.home, told.append)
    assert any("no sandbox" in line for line in told)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_keras_finds_and_unpacks_what_is_cached(
    name: RuntimeName,
    request: pytest.FixtureRequest,
    prepare: Callable[[RuntimeName, str], str],
) -> None:
    """Keras takes a file from the cache, and unpacks an archive of it, with a read-only cache and without a network."""
    bench: Bench = request.getfixturevalue(f"{name}_bench")
    image = prepare(name, "keras")
    runtime = bench.runtime(limits={"memory_mb": 4096})
    runtime.prove(image, ["keras", "pandas", "sklearn"])
    runtime.fetch_dataset(
        image,
        "import keras, numpy, os, pathlib, tarfile\n"
        "folder = pathlib.Path(os.environ['KERAS_HOME'], 'datasets'); folder.mkdir()\n"
        "numpy.savez(folder / 'mnist.npz', x_test=numpy.arange(5))\n"
        "tarfile.open(folder / 'cifar-10-batches-py-target_archive', 'w:gz').add(folder / 'mnist.npz', 'batch')\n",
        print,
    )
    training = bench.training(
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
