"""Check that an environment can import the modules that nn.py imports, and remember each success."""

from collections.abc import Callable, Sequence
from pathlib import Path

from epochal.errors import Reason, RunFailed
from epochal.runtimes.log import last_lines
from epochal.runtimes.recipe import digest

IMPORT_TIMEOUT_SECONDS = 300.0
"""The time limit for the imports. Importing TensorFlow takes 8 s if the disk cache is cold."""

_ERROR_PREFIX = "epochal cannot import "

SCRIPT = f"""
import importlib, sys
missing = 0
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{_ERROR_PREFIX}{{name}}: {{type(error).__name__}}: {{error}}")
        if not isinstance(error, ModuleNotFoundError) or not f"{{name}}.".startswith(f"{{error.name}}."):
            raise
        missing += 1
sys.exit(missing > 0)
"""
"""A script that imports the modules given as arguments, and prints a line with the reason for each failed import.

It continues after a module that is not installed, and ends with a traceback if an import fails for another reason.
"""


class ImportFailed(RunFailed):
    """Modules cannot be imported in the training environment.

    ``errors``: the exception and message for each module, as in ``ModuleNotFoundError: No module named 'cv2'``.
    ``output``: Python's output.
    """

    def __init__(self, errors: dict[str, str], output: str) -> None:
        self.errors = errors
        self.output = output
        explanation = f"Import failed in the training environment: {', '.join(errors)}."
        super().__init__(Reason.IMPORT_ERROR, explanation, last_lines(output))


def check_imports_once(
    folder: Path, environment: str, modules: Sequence[str], run: Callable[[list[str]], tuple[int, str]]
) -> None:
    """Check that ``modules`` can be imported, unless ``folder`` records that ``environment`` can import all of them.

    If any of them is not recorded yet, all are imported in the given order, because some modules can be imported only
    after others. ``run`` starts Python with the given arguments and returns its exit status and output. Raises
    ImportFailed if an import fails.
    """
    markers = [folder / digest(environment, module) for module in modules]
    if all(path.exists() for path in markers):
        return
    status, output = run(["-c", SCRIPT, *modules])
    if status != 0:
        lines = [line.removeprefix(_ERROR_PREFIX) for line in output.splitlines() if line.startswith(_ERROR_PREFIX)]
        errors = {name: error for name, _, error in (line.partition(": ") for line in lines)}
        raise ImportFailed(errors or dict.fromkeys(modules, ""), output)
    folder.mkdir(parents=True, exist_ok=True)
    for path in markers:
        path.touch()
