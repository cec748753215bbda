"""Find training/test splits that differ each time the script runs, or whose parts overlap."""

import ast
import re
from collections.abc import Iterator

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.parts import Use, find_use
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_used,
    has_unknown_arguments,
    is_literal,
    keyword,
    root_name,
)
from epochal.analysis.syntax import last_name, literal

_SPLITTERS = frozenset({"train_test_split", "ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit"})
_FOLDS = frozenset({"KFold", "StratifiedKFold", "StratifiedGroupKFold"})
_GENERATORS = frozenset({"numpy.random.default_rng", "numpy.random.RandomState"})
_FROM_DIRECTORY = re.compile(r"keras\.(?:utils|preprocessing)\.(?:image\.)?(?:image|text|audio)_dataset_from_directory")
CROSS_VALIDATIONS = frozenset({"cross_val_score", "cross_validate", "cross_val_predict"})
"""The functions in sklearn.model_selection that split the given data and test a model on each part."""
_PART_START = r"(?:^[xyXY]?|_)"
TRAIN_NAME = re.compile(rf"{_PART_START}(?:(?i:train)|(?:[Tt]r|TR)(?![a-z]|[A-Z]{{2}}))")
"""Matches names of training data, such as ``x_train``, ``Xtrain``, ``xtr`` and ``tr_x``."""
TEST_NAME = re.compile(r"(?:^|_)(?:test|val|valid|validation|dev|holdout)", re.IGNORECASE)
PART_NAME = re.compile(rf"(?i:train|test|val)|{_PART_START}(?:[Tt][re]|T[RE]|[Vv]a|VA)(?![a-z]|[A-Z]{{2}})")
"""Matches names of any part of the data, such as ``x_train``, ``Xtest``, ``xte`` and ``df_val``."""
_VALIDATION_NAME = re.compile(r"(?:^|_)(?:val|dev|va(?![a-z]))", re.IGNORECASE)

_SEED_NUMPY = "Draw from np.random.default_rng(0), or call np.random.seed(0) first."
_MAX_DEPTH = 5
_RANDOM = {"numpy.random.": "numpy", "random.": "python", "tensorflow.random.": "tensorflow", "torch.rand": "torch"}
"""The random number generator that a function uses, keyed by a prefix of the function's full name."""
_CREATES_GENERATOR = frozenset(
    {"Generator", "MT19937", "PCG64", "Philox", "Random", "RandomState", "SeedSequence", "default_rng"}
)
_DRAWING = frozenset({"random_split", "sample", "shuffle", "train_test_split"})
"""Methods and functions that choose or shuffle rows at random."""
_SEED_NAMES = ("generator", "random_state", "seed")
_EVERYTHING = frozenset({"numpy", "python", "tensorflow", "torch"})
_SEEDS = {
    "numpy.random.seed": frozenset({"numpy"}),
    "random.seed": frozenset({"python"}),
    "tensorflow.random.set_seed": frozenset({"tensorflow"}),
    "tensorflow.set_random_seed": frozenset({"tensorflow"}),
    "tensorflow.compat.v1.set_random_seed": frozenset({"tensorflow"}),
    "torch.manual_seed": frozenset({"torch"}),
    "torch.cuda.manual_seed": frozenset(),
    "torch.cuda.manual_seed_all": frozenset(),
}
"""The generators that each function seeds; any other function with "seed" in its name is assumed to seed them all."""


