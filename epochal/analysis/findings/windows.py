"""Find code that opens or uses OpenCV windows, which need a display. Training runs without one."""

import ast
from collections.abc import Iterator

from epochal.analysis.findings.finding import Finding, Severity
from epochal.analysis.findings.source import Source, find_certain
from epochal.analysis.findings.unattended import find_optional
from epochal.analysis.repeats import describe_lines
from epochal.analysis.syntax import last_name
from epochal.grammar import join_words

_WINDOWLESS = frozenset({"waitKey", "waitKeyEx", "pollKey", "destroyAllWindows", "startWindowThread"})
"""Functions that fail in opencv-python-headless, but may do nothing in opencv-python if there is no window."""
_FUNCTIONS = (
    frozenset({"imshow", "namedWindow", "selectROI", "selectROIs", "destroyWindow", "resizeWindow", "moveWindow"})
    | {"setMouseCallback", "createTrackbar", "getTrackbarPos", "setTrackbarPos", "setWindowTitle"}
    | {"setWindowProperty", "getWindowProperty"}
    | _WINDOWLESS
)


def find_windows(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield one finding for each file with code that uses a window, if any such code always runs."""
    optional = {
        call for source in sources for scope in source.scopes for step in scope.steps for call in find_optional(step)
    }
    certain = {
        call: last_name(call.func)
        for source, step in find_certain(sources)
        for call in step.calls
        if _is_window_call(source, call) and call not in optional
    }
    severity = Severity.NOTE if _WINDOWLESS.issuperset(certain.values()) else Severity.WARNING
    for source in sources if certain else ():
        calls = [each for each in source.calls if _is_window_call(source, each) and each not in optional]
        calls.sort(key=lambda call: (call.lineno, call.col_offset))
        names = list(dict.fromkeys(f"cv2.{last_name(call.func)}()" for call in calls))
        lines = sorted({call.lineno for call in calls})
        if calls:
            yield Finding(
                "needs_window",
                source.path,
                next((line for line in lines if any(call.lineno == line for call in certain)), lines[0]),
                f"{join_words(names)} on {describe_lines(lines)} need{'s' if len(calls) == 1 else ''} a display, but training "
                "runs without one.",
                "Remove all code that opens or uses the window, including any code that waits for a key."
                + " To keep an image, save it with cv2.imwrite()." * ("cv2.imshow()" in names),
                severity,
            )


def _is_window_call(source: Source, call: ast.Call) -> bool:
    module, _, name = source.callee(call).rpartition(".")
    return module == "cv2" and name in _FUNCTIONS
