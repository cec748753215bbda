from dataclasses import dataclass
from epochal.hyperparameters import Constant, literals
from epochal.settings import Choices, Range
@dataclass(frozen=True)
class Dimension:
    constant: Constant
    values: Range | Choices
def space_of(script, search):
    by = {c.name: c for c in literals(script)}
    return tuple(Dimension(by[n], v) for n, v in search.items())