def find_unseeded_splits(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Find random splits that have no seed."""
    seeded = frozenset().union(*(_seeds_of(source) for source in sources))
    scopes = [scope for source in sources for scope in source.scopes]
    for source, scope in find_used(sources):
        for step in scope.steps:
            for call in (each for each in step.calls if not has_unknown_arguments(each)):
                if argument := _find_missing_seed(source, call, seeded):
                    is_inner = _is_inner(
                        find_use(scope, [call], scopes), is_named=_splits_off_validation(scope, step, call)
                    )
                    yield _unseeded(source, call, f"Write {last_name(call.func)}(…, {argument}).", is_inner=is_inner)
                yield from _check_directory(source, call)
        if "numpy" not in seeded:
            yield from _check_sample_and_drop(source, scope)
        for call, parts in _Shuffles(source, is_seeded="numpy" in seeded).follow(scope):
            use = find_use(scope, parts, scopes)
            is_named = any(isinstance(each, ast.Name) and TRAIN_NAME.search(each.id) for each in ast.walk(call))
            if use is not Use.OTHER:
                yield _unseeded(source, call, _SEED_NUMPY, is_inner=_is_inner(use, is_named=is_named))


def _is_inner(use: Use, *, is_named: bool) -> bool:
    """Return whether a split divides only training rows. ``is_named``: whether its variables' names suggest this."""
    return is_named if use is Use.UNKNOWN else use is not Use.TEST


def _seeds_of(source: Source) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for call in source.calls:
        if "seed" in last_name(call.func).lower():
            unset = not call.args and not call.keywords
            if not unset and not (call.args and is_literal(call.args[0], None)):
                found |= _SEEDS.get(source.callee(call), _EVERYTHING)
    return found


def draws_unseeded(sources: tuple[Source, ...]) -> bool:
    """Return whether the code may draw different random numbers, or hash strings differently, each time it runs."""
    seeded = frozenset().union(*(_seeds_of(source) for source in sources))
    return any(_draws_unseeded(source, call, seeded) for source in sources for call in source.calls)


def _draws_unseeded(source: Source, call: ast.Call, seeded: frozenset[str]) -> bool:
    name, method = source.callee(call), last_name(call.func)
    if name == "os.urandom" or name.startswith(("secrets.", "uuid.")) or ast.unparse(call.func) == "hash":
        return True
    if package := next((each for prefix, each in _RANDOM.items() if name.startswith(prefix)), ""):
        if method in _CREATES_GENERATOR:
            return not _is_given_seed(call)
        return package not in seeded and "seed" not in method.lower()
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    creation = receiver if isinstance(receiver, ast.Call) else source.constants.get(root_name(receiver))
    is_generator = isinstance(creation, ast.Call) and last_name(creation.func) in _CREATES_GENERATOR
    return method in _DRAWING and not is_generator and all(_has_no(call, each) for each in _SEED_NAMES)


def _is_given_seed(call: ast.Call) -> bool:
    """Return whether a call that creates a random number generator passes a seed."""
    return bool(call.keywords) or bool(call.args and not is_literal(call.args[0], None))


def _find_missing_seed(source: Source, call: ast.Call, seeded: frozenset[str]) -> str:
    """Return the argument that would seed a random split; empty if the call has a seed or does not split at random."""
    package, _, name = source.callee(call).rpartition(".")
    if package == "sklearn.model_selection" and "numpy" not in seeded and _has_no(call, "random_state"):
        shuffles = name in _SPLITTERS and not is_literal(keyword(call, "shuffle"), False)
        if shuffles or (name in _FOLDS and is_literal(keyword(call, "shuffle"), True)):
            return "random_state=0"
    is_torch = f"{package}.{name}" == "torch.utils.data.random_split"
    if is_torch and "torch" not in seeded and _has_no(call, "generator"):
        return "generator=torch.Generator().manual_seed(0)"
    if f"{package}.{name}" == "keras.utils.split_dataset" and "python" not in seeded and _has_no(call, "seed"):
        return "seed=0" if is_literal(keyword(call, "shuffle"), True) else ""
    return ""


def _check_directory(source: Source, call: ast.Call) -> Iterator[Finding]:
    """Check that a call that splits the files in a directory has a seed, as Keras requires."""
    if _FROM_DIRECTORY.fullmatch(source.callee(call)) and _has_no(call, "seed"):
        split = keyword(call, "validation_split")
        if split and not is_literal(split, None) and not is_literal(keyword(call, "shuffle"), False):
            name = last_name(call.func)
            yield Finding(
                "unseeded_split",
                source.path,
                call.lineno,
                f"{name}() has a validation_split but no seed; Keras does not accept this.",
                f"Pass the same seed in each call: {name}(…, seed=0).",
            )


def _has_no(call: ast.Call, name: str) -> bool:
    value = keyword(call, name)
    return value is None or is_literal(value, None)


def _splits_off_validation(scope: Scope, step: Step, call: ast.Call) -> bool:
    """Return whether a split seems to set aside validation data, judging by the names of its results and its data.

    Attributes count only if ``scope`` sets one that has "test" in its name, because another method may test on an
    attribute with any name.
    """
    nodes = [node for target, value in step.assigned if value is call for node in ast.walk(target)]
    results = [node.id for node in nodes if isinstance(node, ast.Name)]
    stored = [node for each in scope.steps for node in each.nodes if isinstance(node, ast.Attribute)]
    if any("test" in node.attr.lower() and isinstance(node.ctx, ast.Store) for node in stored):
        results += [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    if any("test" in name.lower() and not _VALIDATION_NAME.search(name) for name in results):
        return False
    data = root_name(call.args[0]) if call.args else ""
    is_training = bool(TRAIN_NAME.search(data) or _VALIDATION_NAME.search(data))
    return is_training or any(_VALIDATION_NAME.search(name) for name in results)


def _unseeded(source: Source, call: ast.Call, remedy: str, *, is_inner: bool) -> Finding:
    uses = "validates" if is_inner else "tests"
    return Finding(
        "unseeded_validation_split" if is_inner else "unseeded_split",
        source.path,
        call.lineno,
        f"{last_name(call.func)}() has no seed, so each trial {uses} on different rows and cannot resume from a checkpoint.",
        remedy,
    )


def _check_sample_and_drop(source: Source, scope: Scope) -> Iterator[Finding]:
    """Find unseeded splits such as ``train = df.sample(frac=0.8)`` followed by ``test = df.drop(train.index)``."""
    samples: dict[str, ast.Call] = {}
    for step in scope.steps:
        for call in step.calls:
            for argument in call.args[:1] if last_name(call.func) == "drop" else ():
                sample = samples.pop(root_name(argument), None)
                if sample and isinstance(argument, ast.Attribute) and argument.attr == "index":
                    yield _unseeded(source, sample, "Write sample(…, random_state=0).", is_inner=False)
        for target, value in step.assigned:
            name = root_name(target)
            samples.pop(name, None)
            if (sample := _read_sample(source, value)) and _has_no(sample, "random_state"):
                samples[name] = sample


class _Shuffles:
    """The rows that a scope shuffles with NumPy without a seed, and the slices that it takes of them."""

    def __init__(self, source: Source, *, is_seeded: bool) -> None:
        """Start with no shuffled rows. ``is_seeded``: whether NumPy's global random number generator has a seed."""
        self._source = source
        self._is_seeded = is_seeded
        self._generators: set[str] = set()
        """The variables that hold a generator without a seed."""
        self._calls: dict[str, ast.Call] = {}
        """The call that shuffled the rows in each variable."""
        self._values: dict[str, ast.expr] = {}
        """The last value of each variable."""

    def follow(self, scope: Scope) -> Iterator[tuple[ast.Call, list[ast.expr]]]:
        """Yield each call that shuffles rows to be split (``order[:800]``, ``order[800:]``), with the slices."""
        parts: dict[ast.Call, list[ast.expr]] = {}
        slices: dict[tuple[ast.Call, str], set[str]] = {}
        for step in scope.steps:
            columns = _find_columns(step)
            for node in step.nodes:
                name = root_name(node.value) if isinstance(node, ast.Subscript) else ""
                call = self._calls.get(name)
                if call and isinstance(node, ast.Subscript) and node not in columns and (part := _name_part(node)):
                    parts.setdefault(call, []).append(node)
                    slices.setdefault((call, name), set()).add(part)
            for call in step.calls:
                if self._shuffles(call, "shuffle") and call.args:
                    self._calls[root_name(call.args[0])] = call
            for target, value in step.assigned:
                self._assign(root_name(target), value)
        split = {call for (call, _), found in slices.items() if found == {"first", "last"}}
        return ((call, nodes) for call, nodes in parts.items() if call in split)

    def _assign(self, name: str, value: ast.expr | None) -> None:
        call = None
        if isinstance(value, ast.Call) and self._shuffles(value, "permutation"):
            call = value
        elif isinstance(value, ast.Subscript):
            call = self._calls.get(root_name(value.slice))
        self._generators.discard(name)
        self._calls.pop(name, None)
        if isinstance(value, ast.Call) and self._creates_generator(value):
            self._generators.add(name)
        if call:
            self._calls[name] = call
        if value is not None:
            self._values[name] = value

    def _creates_generator(self, call: ast.Call) -> bool:
        """Return whether a call creates a random number generator without a seed."""
        return not _is_given_seed(call) and self._source.callee(call) in _GENERATORS

    def _shuffles(self, call: ast.Call, method: str) -> bool:
        if not isinstance(call.func, ast.Attribute) or call.func.attr != method:
            return False
        if call.args and self._counts_columns(call.args[0]):
            return False
        is_global = self._source.callee(call) == f"numpy.random.{method}"
        return not self._is_seeded if is_global else root_name(call.func.value) in self._generators

    def _counts_columns(self, node: ast.expr, depth: int = 0) -> bool:
        """Return whether an expression refers to the names, positions or number of columns."""
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute) and each.attr == "columns":
                return True
            if isinstance(each, ast.Subscript) and last_name(each.value) == "shape":
                return literal(each.slice) in (1, -1)
            value = self._values.get(each.id) if isinstance(each, ast.Name) and depth < _MAX_DEPTH else None
            if value is not None and self._counts_columns(value, depth + 1):
                return True
        return False


def _name_part(node: ast.Subscript) -> str:
    """Return "first" for a slice such as ``x[:n]``, "last" for one such as ``x[n:]``; otherwise an empty string."""
    match node.slice:
        case ast.Slice(lower=None, upper=ast.expr()):
            return "first"
        case ast.Slice(lower=ast.expr(), upper=None):
            return "last"
    return ""


def _find_columns(step: Step) -> list[ast.expr]:
    """Return the expressions that select columns in a statement: ``b`` in ``x[a, b]``."""
    indices = (node.slice for node in step.nodes if isinstance(node, ast.Subscript))
    return [each for index in indices if isinstance(index, ast.Tuple) for each in index.elts[1:]]


def _read_sample(source: Source, value: ast.expr | None) -> ast.Call | None:
    """Return ``value`` if it looks like a data frame's ``sample`` call (``df.sample(frac=0.8)``); otherwise None."""
    if not isinstance(value, ast.Call) or has_unknown_arguments(value):
        return None
    if not isinstance(value.func, ast.Attribute) or value.func.attr != "sample":
        return None
    has_pandas = any(name.partition(".")[0] == "pandas" for name in source.names.values())
    return value if keyword(value, "frac") or (has_pandas and keyword(value, "n")) else None


def find_overlapping_samples(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Find test data that is sampled from the same rows as the training data, so that the two overlap."""
    for source, scope in find_used(sources):
        training: dict[str, str] = {}
        for position, step in enumerate(scope.steps):
            for changed in _changed_in_place(step):
                training = {name: rows for name, rows in training.items() if changed not in (name, rows)}
            for target, value in step.assigned:
                name = root_name(target)
                for other in [other for other, drawn_from in training.items() if name in (other, drawn_from)]:
                    del training[other]
                sample = _read_sample(source, value)
                if sample is None or not isinstance(target, ast.Name) or not isinstance(sample.func, ast.Attribute):
                    continue
                drawn_from = sample.func.value.id if isinstance(sample.func.value, ast.Name) else ""
                whole = is_literal(keyword(sample, "frac"), 1)
                same = [other for other, rows in training.items() if rows == drawn_from]
                if drawn_from and not whole and TRAIN_NAME.search(name):
                    training[name] = drawn_from
                elif same and TEST_NAME.search(name) and not _uses_index(scope.steps[position + 1 :], same[0]):
                    yield Finding(
                        "overlapping_samples",
                        source.path,
                        sample.lineno,
                        f"{name} and {same[0]} are sampled from the same rows, so some rows of {name} are also in "
                        f"{same[0]}.",
                        f"Write {name} = {drawn_from}.drop({same[0]}.index).",
                    )


def _changed_in_place(step: Step) -> Iterator[str]:
    """Yield the tables that a statement changes in place, as in ``df.drop(train.index, inplace=True)``."""
    for call in step.calls:
        in_place = keyword(call, "inplace")
        if in_place is not None and not is_literal(in_place, False):
            yield root_name(call.func)


def _uses_index(steps: tuple[Step, ...], name: str) -> bool:
    """Return whether statements use the index of a table, for example to remove its rows from another table."""
    nodes = (node for step in steps for node in step.nodes)
    return any(isinstance(each, ast.Attribute) and each.attr == "index" and root_name(each) == name for each in nodes)


def find_reshuffled_splits(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Find calls to tf.data's ``shuffle`` before ``take`` and ``skip``: the split then changes from epoch to epoch."""
    for source, scope in find_used(sources):
        imported = {name.partition(".")[0] for name in source.names.values()}
        if "tensorflow" not in imported or "datasets" in imported:  # Hugging Face's datasets have the same methods
            continue
        shuffles: dict[str, ast.Call] = {}
        taken: dict[tuple[int, str], ast.Call] = {}
        reported: set[int] = set()
        for step in scope.steps:
            for call in step.calls:
                if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("take", "skip") or not call.args:
                    continue
                shuffle = _find_shuffle(call.func.value, shuffles)
                if shuffle is None or id(shuffle) in reported:
                    continue
                # The parts of one split are take(n) and skip(n) with the same n.
                other = taken.setdefault((id(shuffle), ast.dump(call.args[0])), call)
                assert isinstance(other.func, ast.Attribute)
                if other.func.attr != call.func.attr:
                    reported.add(id(shuffle))
                    skip = call if call.func.attr == "skip" else other
                    yield Finding(
                        "reshuffled_split",
                        source.path,
                        shuffle.lineno,
                        "shuffle() reshuffles the data each time it is read, so take() and skip() (line "
                        f"{skip.lineno}) mix training and test rows.",
                        "Write shuffle(…, seed=0, reshuffle_each_iteration=False), or call take() and skip() before "
                        "shuffle().",
                    )
            for target, value in step.assigned:
                found = _find_shuffle(value, shuffles) if value else None
                name = root_name(target)
                shuffles.pop(name, None)
                if found and isinstance(target, ast.Name):
                    shuffles[name] = found


def _find_shuffle(node: ast.expr, shuffles: dict[str, ast.Call]) -> ast.Call | None:
    """Return the ``shuffle`` call that sets a dataset's order, if it reshuffles the dataset in every epoch."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method = node.func.attr
        if method in ("cache", "take", "skip") or (method == "shuffle" and has_unknown_arguments(node)):
            return None
        if method == "shuffle":
            reshuffles = keyword(node, "reshuffle_each_iteration", 2)
            return node if reshuffles is None or is_literal(reshuffles, True) else None
        node = node.func.value
    return shuffles.get(node.id) if isinstance(node, ast.Name) else None
