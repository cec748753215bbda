"""Plain Python: code that imports none of the frameworks in this package."""

from epochal.analysis.frameworks import LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "Python"
IMPORTS = ()
IS_TOOL = False
PINS = resource("requirements") / "python.txt"
DATASETS = None
MODEL_SUFFIXES = ()
LOG_LINES = LogLines()
RECORDER = Recorder()
find_removed_apis = no_removed_apis
