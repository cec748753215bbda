"""Describe exceptions and call stacks for the recorder's events."""

import os
import sys

CODE = "EPOCHAL_CODE"
"""The environment variable that holds the path of the code's folder, where the script was started."""
_MAX_EXCEPTIONS = 12
_MAX_FRAMES = 80
_MAX_MESSAGE = 2000


def describe(error, caller=None):
    """Describe an exception and the chain of exceptions that led to it, latest first.

    The chain includes hidden contexts (``raise … from None``), because that is how Keras hides errors raised in layers.
    ``caller``: the frame that made the failing call, if the traceback does not contain it.
    """
    chain = []
    while error is not None and len(chain) < _MAX_EXCEPTIONS:
        try:
            message = str(error.msg if isinstance(error, SyntaxError) else error)
        except Exception:
            message = ""
        if len(message) > 2 * _MAX_MESSAGE:
            message = f"{message[:_MAX_MESSAGE]}\n…\n{message[-_MAX_MESSAGE:]}"
        frames = (describe_stack(caller) if not chain else []) + describe_traceback(error.__traceback__)
        if isinstance(error, SyntaxError) and error.filename:
            frames.append([relative(error.filename), error.lineno or 1, ""])
        file = getattr(error, "filename", None) if isinstance(error, OSError) else None
        is_path = isinstance(file, (str, os.PathLike))
        chain.append(
            {
                "name": type(error).__name__,
                "message": message,
                "frames": frames[-_MAX_FRAMES:],
                "file": relative(os.fspath(file)) if is_path else "",
            }
        )
        error = error.__cause__ or error.__context__
    return chain


def describe_stack(frame):
    """Return the lines that ``frame`` and its callers are executing, innermost last; empty if ``frame`` is None."""
    frames = []
    while frame and len(frames) < _MAX_FRAMES:
        frames.insert(0, _describe_frame(frame, frame.f_lineno))
        frame = frame.f_back
    return frames


def describe_traceback(trace):
    """Return the file, line and function of each frame of a traceback, innermost last; empty if ``trace`` is None."""
    frames = []
    while trace:
        frames.append(_describe_frame(trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return frames


def find_line_of_script():
    """Return the number of the script line that made the observed call; None if a library's thread made the call."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_filename != script:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else None


def relative(path):
    """Return a path in the code's folder relative to that folder, and any other path unchanged."""
    code = os.environ.get(CODE, "")
    return path[len(code) + 1 :] if code and path.startswith(f"{code}{os.sep}") else path


def _describe_frame(frame, line):
    return [relative(frame.f_code.co_filename), line or 0, frame.f_code.co_name]
