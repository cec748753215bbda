"""The pages in docs/reference agree with the code."""

import re
import tomllib

import pytest

from epochal.errors import Reason
from epochal.settings.repository import RepositorySettings
from epochal.settings.server import ServerSettings
from scripts.write_reference import FOLDER, MARK, PAGES, SERVER_TABLES, marked_up, reason_groups, table, tables_in


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_code_says(name: str) -> None:
    """The committed page is identical to what the script writes now."""
    text = PAGES[name]()
    path = FOLDER / name
    if not path.exists() or path.read_text("utf-8") != text:
        pytest.fail(f"docs/reference/{name} is out of date. Run make docs, and commit what it changed.", pytrace=False)


def test_no_page_is_left_over() -> None:
    """Pages that the script no longer writes have been removed."""
    written = {path.name for path in FOLDER.glob("*.md") if MARK in path.read_text("utf-8")}
    assert written == set(PAGES)


def test_every_table_of_server_toml_is_on_a_page() -> None:
    """Each table of server.toml is on exactly one page."""
    tables = [name for name, field in ServerSettings.model_fields.items() if tables_in(field)]
    assert sorted(name for names in SERVER_TABLES.values() for name in names) == sorted(tables)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_says_what_happened_and_what_to_do(reason: Reason) -> None:
    """The description and the remedy are sentences, and each reason is in exactly one group."""
    for text in (reason.description, reason.remedy):
        assert re.fullmatch(r"\S.*[^.]\.", text), text
    assert reason.explanation == f"{reason.description} {reason.remedy}"
    assert [reason in group for group in reason_groups().values()].count(True) == 1


def test_the_example_of_a_search_space_is_valid() -> None:
    """The example on the page about epochal.toml can be used as it is."""
    page = (FOLDER / "settings-repository.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.+?)^```$", page, re.DOTALL | re.MULTILINE)
    assert RepositorySettings.model_validate(tomllib.loads(example)).search


def test_names_in_texts_become_code() -> None:
    """Names of files, variables, settings, commands and functions are formatted as code; other words are not."""
    text = "Raise [limits] minutes in server.toml,\nor [search] with ``low``; EPOCHAL_RUN, evaluate() and epochal run stay."
    assert marked_up(text) == (
        "Raise `[limits] minutes` in `server.toml`, or `[search]` with `low`; `EPOCHAL_RUN`, `evaluate()` and `epochal run` stay."
    )


def test_a_table_has_no_empty_column() -> None:
    """A column without values is left out, and a vertical bar does not end a cell."""
    rows = [("`a|b`", "", "1"), ("c", "", "")]
    assert table(("one", "two", "three"), rows) == "| one | three |\n| --- | --- |\n| `a\\|b` | 1 |\n| c |  |"
