"""Settings: what is in the files and the environment, and what is said of what cannot be used."""

import tomllib
from pathlib import Path

import pytest

from epochal.errors import SettingsError
from epochal.settings import (
    Choices,
    Environment,
    Range,
    RepositorySettings,
    ServerSettings,
    read_repository_settings,
    read_server_settings,
    template,
    watch_repository,
)
from epochal.settings.toml import Table


def _environment(tmp_path: Path, **variables: str) -> Environment:
    return Environment.read({"EPOCHAL_HOME": str(tmp_path)} | variables)


@pytest.mark.parametrize("model", [RepositorySettings, ServerSettings])
def test_the_template_uncommented_is_the_defaults(model: type[Table]) -> None:
    """The commented template names every setting, with the default that holds while it is commented."""
    text = template(model, "a title")
    assert model.model_validate(tomllib.loads(text)) == model()
    settings = [line.removeprefix("#") for line in text.split("#[[")[0].splitlines() if not line.startswith("# ")]
    values = tomllib.loads("\n".join(settings))
    assert model.model_validate(values) == model()
    assert set(values) == set(model.model_fields) - {"repository"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("thresold = 0.9", "thresold is not a setting. Known here: threshold"),
        ("threshold = 80", "threshold: Input should be less than or equal to 1 (it is 80)"),
        ("confidence = 0.5", "confidence: should be 0 (none), or over 0.5 and under 1, as 0.95 is (it is 0.5)"),
        ("confidence = 95", "confidence: Input should be less than 1"),
        ("[retrain]\nepochs_step = 0", "retrain.epochs_step"),
        ("[retrain]\nsteps = 10", "retrain.steps is not a setting. Known here: epochs_step"),
        ("search = 5", "search: Input should be a valid dictionary"),
        ("[search]\nrate = 0.1", "search.rate: Input should be a range, as in { low = 1, high = 4 }, or choices"),
        ("[search]\nrate = {}", "search.rate: Input should be a range"),
        ("[search]\nrate = {low = 1}", "search.rate.high: Field required"),
        (
            "[search]\nrate = {low = 1, hihg = 2}",
            "search.rate.hihg is not a setting. Known here: low, high, log, step.",
        ),
        ("[search]\nlow = {low = 1, hihg = 2}", "search.low.hihg is not a setting. Known here: low, high, log, step."),
        ("[search]\nrate = {choices = [1, 2], log = true}", "search.rate.log is not a setting. Known here: choices."),
        ("[search]\nrate = {low = 0.1, high = 0.1}", "search.rate: the range is empty"),
        ("[search]\nrate = {low = 'a', high = 2}", "search.rate.low: Input should be a number (it is 'a')"),
        ("[search]\nrate = {low = 1, high = true}", "search.rate.high: Input should be a number (it is True)"),
        ("[search]\nrate = {low = 1, high = inf}", "search.rate.high: Input should be a finite number"),
        ("[search]\nrate = {low = -1e308, high = 1e308}", "search.rate: the range is too wide"),
        (f"[search]\nrate = {{low = 1, high = {2**53 + 1}}}", "search.rate.high: Input should be a whole number up to"),
        ("[search]\nrate = {low = 0, high = 1, log = true}", "search.rate: a log scale does not go through zero"),
        ("[search]\nrate = {low = 1, high = 4, log = true, step = 1}", "search.rate: a log scale has no step"),
        ("[search]\nrate = {low = 1, high = 4, step = 0}", "search.rate: step should be greater than 0"),
        ("[search]\nrate = {low = 1, high = 4, step = 4}", "search.rate: step should be"),
        ("[search]\nrate = {choices = 8}", "search.rate.choices: Input should be a list"),
        ("[search]\nrate = {choices = [[8], [16]]}", "search.rate.choices: Input should be a list"),
        ("[search]\nrate = {choices = [8]}", "search.rate.choices: there should be at least two choices"),
        ("[search]\nrate = {choices = [8, 8.0]}", "search.rate.choices: the choice 8.0 stands there twice"),
        (
            "[search]\nrate = {choices = [8, 'a']}",
            "search.rate.choices: the choices should all be numbers, all be texts",
        ),
        ("[search]\nrate = {choices = [1, true]}", "search.rate.choices: the choices should all be"),
        ("[search]\nrate = {choices = [1, nan]}", "search.rate.choices: Input should be a finite number"),
        ("threshold = ", "cannot be read as TOML"),
        ("[mail]\nto = ['eve@example.com']", "mail is not a setting"),
        ("[sandbox]\nnetwork = true", "sandbox is not a setting"),
    ],
)
def test_what_is_pushed_is_refused_where_it_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    """A misspelt key, a value out of its range, or what only the server may set, is named with its file."""
    (tmp_path / "epochal.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_repository_settings(tmp_path)
    assert told in str(error.value)
    assert "epochal.toml" in str(error.value)


def test_a_search_space_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Ranges and choices keep their kinds: 1 is whole and 1.0 is not, and true is no number."""
    (tmp_path / "epochal.toml").write_text(
        "[search]\nrate = { low = 1e-4, high = 1, log = true }\nblocks = { low = 1, high = 3, step = 2 }\n"
        'filters = { choices = [8, 16] }\noptimizer = { choices = ["sgd", "adam"] }\naugment = { choices = [true, false] }\n'
    )
    search = read_repository_settings(tmp_path).search
    assert search == {
        "rate": Range(low=0.0001, high=1, log=True),
        "blocks": Range(low=1, high=3, step=2),
        "filters": Choices(choices=(8, 16)),
        "optimizer": Choices(choices=("sgd", "adam")),
        "augment": Choices(choices=(True, False)),
    }
    assert [values.whole for values in search.values() if isinstance(values, Range)] == [False, True]
    kinds = [type(value) for values in search.values() if isinstance(values, Choices) for value in values.choices]
    assert kinds == [int, int, str, str, bool, bool]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """An epochal.toml that was saved on Windows is read as well."""
    (tmp_path / "epochal.toml").write_bytes(b"\xef\xbb\xbfthreshold = 0.9\r\n")
    assert read_repository_settings(tmp_path).threshold == 0.9


def test_watching_writes_once_and_keeps_what_is_there(tmp_path: Path) -> None:
    """A watched repository is added to server.toml; its other lines stay; a second time changes nothing."""
    (tmp_path / "server.toml").write_text("# mine\nparallel = 2\n", encoding="utf-8")
    assert watch_repository(tmp_path, "https://example.com/ada/digits.git", ("main",))
    before = (tmp_path / "server.toml").read_bytes()
    assert not watch_repository(tmp_path, "https://example.com/ada/digits.git", ("main",))
    assert (tmp_path / "server.toml").read_bytes() == before
    assert before.startswith(b"# mine\nparallel = 2\n")
    settings = read_server_settings(_environment(tmp_path))
    assert [(watched.url, watched.branches) for watched in settings.repository] == [
        ("https://example.com/ada/digits.git", ("main",))
    ]
    with pytest.raises(SettingsError, match=r"watches .* already"):
        watch_repository(tmp_path, "https://example.com/ada/digits.git", ("develop",))


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable takes the place of the same setting in server.toml."""
    (tmp_path / "server.toml").write_text(
        'runtime = "docker"\n[images]\nbase = "a"\nca_bundle = "/c.pem"', encoding="utf-8"
    )
    settings = read_server_settings(_environment(tmp_path, EPOCHAL_RUNTIME="process", EPOCHAL_BASE_IMAGE="b"))
    assert (settings.runtime, settings.images.base, settings.images.ca_bundle) == ("process", "b", "/c.pem")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"EPOCHAL_THRESHHOLD": "0.9"}, "Did you mean EPOCHAL_THRESHOLD?"),
        ({"EPOCHAL_THRESHOLD": "nine"}, "EPOCHAL_THRESHOLD"),
        ({"EPOCHAL_RUN": "0"}, "EPOCHAL_RUN"),
        ({"EPOCHAL_RUNTIME": "podman"}, "EPOCHAL_RUNTIME"),
        ({"EPOCHAL_MAIL_PASSWORD_FILE": "/no/such/file"}, "EPOCHAL_MAIL_PASSWORD_FILE: /no/such/file cannot be read"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    """A misspelt or unusable variable is refused by name, not ignored."""
    with pytest.raises(SettingsError) as error:
        _environment(tmp_path, **variables)
    assert told in str(error.value)


def test_a_secret_may_be_in_a_file_and_is_not_shown(tmp_path: Path) -> None:
    """NAME_FILE is read without the line's end, and the value is not in what is printed of the environment."""
    (tmp_path / "password").write_text("correct horse\n", encoding="utf-8")
    environment = _environment(tmp_path, EPOCHAL_MAIL_PASSWORD_FILE=str(tmp_path / "password"))
    assert environment.mail_password is not None
    assert environment.mail_password.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(environment)


def test_without_a_home_it_is_the_xdg_state_folder() -> None:
    """EPOCHAL_HOME defaults to epochal in the state folder of the XDG base directory specification."""
    assert Environment.read({"XDG_STATE_HOME": "/state"}).home == Path("/state/epochal")
