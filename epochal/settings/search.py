from epochal.settings.toml import Table
class Range(Table):
    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None
class Choices(Table):
    choices: tuple[bool | int | float | str, ...]
