"""Why a training run failed, judging by what Python, Keras and the kernel really leave behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import Reason
from epochal.results.diagnosis import diagnose, explain_exceptions, tail
from epochal.results.ending import parse_endings
from epochal.results.exceptions import Frame, Raised, find_last_exceptions
from epochal.results.remedies import Origin

_NOWHERE = Origin(Path("/nonexistent"))


def _diagnose(
    exit_status: int, log: str = "", reason: Reason | None = None, origin: Origin = _NOWHERE
) -> tuple[Reason, str]:
    diagnosis = diagnose(exit_status, reason, log, origin)
    assert diagnosis is not None
    return diagnosis


_RECORDER = Path(__file__).parents[2] / "epochal" / "recorder"
_MODULES = {"broken.py": "x = 1\nx = = 1\n", "dividing.py": "def divide(x):\n    return x / 0\n"}


def run_and_diagnose(
    folder: Path, files: dict[str, str], script: str = "nn.py", *, network: bool = False
) -> tuple[Reason, str]:
    """Run the ``script`` in ``files`` with the recorder, as a runtime does, and return the diagnosis."""
    code, out = folder / "code", folder / "out"
    out.mkdir()
    for name, text in files.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(text, encoding="utf-8")
    variables = {"PYTHONPATH": str(_RECORDER), "EPOCHAL_OUT": str(out), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-u", str(code / script)],
        cwd=code,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    metrics = out / "metrics.jsonl"
    endings = parse_endings(metrics.read_text(encoding="utf-8") if metrics.exists() else "")
    diagnosis = diagnose(result.returncode, None, result.stdout, Origin(code, script, network), endings)
    assert diagnosis is not None
    return diagnosis


def test_successful_training_has_no_diagnosis() -> None:
    """Exit status 0 is not a failure, whatever the log says."""
    assert diagnose(0, None, "Traceback (most recent call last):\nMemoryError\n", _NOWHERE) is None


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (Reason.TIMED_OUT, "minutes in server.toml"),
        (Reason.OUT_OF_MEMORY, "memory_mb in server.toml"),
        (Reason.KILLED, "SIGKILL"),
    ],
)
def test_reason_of_the_runtime_wins_over_the_log(reason: Reason, remedy: str) -> None:
    """The runtime knows why it stopped the script, whatever traceback the log contains."""
    diagnosed, sentence = _diagnose(
        137, 'Traceback (most recent call last):\n  File "nn.py", line 1\nKeyError: 1\n', reason
    )
    assert diagnosed is reason
    assert remedy in sentence


@pytest.mark.parametrize(
    ("script", "reason", "sentence"),
    [
        ("x = 1\nx = = 1\n", Reason.SYNTAX_ERROR, "nn.py line 2: SyntaxError: invalid syntax."),
        ("def f():\nx = 1\n", Reason.SYNTAX_ERROR, "nn.py line 2: IndentationError: "),
        ("import broken\n", Reason.SYNTAX_ERROR, "broken.py line 2: SyntaxError: "),
        (
            "import os\nimport no_such_package.part\n",
            Reason.IMPORT_ERROR,
            "nn.py line 2: ModuleNotFoundError: No module named 'no_such_package'. Add the package that provides "
            "no_such_package to requirements.txt, or, if it is your own module, commit no_such_package.py or the folder "
            "no_such_package.",
        ),
        (
            "import xml.none\n",
            Reason.IMPORT_ERROR,
            "nn.py line 1: ModuleNotFoundError: No module named 'xml.none'. Python has no xml.none. Correct the name or,",
        ),
        ("from os import no_such_name\n", Reason.IMPORT_ERROR, "nn.py line 1: ImportError: cannot import name"),
        (
            "x = 1\nbytearray(10 ** 18)\n",
            Reason.OUT_OF_MEMORY,
            "nn.py line 2 ran out of memory. Use fewer or smaller samples",
        ),
        (
            "x = 1\nraise MemoryError('Unable to allocate 8.06 GiB for an array with shape (9, 9)')\n",
            Reason.OUT_OF_MEMORY,
            "nn.py line 2 needs 8.06 GiB more memory. Use fewer or smaller samples, or a smaller data type such as float32",
        ),
        (
            "raise MemoryError('Unable to allocate 541. GiB for an array with shape (269550, 269550)')\n",
            Reason.OUT_OF_MEMORY,
            "nn.py line 1 needs 541 GiB more memory. Use fewer",
        ),
        ("import json\n\njson.loads('{')\n", Reason.SCRIPT_ERROR, "nn.py line 3: JSONDecodeError: Expecting property"),
        (
            "import dividing\n\ndividing.divide(1)\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 3, dividing.py line 2: ZeroDivisionError: division by zero.",
        ),
        ("class Odd(Exception): ...\nraise Odd\n", Reason.SCRIPT_ERROR, "nn.py line 2: Odd."),
        (
            "raise ValueError('one\\n  File \"a.py\", line 9\\ntwo')\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 1: ValueError: one.",
        ),
        (
            "raise ValueError('pandas dtypes must be int, float or bool.\\nFields with bad pandas dtypes: city: str\\n')\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 1: ValueError: pandas dtypes must be int, float or bool. Fields with bad pandas dtypes: city: str.",
        ),
        (
            "raise ValueError(\"Data cardinality is ambiguous.'x' sizes: 1347\\n'y' sizes: 1342\\n\")\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 1: ValueError: Data cardinality is ambiguous.'x' sizes: 1347 'y' sizes: 1342.",
        ),
        (
            "raise RuntimeError('Error(s) in loading state_dict for Net:\\n\\tMissing key(s) in state_dict: \"a\". \\nx')\n",
            Reason.SCRIPT_ERROR,
            'nn.py line 1: RuntimeError: Error(s) in loading state_dict for Net: Missing key(s) in state_dict: "a".',
        ),
        (
            "try:\n    1 / 0\nexcept Exception as error:\n    raise KeyError('a') from error\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 4: KeyError: 'a'.",
        ),
        (
            "class Late:\n    def __del__(self): raise OSError('late')\nlate = Late()\nraise KeyError('a')\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 4: KeyError: 'a'.",
        ),
        (
            "import traceback\ntry:\n    raise ConnectionError\nexcept OSError:\n    traceback.print_exc()\n{}['a']\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 6: KeyError: 'a'.",
        ),
        (
            "import sys\nsys.exit('no data')\n",
            Reason.SCRIPT_ERROR,
            'nn.py ended with exit status 1 on line 2; only 0 means success. The last line of its output was: "no data"',
        ),
        (
            "import sys\nsys.exit(-1)\n",
            Reason.SCRIPT_ERROR,
            "nn.py ended with exit status 255 on line 2; only 0 means success. It printed nothing.",
        ),
        ("import os\nos.abort()\n", Reason.KILLED, "Training was killed by SIGABRT."),
        (
            "import socket\ntry:\n    raise socket.gaierror(-3, 'Temporary failure in name resolution')\n"
            "except OSError as error:\n    raise RuntimeError('no data') from error\n",
            Reason.NO_NETWORK,
            "nn.py tried to use the network, which training cannot access. To provide the data, commit the file, or put the data "
            "in the server's data folder",
        ),
    ],
)
def test_last_traceback_gives_reason_line_and_remedy(
    tmp_path: Path, script: str, reason: Reason, sentence: str
) -> None:
    """Each script really runs, so the tracebacks are Python's own."""
    diagnosed, explanation = run_and_diagnose(tmp_path, _MODULES | {"nn.py": script})
    assert diagnosed is reason
    assert explanation.startswith(sentence)


