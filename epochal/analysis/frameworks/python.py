"""Python without a framework: what trains if no import means another module of this package."""

from epochal.analysis.frameworks import LogLines, Recorder, no_idioms
from epochal.resources import resource

TITLE = "Python"
IMPORTS = ()
IS_TOOL = False
PINS = resource("requirements") / "python.txt"
DATASETS = None
MODEL_SUFFIXES = ()
LOG_LINES = LogLines()
RECORDER = Recorder()
find_idioms = no_idioms
