"""Join words and count things in English sentences."""

from collections.abc import Sequence


def join_words(words: Sequence[str], conjunction: str = "and") -> str:
    """Join words for use in a sentence, as in ``a``, ``a and b`` or ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def capitalize(text: str) -> str:
    """Return ``text`` with its first letter in upper case. The other letters stay as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 fold``, ``3 folds``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