@pytest.mark.parametrize(
    ("exit_status", "name"),
    [
        (-signal.SIGKILL, "SIGKILL"),
        (128 + signal.SIGSEGV, "SIGSEGV"),
        (-signal.SIGTERM, "SIGTERM"),
        (128 + 33, "signal 33"),
    ],
)
def test_signal_is_named(exit_status: int, name: str) -> None:
    """Python reports a signal as a negative exit status, a shell as 128 plus its number."""
    reason, sentence = _diagnose(exit_status, "Epoch 1/20\n")
    assert reason is Reason.KILLED
    assert name in sentence


# The output of Keras 3.15 when keras.datasets cannot download a dataset, without the middle of the traceback.
_NO_DOWNLOAD = """\
Downloading data from https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz
Traceback (most recent call last):
  File "/usr/lib/python3.11/socket.py", line 962, in getaddrinfo
    for res in _socket.getaddrinfo(host, port, family, type, proto, flags):
socket.gaierror: [Errno -3] Temporary failure in name resolution

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/train/nn.py", line 9, in <module>
    cifar10.load_data()
  File "/opt/venv/lib/python3.11/site-packages/keras/src/datasets/cifar10.py", line 70, in load_data
    path = get_file(
           ^^^^^^^^^
  File "/opt/venv/lib/python3.11/site-packages/keras/src/utils/file_utils.py", line 399, in get_file
    raise Exception(error_msg.format(origin, e.errno, e.reason))
Exception: URL fetch failure on https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz: None -- [Errno -3] Temporary \
failure in name resolution
"""


