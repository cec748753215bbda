"""Scripts that end in unusual ways: whether their accuracy counts, and what the run says about it."""

from pathlib import Path

import pytest

from epochal.errors import Reason
from epochal.records import State
from tests.jobs.chain import ChainResult, train_commit
from tests.trials import accuracies

# The accuracy is epochs / 40: 20 epochs give 0.5, 30 give 0.75.
_LEARNS = "import sys, threading, time\nepochs = 20\n"
_MEASURES = "accuracy = epochs / 40\nprint(f'Test accuracy: {accuracy}')\n"
_IMPATIENT = "sys.modules['epochal_recorder.ending']._IDLE_WINDOW = 1.0\n"


def _train(home: Path, tmp_path: Path, script: str) -> ChainResult:
    return train_commit(home, tmp_path, {"nn.py": script, "epochal.toml": "threshold = 0.7\n"})


def test_script_with_its_own_gate_is_retrained(home: Path, tmp_path: Path) -> None:
    """An accuracy counts even if the script then exits with status 1 because of its own gate."""
    result = _train(home, tmp_path, _LEARNS + _MEASURES + "if accuracy < 0.7:\n    sys.exit(1)\n")
    assert result.run.state is State.REACHED
    assert accuracies(result.run) == [0.5, 0.75]
    assert any("nn.py line 6 ended the script with exit status 1" in note for note in result.run.notes)


def test_fault_after_the_measurement_fails_the_run(home: Path, tmp_path: Path) -> None:
    """An exception that the script did not raise on purpose does not count as a gate."""
    result = _train(home, tmp_path, _LEARNS + _MEASURES + "{}['accuracy']\n")
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.SCRIPT_ERROR)
    assert result.run.explanation == "nn.py line 5: KeyError: 'accuracy'."


def test_own_gate_before_any_measurement_fails_the_run(home: Path, tmp_path: Path) -> None:
    """Without an accuracy, only the exit status counts."""
    result = _train(home, tmp_path, _LEARNS + "if epochs < 30:\n    sys.exit('too few')\n" + _MEASURES)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.SCRIPT_ERROR)
    assert "exit status 1 on line 4" in result.run.explanation


def test_idle_thread_does_not_keep_the_training_alive(home: Path, tmp_path: Path) -> None:
    """The script is over once its main thread has ended and the others are idle; a note says which line started the thread."""
    threads = "def watch():\n    while True:\n        time.sleep(60)\nthreading.Thread(target=watch).start()\n"
    result = _train(home, tmp_path, _LEARNS.replace("20", "30") + _IMPATIENT + threads + _MEASURES)
    assert result.run.state is State.REACHED
    assert [
        note
        for note in result.run.notes
        if "watch, in the thread created on line 7 of nn.py" in note and "daemon=True" in note
    ]


def test_thread_that_works_is_waited_for(home: Path, tmp_path: Path) -> None:
    """A script may train in a thread that its main thread does not wait for."""
    work = "def work():\n    end = time.monotonic() + 3\n    while time.monotonic() < end:\n        pass\n"
    script = _LEARNS.replace("20", "30") + _IMPATIENT + work + "    accuracy = epochs / 40\n"
    script += "    print(f'Test accuracy: {accuracy}')\nthreading.Thread(target=work).start()\n"
    result = _train(home, tmp_path, script)
    assert result.run.state is State.REACHED
    assert not any("daemon" in note for note in result.run.notes)


_SPAWNS = "import multiprocessing\npool = multiprocessing.get_context('spawn').Pool(2)\npool.map(abs, [1, 2])\n"


def test_script_whose_processes_cannot_start_is_ended(home: Path, tmp_path: Path) -> None:
    """A pool replaces the processes that fail, so the script would wait for them until its time limit."""
    result = _train(home, tmp_path, _LEARNS + _SPAWNS + _MEASURES)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.SCRIPT_ERROR)
    assert result.run.explanation == (
        "nn.py line 4: RuntimeError: An attempt has been made to start a new process before the current process has "
        "finished its bootstrapping phase. Each process that nn.py spawns runs the script again and fails before doing any work. "
        'Put the code that leads to this line under `if __name__ == "__main__":`.'
    )


def test_script_may_continue_without_a_process_that_cannot_start(home: Path, tmp_path: Path) -> None:
    """Only several failed processes show that the script is stuck."""
    spawns = _SPAWNS.replace("Pool(2)", "Process()").replace("pool.map(abs, [1, 2])", "pool.start(), pool.join()")
    result = _train(home, tmp_path, _LEARNS.replace("20", "30") + spawns + _MEASURES)
    assert result.run.state is State.REACHED


def test_exception_that_the_script_printed_explains_a_missing_accuracy(home: Path, tmp_path: Path) -> None:
    """The exit status is 0, but the traceback says what went wrong."""
    caught = "import traceback\ntry:\n    open('data.csv')\nexcept OSError:\n    traceback.print_exc()\n"
    result = _train(home, tmp_path, _LEARNS + caught)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.MISSING_FILE)
    assert "nn.py line 5: FileNotFoundError" in result.run.explanation


