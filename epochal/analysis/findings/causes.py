"""Recognise findings with the same cause, as when a selector is fitted on all rows and then chooses the columns."""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.rows import CHOOSING
from epochal.analysis.findings.source import Source, Step


def prefer_selectors(findings: Sequence[Finding], sources: Collection[Source]) -> Iterator[Finding]:
    """Yield the findings, replacing any about a selector's choice of columns with the one about the selector's fit.

    A finding about a fit names the script's own selector. The replacement keeps the kind of the original.
    """
    fits = [each for each in findings if each.kind.startswith("learned_before_")]
    for finding in findings:
        is_choice = finding.kind == "chosen_before_split"
        fit = next((each for each in fits if is_choice and _selects(each, finding, sources)), finding)
        yield replace(fit, kind=finding.kind)


def _selects(fit: Finding, choice: Finding, sources: Collection[Source]) -> bool:
    """Return whether the selector in ``fit`` chose the columns in ``choice``; both must be in the same file."""
    fitted = {name for step in _steps_between(fit.line, fit.line, fit, sources) for name in _find_fitted(step)}
    columns: set[str] = set()
    for step in _steps_between(fit.line, choice.line, choice, sources):
        names = {node.id for node in step.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        selects = any(_reads_selection(node, fitted) for node in step.nodes) or not columns.isdisjoint(names)
        if selects and step.node.lineno == choice.line:
            return fit.path == choice.path
        if selects:  # a variable that the statement also reads holds the data
            columns |= set(_find_fitted(step)) - names
    return False


def _reads_selection(node: ast.AST, fitted: Collection[str]) -> bool:
    """Return whether an expression asks a fitted selector for the columns that it has selected."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in fitted
        and (node.attr in CHOOSING or node.attr.endswith("_"))
    )


def _steps_between(first: int, last: int, finding: Finding, sources: Collection[Source]) -> Iterator[Step]:
    """Yield the statements in the finding's file that occupy at least one of the lines from ``first`` to ``last``."""
    for scope in (scope for source in sources if source.path == finding.path for scope in source.scopes):
        for step in scope.steps:
            if step.node.lineno <= last and first <= (step.node.end_lineno or 0):
                yield step


def _find_fitted(step: Step) -> Iterator[str]:
    """Yield the variables that a statement assigns, and those on which it calls a ``fit`` method."""
    for node in step.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr.startswith("fit") and isinstance(node.value, ast.Name):
            yield node.value.id