def test_failed_download_names_the_dataset() -> None:
    """The command in the remedy can be run exactly as shown."""
    reason, sentence = _diagnose(1, _NO_DOWNLOAD)
    assert reason is Reason.NO_NETWORK
    assert "epochal data fetch cifar10 " in sentence
    assert "URL fetch failure" in sentence
    diagnosis = diagnose(1, None, _NO_DOWNLOAD, Origin(Path("/nonexistent"), network=True))
    assert diagnosis and diagnosis[1].startswith(
        "nn.py could not reach a network address. To provide the data, run epochal data fetch cifar10"
    )


# TensorFlow's output for an error in a traced function; the middle of the traceback is left out.
_IN_USER_CODE = """\
Traceback (most recent call last):
  File "/train/nn.py", line 30, in <module>
    losses = [train_step(images, labels) for images, labels in train]
  File "/opt/venv/lib/python3.11/site-packages/tensorflow/python/util/traceback_utils.py", line 167, in error_handler
    raise e.with_traceback(filtered_tb) from None
  File "/tmp/__autograph_generated_filedip17gly.py", line 13, in tf__train_step
ValueError: in user code:

    File "/train/nn.py", line 23, in train_step  *
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(one_hot, logits))

    ValueError: Dimensions must be equal, but are 10 and 9.
"""


def test_error_in_a_traced_function_is_located_in_it() -> None:
    """The traceback contains only the call; the recorder also sees the hidden original exception, but not its line."""
    expected = Reason.SCRIPT_ERROR, "nn.py line 23: ValueError: Dimensions must be equal, but are 10 and 9."
    assert _diagnose(1, _IN_USER_CODE) == expected
    wrapper = find_last_exceptions(_IN_USER_CODE.splitlines())[0]
    library = Frame("/opt/venv/lib/python3.11/site-packages/tensorflow/ops.py", 9, "create_c_op")
    original = Raised("ValueError", "Dimensions must be equal, but are 10 and 9.", (library,))
    assert explain_exceptions([wrapper, original], _NOWHERE) == expected


_ABORTED = """\
qt.qpa.xcb: could not connect to display
qt.qpa.plugin: Could not load the Qt platform plugin "xcb" in "cv2/qt/plugins" even though it was found.
This application failed to start because no Qt platform plugin could be initialized.

Available platform plugins are: xcb.
"""


@pytest.mark.parametrize("reason", [None, Reason.KILLED])
def test_window_without_a_display_is_not_just_a_signal(reason: Reason | None, tmp_path: Path) -> None:
    """Qt aborts the process, so there is no traceback; the call is found in the script."""
    (tmp_path / "nn.py").write_text("import cv2\n\ncv2.imshow('digit', image)\n")
    diagnosed, explanation = _diagnose(134, _ABORTED, reason, Origin(tmp_path))
    assert diagnosed is Reason.NO_DISPLAY
    assert "Remove cv2.imshow() on line 3" in explanation