_FAILS_TO_FIT = """\
import json, os
epochs = 300
metrics = open(os.environ["EPOCHAL_OUT"] + "/metrics.jsonl", "a")
frames = [["nn.py", 4, "<module>"], ["/venv/lib/python3.11/site-packages/sklearn/base.py", 9, "fit"]]
raised = [{"name": "ValueError", "message": "Input X contains NaN.", "frames": frames, "file": ""}]
score = {"event": "score", "of": "accuracy_score", "measures": "accuracy", "metrics": {"accuracy": 0.9}, "samples": 450}
labels = {"": {"kind": "classes", "answers": 2, "answer": "False", "chance": 0.9, "by_element": False}}
score |= {"labels": labels, "test_set": "1f9c9d6bca1fd40e", "line": 9, "time": 9.0}
"""
_FIT_FAILED = "fit() on line 4 raised ValueError: Input X contains NaN, but nn.py caught it and continued."


def _write_events(*events: str) -> str:
    return _FAILS_TO_FIT + "".join(f"metrics.write(json.dumps({event}) + '\\n')\n" for event in events)


def test_failed_fit_of_another_model_is_mentioned_if_there_is_no_accuracy(home: Path, tmp_path: Path) -> None:
    """The script evaluated only a fallback, perhaps because that fit failed."""
    script = _write_events('{"event": "failed", "raised": raised}', 'score | {"of": "DummyClassifier", "dummy": True}')
    result = _train(home, tmp_path, script)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.NO_ACCURACY)
    assert "evaluated only a DummyClassifier" in result.run.explanation
    assert result.run.explanation.endswith(_FIT_FAILED)


@pytest.mark.parametrize(("accuracy", "is_mentioned"), [(0.9, True), (0.99, False)])
def test_failed_fit_is_mentioned_if_the_accuracy_is_not_above_chance(
    home: Path, tmp_path: Path, accuracy: float, is_mentioned: bool
) -> None:
    """A script may try several models, and the one that it evaluated may have been trained."""
    metrics = f'score | {{"metrics": {{"accuracy": {accuracy}}}}}'
    result = _train(home, tmp_path, _write_events('{"event": "failed", "raised": raised}', metrics))
    assert accuracies(result.run)[0] == accuracy
    assert (_FIT_FAILED in result.run.notes) is is_mentioned


def test_script_that_calls_nothing_is_explained(home: Path, tmp_path: Path) -> None:
    """The script ends without an error, because it only defines functions for another file to call."""
    result = _train(home, tmp_path, "epochs = 20\n\ndef train():\n    print('Test accuracy: 0.9')\n")
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.NO_ACCURACY)
    assert result.run.explanation.startswith(
        "nn.py only defines functions and calls none, so it trains nothing. Call them"
    )


@pytest.mark.parametrize(
    ("end", "is_named"),
    [
        ("if args.cmd == 'train':\n    print('Test accuracy: 0.9')\n", True),
        ("if not args.cmd:\n    p.print_help()\n    sys.exit(0)\n", True),
        ("if hasattr(args, 'func'):\n    logging.info('Test accuracy: %s', args.func())\n", True),
        ("args.cmd = args.cmd or 'train'\nfor epoch in range(3):\n    print(f'Epoch {epoch + 1}/3')\n", False),
        ("args.cmd = args.cmd or 'train'\nprint('loss: 0.3')\n", False),
        ("args = p.parse_args(['train'])\n", False),
    ],
)
def test_subcommand_that_was_never_chosen_is_named(home: Path, tmp_path: Path, end: str, is_named: bool) -> None:
    """The script measures its accuracy in a subcommand, so advice to measure one would be puzzling."""
    parser = "import argparse, logging\np = argparse.ArgumentParser()\n"
    parser += "p.add_subparsers(dest='cmd').add_parser('train')\nargs = p.parse_args()\n"
    result = _train(home, tmp_path, _LEARNS + parser + end)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.NO_ACCURACY)
    explanation = (
        "nn.py finished but reported no accuracy. It trained nothing that Epochal could observe: Epochal runs it without "
        'arguments, so pass the training subcommand to parse_args(), as in parse_args(["train"]).'
    )
    assert (result.run.explanation == explanation) is is_named


def test_logged_accuracy_that_is_not_shown_is_explained(home: Path, tmp_path: Path) -> None:
    """The script measures its accuracy, so advice to measure one would be puzzling."""
    logs = "import logging\nlogging.info('Test accuracy: %.3f', epochs / 40)\n"
    result = _train(home, tmp_path, _LEARNS + logs)
    assert (result.run.state, result.run.reason) == (State.FAILED, Reason.NO_ACCURACY)
    assert result.run.explanation == (
        "nn.py finished but reported no accuracy. nn.py line 4 logs an accuracy with info(), but Python shows such "
        "messages only if logging is configured to show them: call logging.basicConfig(level=logging.INFO) at the start "
        "of nn.py."
    )


