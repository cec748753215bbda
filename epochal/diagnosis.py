"""Why a training ended badly: from its exit status, from what its runtime knows, and from the end of its log."""

import re
import signal

from epochal.datasets import KERAS_DATASETS
from epochal.errors import Reason

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08")
# The last line of a traceback: "ValueError: what", "tensorflow.python.framework.errors_impl.ResourceExhaustedError: what".
_EXCEPTION = re.compile(r"^(?P<name>(?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?::\s*(?P<text>.*))?$", re.MULTILINE)
_PLACE = re.compile(r'File "(?:[^"]*/)?(?P<file>[^/"]+\.py)", line (?P<line>\d+)')
_MODULE = re.compile(r"No module named '(?P<module>[\w.]+)'")
_MEMORY = re.compile(r"MemoryError|std::bad_alloc|ResourceExhaustedError|\bOOM when allocating|Cannot allocate memory")
_NETWORK = re.compile(
    r"URLError|gaierror|name resolution|Name or service not known|Network is unreachable|URL fetch failure"
    r"|NewConnectionError|MaxRetryError|ConnectionRefusedError|requests\.exceptions\.ConnectionError"
)
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_IMPORT = ("ModuleNotFoundError", "ImportError")


def diagnose(exit_status: int, reason: Reason | None, log: str) -> tuple[Reason, str] | None:
    """The reason of a training that ended badly and one sentence with its remedy; None for one that ended well.

    ``exit_status`` is negative for a signal, or 128 and more as a shell has it. ``reason`` is what the runtime knows better
    than any log: it took too long, it took too much memory, it was killed.
    """
    if exit_status == 0 and reason is None:
        return None
    if reason is Reason.TIMED_OUT:
        return reason, "The training took longer than the server allows ([limits] minutes in server.toml)."
    if reason is Reason.OUT_OF_MEMORY or (reason is None and _MEMORY.search(_last_traceback(log))):
        return Reason.OUT_OF_MEMORY, (
            "The training needed more memory than the server allows ([limits] memory_mb in server.toml): a smaller batch or "
            "a smaller network needs less."
        )
    if reason is Reason.KILLED or exit_status < 0 or exit_status > 128:
        return Reason.KILLED, f"The training was killed by {_signal_name(exit_status)}."
    return _from_traceback(exit_status, _last_traceback(log))


def tail(log: str, lines: int = 20) -> str:
    """The log's last lines as a terminal would have shown them."""
    plain = _CONTROL.sub("", log.replace("\r\n", "\n"))
    shown = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in plain.split("\n")]
    return "\n".join([line for line in shown if line][-lines:])


def _last_traceback(log: str) -> str:
    shown = tail(log, 200)
    start = shown.rfind("Traceback (most recent call last)")
    return shown[start:] if start >= 0 else "\n".join(shown.splitlines()[-20:])


def _signal_name(exit_status: int) -> str:
    number = -exit_status if exit_status < 0 else exit_status - 128
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a signal"


def _from_traceback(exit_status: int, traceback: str) -> tuple[Reason, str]:
    exceptions = list(_EXCEPTION.finditer(traceback))
    name = exceptions[-1]["name"].rpartition(".")[2] if exceptions else ""
    said = exceptions[-1].group().strip()[:300] if exceptions else ""
    where = _where(traceback)
    if _NETWORK.search(traceback):
        return Reason.NO_NETWORK, _network_remedy(traceback)
    if name in _SYNTAX:
        return Reason.SYNTAX_ERROR, f"{where}{said}"
    if name in _IMPORT:
        module = _MODULE.search(said)
        remedy = f" Add the package of {module['module']} to requirements.txt." if module else ""
        return Reason.IMPORT_ERROR, f"{where}{said}.{remedy}"
    if said:
        return Reason.SCRIPT_ERROR, f"{where}{said}"
    return Reason.SCRIPT_ERROR, f"nn.py ended with exit status {exit_status}; 0 would have meant that all is well."


def _where(traceback: str) -> str:
    """``nn.py line 7: ``, the last place in nn.py that the traceback names, else the last place of all."""
    places = [(place["file"], place["line"]) for place in _PLACE.finditer(traceback)]
    own = [place for place in places if place[0] == "nn.py"] or places
    return f"{own[-1][0]} line {own[-1][1]}: " if own else ""


def _network_remedy(traceback: str) -> str:
    named = next(
        (name for name in sorted(KERAS_DATASETS, key=len, reverse=True) if name in _aliased(traceback)), "NAME"
    )
    return (
        "The code wanted the network, which training does not have. For a dataset of Keras' the server's admin types "
        f"epochal data fetch {named}; other files go into the server's data folder, which training sees as /data."
    )


def _aliased(traceback: str) -> str:
    # Keras downloads Fashion-MNIST and CIFAR from addresses that spell them differently.
    return (
        traceback.replace("fashion-mnist", "fashion_mnist")
        .replace("cifar-100", "cifar100")
        .replace("cifar-10", "cifar10")
    )