def test_memory_is_explained_by_the_line_that_used_it() -> None:
    """A smaller batch is suggested only if a training call ran out of memory; the limit is stated."""
    log = 'Traceback (most recent call last):\n  File "/train/nn.py", line 4, in <module>\n{}MemoryError\n'
    fit = '  File "/opt/venv/lib/python3.11/site-packages/keras/trainer.py", line 9, in fit\n'
    origin = Origin(Path("/nonexistent"), memory_mb=6144)
    for reason in (None, Reason.OUT_OF_MEMORY):
        _, data = _diagnose(1, log.format(""), reason, origin)
        assert data.startswith("nn.py line 4 ran out of memory (limit: 6144 MB). Use fewer or smaller samples")
        _, training = _diagnose(1, log.format(fit), reason, origin)
        assert training.startswith("Training ran out of memory in nn.py line 4 (limit: 6144 MB). Use a smaller batch")


@pytest.mark.parametrize(
    ("statement", "explained"),
    [
        (
            "model.fit(\n    x,\n    batch_size=15000,\n)",
            "Training ran out of memory in nn.py line 1. Use a smaller batch",
        ),
        ("print(model.evaluate(x, y)[1])", "Training ran out of memory in nn.py line 1. Use a smaller batch"),
        ("features = model(x)", "nn.py line 1 ran out of memory. Use fewer or smaller samples"),
    ],
)
@pytest.mark.parametrize(
    "recorded", ["", '  File "/scratch/recorder/epochal_recorder/keras.py", line 134, in wrapper\n']
)
def test_memory_is_explained_by_the_call_if_keras_hides_its_frames(
    statement: str, explained: str, recorded: str, tmp_path: Path
) -> None:
    """Keras removes fit() and evaluate() from tracebacks, so the source of the line tells whether it trains."""
    (tmp_path / "nn.py").write_text(f"{statement}\n", encoding="utf-8")
    packages = "/opt/venv/lib/python3.11/site-packages"
    log = (
        f'Traceback (most recent call last):\n  File "/train/nn.py", line 1, in <module>\n{recorded}'
        f'  File "{packages}/keras/src/utils/traceback_utils.py", line 122, in error_handler\n'
        f'  File "{packages}/tensorflow/python/eager/execute.py", line 53, in quick_execute\n'
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[9,9]\n"
    )
    assert _diagnose(1, log, None, Origin(tmp_path))[1].startswith(explained)


def test_memory_of_an_argument_of_fit_is_not_that_of_the_batch(tmp_path: Path) -> None:
    """A tensor that is made on the line that calls fit() fails before Keras is called."""
    (tmp_path / "nn.py").write_text("model.fit(tf.zeros((10 ** 6, 10 ** 6)))\n", encoding="utf-8")
    log = (
        'Traceback (most recent call last):\n  File "/train/nn.py", line 1, in <module>\n'
        '  File "/opt/venv/lib/python3.11/site-packages/tensorflow/python/util/traceback_utils.py", line 153, in '
        "error_handler\ntensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor\n"
    )
    explanation = _diagnose(1, log, None, Origin(tmp_path))[1]
    assert explanation.startswith("nn.py line 1 ran out of memory. Use fewer or smaller samples")


@pytest.mark.parametrize(
    ("library_line", "remedy"),
    [
        ('keras/src/models/sequential.py", line 195, in build', "Use a smaller model, or ask the server's admin"),
        (
            'keras/src/utils/numerical_utils.py", line 9, in to_categorical',
            "Use fewer or smaller samples, or a smaller data",
        ),
        (
            'sklearn/gaussian_process/_gpc.py", line 773, in fit',
            "Use fewer samples or fewer features, or ask the server's",
        ),
        (
            'sklearn/preprocessing/_polynomial.py", line 502, in transform',
            "Use fewer samples or fewer features, or ask the server's",
        ),
        ('pandas/core/frame.py", line 9, in transform', "Use fewer or smaller samples, or a smaller data"),
    ],
)
def test_memory_remedy_suits_the_library(library_line: str, remedy: str) -> None:
    """Only neural networks have a batch size, and their weights do not depend on the number of samples."""
    log = 'Traceback (most recent call last):\n  File "/train/nn.py", line 4, in <module>\n'
    log += f'  File "/opt/venv/lib/python3.11/site-packages/{library_line}\nMemoryError: Unable to allocate 6.71 GiB\n'
    assert _diagnose(1, log)[1].startswith(f"nn.py line 4 needs 6.71 GiB more memory. {remedy}")