_TO_FILE = "handler = logging.FileHandler('train.log')\nlog = logging.getLogger('digits')\nlog.setLevel('INFO')\n"
_UNSEEN = "logs an accuracy with info(), but that message is not in the output"
_PRINT_IT = "print the accuracy in a line like 'Test accuracy: 0.83'"
_ADD_HANDLER = ", or add a logging.StreamHandler() to the logger and call the logger's setLevel(logging.INFO)"


@pytest.mark.parametrize(
    ("configuration", "message", "explanation"),
    [
        (
            _TO_FILE + "log.handlers = [handler]\n",
            "log.info('Test accuracy: %.3f', epochs / 40)",
            f"line 8 {_UNSEEN}: {_PRINT_IT}{_ADD_HANDLER}.",
        ),
        (
            _TO_FILE + "if epochs:\n    log.addHandler(handler)\nelse:\n    log.addHandler(logging.StreamHandler())\n",
            "if epochs:\n    log.info('Test accuracy: {:.3f}'.format(epochs / 40))",
            f"line 12 {_UNSEEN}: make sure that the line runs, and {_PRINT_IT}{_ADD_HANDLER}.",
        ),
        (
            "import logging.config\nlogging.config.dictConfig({'version': 1, 'handlers': {'file': {'class': "
            "'logging.FileHandler', 'filename': 'a.log'}}, 'root': {'level': 'INFO', 'handlers': ['file']}})\n",
            "logging.getLogger('digits').info(f'{epochs} epochs: accuracy {epochs / 40}')",
            f"line 6 {_UNSEEN}: {_PRINT_IT}{_ADD_HANDLER}.",
        ),
        (
            _TO_FILE + "log.addHandler(handler)\ntry:\n    from loguru import logger\nexcept ImportError:\n    pass\n",
            "log.info('Accuracy of ' + '%.3f' % (epochs / 40))",  # a logger of loguru has no addHandler()
            f"line 12 {_UNSEEN}: {_PRINT_IT}.",
        ),
    ],
)
def test_logged_accuracy_that_is_not_in_the_output_is_explained(
    home: Path, tmp_path: Path, configuration: str, message: str, explanation: str
) -> None:
    """Whatever sends the messages elsewhere, the output shows that they are missing."""
    result = _train(home, tmp_path, f"{_LEARNS}import logging\n{configuration}{message}\n")
    assert result.run.explanation == f"nn.py finished but reported no accuracy. nn.py {explanation}"


@pytest.mark.parametrize(
    "message",
    [
        "log.info('Training accuracy: %.3f', epochs / 40)",  # is shown, but states no test accuracy
        "log.info('Measured  the accuracy:\\n%s', 'good')",
        "log.info('Result: %s', {'accuracy': 'good'}['accuracy'])",  # the message has no word for accuracy
        "log.info('Result')",
    ],
)
def test_logged_accuracy_that_is_in_the_output_is_not_called_missing(home: Path, tmp_path: Path, message: str) -> None:
    """A message that was shown needs no remedy."""
    script = f"{_LEARNS}import logging\nlog = logging.getLogger()\nlog.handlers = [logging.StreamHandler()]\n"
    result = _train(home, tmp_path, f"{script}log.setLevel('INFO')\n{message}\n")
    assert result.run.reason is Reason.NO_ACCURACY
    assert "logs an accuracy" not in result.run.explanation


def test_pointer_of_git_lfs_is_explained_once(home: Path, tmp_path: Path) -> None:
    """The explanation mentions the pointer once, and does not repeat the note about Git LFS."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"
    files: dict[str, str | bytes] = {"nn.py": "import json\nepochs = 1\njson.load(open('a.json'))\n", "a.json": pointer}
    result = train_commit(home, tmp_path, files)
    assert result.run.reason is Reason.MISSING_FILE
    assert result.run.explanation.count("a.json is a Git LFS pointer") == 1
    assert "Git LFS files are not downloaded" not in result.run.explanation
    assert any("Git LFS files are not downloaded" in note for note in result.run.notes)


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("os.path.join('data', 'a.json')", True),
        ("os.environ['EPOCHAL_DATA'] + '/a.json'", False),
        ("print('data', f'in {epochs} data/files', sep='/')", False),
        ("print('read', os.listdir('data'))", True),
    ],
)
def test_pointer_of_git_lfs_that_the_script_does_not_name_explains_nothing(
    home: Path, tmp_path: Path, name: str, is_shown: bool
) -> None:
    """A later error has another cause if the script no longer reads the committed file."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"
    text = f"import os\nepochs = 1\ndef name():\n    return {name}\nprint([][0])\n"
    result = train_commit(home, tmp_path, {"nn.py": text, "data/a.json": pointer})
    assert result.run.reason is Reason.SCRIPT_ERROR
    assert ("data/a.json: Git LFS files are not downloaded" in result.run.explanation) is is_shown
    assert any("Git LFS files are not downloaded" in note for note in result.run.notes)
