"""Why a training ended badly, told by what Python, Keras and the kernel really leave behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import Reason
from epochal.results.diagnosis import diagnose, tail


def _told(exit_status: int, log: str = "", reason: Reason | None = None) -> tuple[Reason, str]:
    told = diagnose(exit_status, reason, log)
    assert told is not None
    return told


_MODULES = {"broken": "x = 1\nx = = 1\n", "dividing": "def divide(x):\n    return x / 0\n"}


def _run(folder: Path, script: str) -> tuple[Reason, str]:
    """What is told of a script that is really run, as nn.py with two modules beside it."""
    for name, text in {"nn": script, **_MODULES}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-u", str(folder / "nn.py")]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return _told(ended.returncode, ended.stdout)


def test_a_training_that_ended_well() -> None:
    """Status 0 is no failure, whatever the log says."""
    assert diagnose(0, None, "Traceback (most recent call last):\nMemoryError\n") is None


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (Reason.TIMED_OUT, "minutes in server.toml"),
        (Reason.OUT_OF_MEMORY, "memory_mb in server.toml"),
        (Reason.KILLED, "SIGKILL"),
    ],
)
def test_the_runtime_knows_better_than_the_log(reason: Reason, remedy: str) -> None:
    """A reason of the runtime's is told with its remedy, and the log is not asked."""
    told, sentence = _told(137, 'Traceback (most recent call last):\n  File "nn.py", line 1\nKeyError: 1\n', reason)
    assert told is reason
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
            "nn.py line 2: ModuleNotFoundError: No module named 'no_such_package'. "
            "Add the package that has no_such_package to requirements.txt.",
        ),
        (
            "import xml.none\n",
            Reason.IMPORT_ERROR,
            "nn.py line 1: ModuleNotFoundError: No module named 'xml.none'. Pin a version",
        ),
        ("from os import no_such_name\n", Reason.IMPORT_ERROR, "nn.py line 1: ImportError: cannot import name"),
        ("x = 1\nbytearray(10 ** 18)\n", Reason.OUT_OF_MEMORY, "The training needed more memory"),
        ("import json\n\njson.loads('{')\n", Reason.SCRIPT_ERROR, "nn.py line 3: JSONDecodeError: Expecting property"),
        (
            "import dividing\n\ndividing.divide(1)\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 3: ZeroDivisionError: division by zero.",
        ),
        ("class Odd(Exception): ...\nraise Odd\n", Reason.SCRIPT_ERROR, "nn.py line 2: Odd."),
        (
            "raise ValueError('one\\n  File \"a.py\", line 9\\ntwo')\n",
            Reason.SCRIPT_ERROR,
            "nn.py line 1: ValueError: one.",
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
            'nn.py ended with exit status 1; only 0 means that all is well. Its last line: "no data"',
        ),
        (
            "import sys\nsys.exit(-1)\n",
            Reason.SCRIPT_ERROR,
            "nn.py ended with exit status 255; only 0 means that all is well. It printed nothing.",
        ),
        ("import os\nos.abort()\n", Reason.KILLED, "The training was killed by SIGABRT."),
        (
            "import socket\ntry:\n    raise socket.gaierror(-3, 'Temporary failure in name resolution')\n"
            "except OSError as error:\n    raise RuntimeError('no data') from error\n",
            Reason.NO_NETWORK,
            "The code wanted the network, which training does not have: put the files into the server's data folder",
        ),
    ],
)
def test_what_a_script_left_behind(tmp_path: Path, script: str, reason: Reason, sentence: str) -> None:
    """The last traceback of a script that really ran gives the reason, the line and the remedy."""
    told, explanation = _run(tmp_path, script)
    assert told is reason
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
def test_a_signal_is_told_by_name(exit_status: int, name: str) -> None:
    """Killed by a signal, as Python says it and as a shell says it."""
    reason, sentence = _told(exit_status, "Epoch 1/20\n")
    assert reason is Reason.KILLED
    assert name in sentence


# What Keras 3.15 leaves where keras.datasets has to download; the middle of the traceback is left out.
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


def test_a_dataset_that_cannot_be_downloaded() -> None:
    """The remedy names the dataset, so that it can be typed as it stands."""
    reason, sentence = _told(1, _NO_DOWNLOAD)
    assert reason is Reason.NO_NETWORK
    assert "epochal data fetch cifar10 " in sentence
    assert "URL fetch failure" in sentence
    told = diagnose(1, None, _NO_DOWNLOAD, has_network=True)
    assert told and told[1].startswith(
        "The code could not reach an address on the network. Check it, or do without: type"
    )


# What TensorFlow leaves of an error in a graph: a message that holds places of its own, in a library's nn.py too.
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


def test_an_error_in_a_graph() -> None:
    """The exception is the line behind the traceback, not the end of its message, and the place is nn.py's."""
    log = _IN_A_GRAPH.format(name="InvalidArgumentError", message="indices[0,0] = 50 is not in [0, 10)")
    assert _told(1, log) == (Reason.SCRIPT_ERROR, "nn.py line 4: InvalidArgumentError: Graph execution error.")


@pytest.mark.parametrize(
    "log",
    [
        _IN_A_GRAPH.format(name="ResourceExhaustedError", message="OOM when allocating tensor with shape[9,9]"),
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
    ],
)
def test_memory_that_was_refused(log: str) -> None:
    """TensorFlow's and C++'s words for want of memory are understood, even where a signal ended the training."""
    assert _told(134, log)[0] is Reason.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("log", "shown"),
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
def test_the_tail_is_as_a_terminal_shows_it(log: str, shown: str) -> None:
    """Colours, backspaces and what a carriage return wrote over are gone."""
    assert tail(log) == shown


def test_the_tail_has_so_many_lines() -> None:
    """The last lines are kept, the last one last."""
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
def test_any_end_is_told_in_words(exit_status: int, reason: Reason | None, log: str) -> None:
    """Whatever a training leaves behind, there is a reason and a sentence, and the tail can be printed."""
    told = diagnose(exit_status, reason, log)
    assert (told is None) == (exit_status == 0 and reason is None)
    assert told is None or told[1]
    assert not {"\r", "\b", "\x1b"} & set(tail(log))