def test_long_message_is_cut_between_words() -> None:
    """The cut is marked, so that nobody mistakes the part for the whole."""
    log = 'Traceback (most recent call last):\n  File "/train/nn.py", line 4, in <module>\nKeyError: ' + "word " * 99
    assert _diagnose(1, log)[1].endswith(" word …")


# TensorFlow's output for an error in a graph: a library file is called nn.py, and the message names lines of code, too.
_IN_A_GRAPH = """\
Traceback (most recent call last):
  File "/train/nn.py", line 4, in <module>
    m.fit(x, y)
  File "/opt/venv/lib/python3.11/site-packages/keras/src/backend/tensorflow/nn.py", line 53, in quick_execute
tensorflow.python.framework.errors_impl.{name}: Graph execution error:

Detected at node embedding/GatherV2 defined at (most recent call last):
  File "/train/nn.py", line 99, in <module>

{message}
\t [[{{{{node embedding/GatherV2}}}}]] [Op:__inference_multi_step_on_iterator_850]
"""


def test_error_in_a_graph_is_located_in_nn_py() -> None:
    """The exception is named on the line after the traceback, not at the end of its message."""
    log = _IN_A_GRAPH.format(name="InvalidArgumentError", message="indices[0,0] = 50 is not in [0, 10)")
    sentence = "nn.py line 4: InvalidArgumentError: indices[0,0] = 50 is not in [0, 10)."
    assert _diagnose(1, log) == (Reason.SCRIPT_ERROR, sentence)


@pytest.mark.parametrize(
    "log",
    [
        _IN_A_GRAPH.format(name="ResourceExhaustedError", message="OOM when allocating tensor with shape[9,9]"),
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
        "op_kernel.cc:1858] OP_REQUIRES failed : RESOURCE_EXHAUSTED: OOM when allocating tensor with shape[1437,96,96,128]\n",
    ],
)
@pytest.mark.parametrize("reason", [None, Reason.KILLED])
def test_refused_memory_is_recognized(log: str, reason: Reason | None) -> None:
    """The messages from TensorFlow and C++ are recognized even if a signal ended the script."""
    diagnosed, remedy = _diagnose(139, log, reason)
    assert diagnosed is Reason.OUT_OF_MEMORY
    assert ("Use a smaller batch size" in remedy) == ("Traceback" not in log)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", ""),
        ("one\n\n  two  \n\n", "one\n  two"),
        ("one\r\ntwo\r\n", "one\ntwo"),
        (" 1/5\r 5/5\ndone", " 5/5\ndone"),
        ("1/5\b\b\b5/5\n", "5/5"),
        ("1/5 \b\b\b\b\r\x1b[1m5/5\x1b[0m \x1b[32m━━\x1b[0m\r", "5/5 ━━"),
        ("\x1b]0;title\x07a\x00b\x1b[2K\tc", "ab\tc"),
    ],
)
def test_tail_looks_as_on_a_terminal(log: str, expected: str) -> None:
    """Colours, backspaces and text that a carriage return overwrote are removed."""
    assert tail(log) == expected


def test_tail_keeps_the_last_lines() -> None:
    """The last lines keep their order."""
    assert tail("\n".join(map(str, range(100))), lines=2) == "98\n99"


_LOGS = st.lists(
    st.sampled_from(
        [
            "Traceback (most recent call last):\n",
            '  File "nn.py", line 3, in f\n',
            "KeyError: 1\n",
            "\n",
            "Exception ignored\n",
            "\b",
            "\r",
            "\x1b[",
        ]
    )
    | st.text(max_size=3)
).map("".join)


@given(st.integers(-70, 300), st.sampled_from([None, *Reason]), _LOGS)
def test_every_failure_has_an_explanation(exit_status: int, reason: Reason | None, log: str) -> None:
    """A failure with any exit status, reason and log is explained, and the tail of the log has no control sequences."""
    diagnosis = diagnose(exit_status, reason, log, _NOWHERE)
    assert (diagnosis is None) == (exit_status == 0 and reason is None)
    assert diagnosis is None or diagnosis[1]
    assert not {"\r", "\b", "\x1b"} & set(tail(log))
