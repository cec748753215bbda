"""JAX, also as used by Flax. Code that imports TensorFlow or PyTorch as well counts as using that framework."""

from epochal.analysis.frameworks import LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "JAX"
IMPORTS = ("jax", "flax")
RANK = 1
PINS = resource("requirements") / "jax.txt"
DATASETS = None
MODEL_SUFFIXES = (".msgpack",)
LOG_LINES = LogLines()
RECORDER = Recorder()
find_removed_apis = no_removed_apis
