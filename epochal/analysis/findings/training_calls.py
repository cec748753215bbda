"""Tell whether a function is called with training rows alone, before the accuracy is measured on the test rows."""

import ast
from collections.abc import Collection, Iterator

from epochal.analysis.findings.rows import Rows
from epochal.analysis.findings.source import Scope, Source, find_used, keyword, root_name
from epochal.analysis.findings.splits import TEST_NAME, TRAIN_NAME
from epochal.analysis.syntax import last_name

_MEASURING = frozenset({"accuracy_score", "evaluate", "score"})


def is_given_training_rows(sources: tuple[Source, ...], function: Scope, names: Collection[str]) -> bool:
    """Return whether every call to a function passes training rows for the parameters ``names``.

    Each call must also be followed by a measurement on test rows, whose accuracy is then the one that counts.
    """
    uses = [
        node
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.Name | ast.Attribute) and last_name(node) == function.name
    ]
    found = [each for source, scope in find_used(sources) for each in _follow_calls(source, scope, function, names)]
    return bool(found) and all(found) and len(found) == len(uses)


def _follow_calls(source: Source, scope: Scope, function: Scope, names: Collection[str]) -> Iterator[bool]:
    """Yield, for each call to ``function`` in ``scope``, whether it passes training rows and precedes a test."""
    rows = Rows(source)
    pending: list[bool] = []
    last = None
    for step in scope.steps:
        rows.note_folds(step)
        for call in step.calls:
            if last_name(call.func) == function.name:
                pending.append(all(_is_training(each, rows) for each in _find_given(call, function, names)))
                last = step
            elif last and last.follows(step) and last_name(call.func) in _MEASURING and _is_of_test(call, rows):
                yield from pending
                pending = []
        for target, value in step.assigned:
            rows.assign(target, value, step.node.lineno)
        rows.note_folds(step)
    yield from (False for _ in pending)


def _find_given(call: ast.Call, function: Scope, names: Collection[str]) -> list[ast.expr | None]:
    """Return what a call passes for the parameters ``names`` of a function."""
    if isinstance(function.node, ast.Module):
        return [None]
    parameters = [each.arg for each in (*function.node.args.posonlyargs, *function.node.args.args)]
    return [keyword(call, name, parameters.index(name) if name in parameters else None) for name in names]


def _is_training(node: ast.expr | None, rows: Rows) -> bool:
    name = root_name(node)
    return name not in rows.test_indices and (rows.is_part(node) or bool(TRAIN_NAME.search(name)))


def _is_of_test(call: ast.Call, rows: Rows) -> bool:
    """Return whether a call that measures an accuracy is given test rows, or the labels of test rows."""
    names = {each.id for each in ast.walk(call) if isinstance(each, ast.Name)}
    return any(each in rows.test_indices or TEST_NAME.search(each) for each in names)
