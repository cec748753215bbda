"""JAX, used directly or through Flax. Code that also imports TensorFlow or PyTorch does not count as JAX code."""

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
SET_EPOCHS = "Write epochs = 20 at the top of the script, and train in a loop: for epoch in range(epochs)."
find_removed_apis = no_removed_apis
