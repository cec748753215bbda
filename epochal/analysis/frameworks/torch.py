"""PyTorch, used directly or through Lightning."""

from epochal.analysis.frameworks import LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "PyTorch"
IMPORTS = ("torch", "torchvision", "lightning", "pytorch_lightning")
RANK = 0
PINS = resource("requirements") / "torch.txt"
DATASETS = None
MODEL_SUFFIXES = (".pt", ".pth", ".onnx")
LOG_LINES = LogLines()
RECORDER = Recorder()
SET_EPOCHS = "Write epochs = 20 at the top of the script, and train in a loop: for epoch in range(epochs)."
find_removed_apis = no_removed_apis
