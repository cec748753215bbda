"""Settings from files and the environment, and the errors for values that cannot be used."""

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


def _read_environment(tmp_path: Path, **variables: str) -> Environment:
    return Environment.read({"EPOCHAL_HOME": str(tmp_path)} | variables)


@pytest.mark.parametrize("model", [RepositorySettings, ServerSettings])
def test_uncommented_template_has_the_defaults(model: type[Table]) -> None:
    """The template lists every setting."""
    text = template(model, "a title")
    assert model.model_validate(tomllib.loads(text)) == model()
    settings = [line.removeprefix("#") for line in text.split("#[[")[0].splitlines() if not line.startswith("# ")]
    values = tomllib.loads("\n".join(settings))
    assert model.model_validate(values) == model()
    assert set(values) == set(model.model_fields) - {"repository", "project"}  # arrays of tables have no default


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thresold = 0.9", "thresold is not a setting. Did you mean threshold?"),
        ("threshold = 80", "threshold: Input should be less than or equal to 1 (it is 80)"),
        ("confidence = 0.5", "confidence: should be 0, or greater than 0.5 and less than 1, such as 0.95 (it is 0.5)"),
        ("confidence = 95", "confidence: Input should be less than 1"),
        ("[retrain]\nepochs_step = 0", "retrain.epochs_step"),
        ("max_epochs = 10", "max_epochs is not a setting. It belongs in the [retrain] table."),
        ("[retrain]\nsteps = 10", "retrain.steps is not a setting. Valid settings here: epochs_step"),
        ("search = 5", "search: Input should be a table: [search] (it is 5)."),
        ("retrain = 5", "retrain: Input should be a table: [retrain] (it is 5)."),
        (
            "project = 5",
            'project should be [[project]], in double brackets, with path = "projects/digits" on the next line.',
        ),
        (
            "[project]\npath = 'wine'",
            '[project] should be [[project]], in double brackets, with path = "wine" on the next line.',
        ),
        (
            "[project]\nthreshold = 0.9",
            "[project] is not a table of settings. Move threshold to the top of the file, above all tables, and remove "
            "[project]; a list",
        ),
        (
            "[project]\nname = 'digits'",
            "[project] is not a table of settings. Remove [project]; a list of tables begins with [[project]], in double "
            'brackets, with path = "projects/digits" on the next line.',
        ),
        (
            "project = ['wine']",
            'project should be [[project]], in double brackets, with path = "wine" on the next line.',
        ),
        ("[projects]\npath = 'wine'", "there is no table [projects]. Did you mean [[project]]?"),
        ("[[projects]]\npath = 'wine'", "there is no table [[projects]]. Did you mean [[project]]?"),
        (
            "[[project]]\npath = 'a'\n[[project]]\npath = 'wine'\nthreshold = 0.9",
            "epochal.toml: project 2 (wine): threshold is not a setting. It belongs in the file epochal.toml in the "
            "project's folder.",
        ),
        (
            "project = '.'",
            'project should be [[project]], in double brackets, with path = "projects/digits" on the next line. Set path to '
            "a folder in the repository, or remove this [[project]] (without projects, the script "
            "in the top-level folder "
            "is trained).",
        ),
        (
            "[[project]]\npath = '.'",
            'project 1 (.): path: should be the path of a folder in the repository, such as "projects/digits" (it is '
            "'.'). Set path to a folder in the repository, or remove this [[project]] (without projects, "
            "the script in the top-level folder "
            "is trained).",
        ),
        (
            "[[project]]",
            "project 1: path is missing. Set path to a folder in the repository, or remove this [[project]]",
        ),
        (
            "[retrain]\nrate = { low = 0.1, high = 1 }",
            "retrain.rate is not a setting. Write rate = { low = 0.1, high = 1 } below the line [search]. Uncomment that "
            "line if necessary.",
        ),
        (
            "filters = { values = [8, 16] }",
            "Write filters = { values = [8, 16] } below the line [search]. Uncomment that line if necessary.",
        ),
        (
            "threshold = 0.9\n[retrain]\n[[project]]\npath = 'a'",
            "threshold: with [[project]], settings go in each project's epochal.toml. Move them there.",
        ),
        ("[[project]]\npth = 'a'", "epochal.toml: project 1: pth is not a setting. Did you mean path?"),
        ("[search]\nrate = 0.1", "search.rate: Input should be a range, as in { low = 1, high = 4 }, or choices"),
        ("[search]\nrate = {}", "search.rate: Input should be a range"),
        ("[search]\nrate = {low = 1}", "search.rate.high is missing."),
        (
            "[search]\nrate = {low = 1, hihg = 2}",
            "search.rate.hihg is not a setting. Did you mean search.rate.high?",
        ),
        (
            "[search]\nlow = {low = 1, hihg = 2}",
            "search.low.hihg is not a setting. Did you mean search.low.high?",
        ),
        (
            "[search]\nrate = {choices = [1, 2], log = true}",
            "search.rate.log is not a setting. Valid settings here: choices.",
        ),
        ("[search]\nrate = {min = 1}", "epochal.toml: search.rate.high is missing."),
        ("[search]\nrate = {min = 1, high = 2}", "search.rate.min is not a setting. Did you mean search.rate.low?"),
        ("[search]\nrate = {low = 1, max = 2}", "search.rate.max is not a setting. Did you mean search.rate.high?"),
        (
            "[search]\nthreshold = 0.9",
            "search.threshold is neither a range nor a set of choices. It belongs at the top of the file, above all tables: "
            "threshold = 0.9.",
        ),
        (
            "[search]\nmax_trials = 5",
            "search.max_trials is neither a range nor a set of choices. It belongs in the [retrain] table.",
        ),
        ("[search]\nrate = {low = 0.1, high = 0.1}", "search.rate: the range is empty"),
        ("[search]\nrate = {low = 'a', high = 2}", "search.rate.low: Input should be a number (it is 'a')"),
        ("[search]\nrate = {low = 1, high = true}", "search.rate.high: Input should be a number (it is True)"),
        ("[search]\nrate = {low = 1, high = inf}", "search.rate.high: Input should be a finite number"),
        ("[search]\nrate = {low = -1e308, high = 1e308}", "search.rate: the range is too wide"),
        (f"[search]\nrate = {{low = 1, high = {2**53 + 1}}}", "search.rate.high: Input should be a whole number from"),
        (
            "[search]\nrate = {low = 0, high = 1, log = true}",
            "search.rate: low should be greater than 0 for a log scale",
        ),
        ("[search]\nrate = {low = 1, high = 4, log = true, step = 1}", "search.rate: a log scale cannot have a step"),
        ("[search]\nrate = {low = 1, high = 4, step = 0}", "search.rate: step should be greater than 0"),
        ("[search]\nrate = {low = 1, high = 4, step = 4}", "search.rate: step should be"),
        ("[search]\nrate = {choices = 8}", "search.rate.choices: Input should be a list"),
        ("[search]\nrate = {choices = [[8], [16]]}", "search.rate.choices: Input should be a list"),
        ("[search]\nrate = {choices = [8]}", "search.rate.choices: there should be at least two choices"),
        ("[search]\nrate = {choices = [8, 8.0]}", "search.rate.choices: the choice 8.0 is listed twice"),
        (
            "[search]\nrate = {choices = [8, 'a']}",
            "search.rate.choices: the choices should be all numbers, all strings",
        ),
        ("[search]\nrate = {choices = [1, true]}", "search.rate.choices: the choices should be all"),
        ("[search]\nrate = {choices = [1, nan]}", "search.rate.choices: Input should be a finite number"),
        ("threshold = ", "cannot be read as TOML"),
        (
            "<<<<<<< HEAD\nthreshold = 0.9\n=======\nthreshold = 0.8\n>>>>>>> b\n",
            "(at line 1, column 1). Resolve the merge conflict there, and commit the result.",
        ),
        ("script: nn.py\nthreshold: 0,9", 'column 7). Write script = "nn.py".'),
        ("script = nn.py", 'Write script = "nn.py".'),
        ("threshold = 0,9", "Write threshold = 0.9."),
        ("threshold = 95%", "column 15). Write threshold = 0.95."),
        ("threshold: 87.5 %  # of all rows", "Write threshold = 0.875."),
        ("threshold = .9", "Write threshold = 0.9."),
        ("threshold = 1.", "Write threshold = 1.0."),
        ("threshold = 0.9;", "Write threshold = 0.9."),
        ("threshold = 0.9,", "Write threshold = 0.9."),
        ("threshold = 0.9 // good", "Write threshold = 0.9."),
        ("threshold 0.9", "Write threshold = 0.9."),
        ("threshold == 0.9", "Write threshold = 0.9."),
        ("repeated_rows = True", "Write repeated_rows = true."),
        ("metric = none", "Remove the line to use the default."),
        ('"metric": "auc",', 'Write metric = "auc".'),
        ("// the target\nthreshold = 0.9", "Comments begin with #."),
        ('{"threshold": 0.9}', "Write each setting on its own line, without braces, as in name = value."),
        (
            "[search]\nrate = { low = 1, high = 2, }",
            "column 29). Write the whole { … } on one line, with no comma before the closing brace.",
        ),
        ("[search]\nrate = {\n  low = 1,\n  high = 2\n}", "Write the whole { … } on one line"),
        ("[mail]\nto = ['eve@example.com']", "there is no table [mail]. It belongs in server.toml"),
        ("[sandbox]\nnetwork = true", "there is no table [sandbox]. It belongs in server.toml"),
        ("[retrian]\npatience = 3", "there is no table [retrian]. Did you mean [retrain]?"),
        ("[training]\nepochs = 50", "there is no table [training]. Valid tables: [retrain], [search], [[project]]."),
        ("[model]\nthreshold = 0.9\nepochs = 5", "there is no table [model]. Move threshold to the top of the file"),
        ("[retrain]\nthreshold = 0.9", "It belongs at the top of the file, above all tables: threshold = 0.9."),
        ("[serach]\nrate = {low = 1, high = 2}", "there is no table [serach]. Did you mean [search]?"),
        (
            "threshold = '90%'",
            "threshold: should be a number, without quotation marks, as in threshold = 0.9 (it is '90%')",
        ),
        (
            "[retrain]\nmax_epochs = '100'",
            "retrain.max_epochs: should be a number, without quotation marks, as in max_epochs = 100",
        ),
        ("confidence = 'high'", "confidence: should be a number, without quotation marks (it is 'high')"),
    ],
)
def test_invalid_setting_in_the_repository_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """Misspelt keys, values out of range and settings of the server are refused, with the name of the file."""
    (tmp_path / "epochal.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_repository_settings(tmp_path)
    assert expected in str(error.value)
    assert "epochal.toml" in str(error.value)


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ("min = 1, max = 2", ["search.rate.low?", "search.rate.high?"]),
        ("low = 1, hihg = 2", ["search.rate.high?"]),
        ("values = [16, 32]", ["search.rate.choices?"]),
        ("choice = [16, 32]", ["search.rate.choices?"]),
        ("chocies = [16, 32]", ["search.rate.choices?"]),
    ],
)
def test_mistaken_key_of_a_range_is_not_also_missing(tmp_path: Path, values: str, meant: list[str]) -> None:
    """A misspelt key is reported on one line, without a second one about the missing key."""
    (tmp_path / "epochal.toml").write_text(f"[search]\nrate = {{ {values} }}")
    with pytest.raises(SettingsError) as error:
        read_repository_settings(tmp_path)
    assert [line.rpartition("Did you mean ")[2] for line in str(error.value).splitlines()] == meant


def test_misspelt_key_does_not_hide_an_invalid_value(tmp_path: Path) -> None:
    """Both lines are reported if the key is also set, to a value that is out of range."""
    (tmp_path / "epochal.toml").write_text("threshold = 95\ntreshold = 0.9")
    with pytest.raises(SettingsError) as error:
        read_repository_settings(tmp_path)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[repository]\nurl = 'a'",
            '[repository] should be [[repository]], in double brackets, with url = "a" on the next line.',
        ),
        (
            "[[repository]]\nurl = 'a'\nbranches = 'main, develop'",
            'repository 1: branches: Input should be a list, as in ["main", "develop"] (it is \'main, develop\').',
        ),
        ("[[repository]]\nurl = 'a'\nbranches = []", "repository 1: branches: Input should not be empty (it is [])."),
        ("[mail]\nto = 'a@b.c'", "mail.to: Input should be a list, as in [\"a@b.c\"] (it is 'a@b.c')."),
        ("[mail]\nto = 5", "mail.to: Input should be a list (it is 5)."),
        ("[mail]\nto = [5]", "mail.to: Input should be a valid string (it is 5)."),
        (
            "[mail]\nfrom = 'Ada <a@b.c>'",
            "mail.from: Input should be an address without a name, such as epochal@example.org (it is 'Ada <a@b.c>').",
        ),
        (
            "[jenkins]\nurl = 'ci'",
            "jenkins.url: Input should be an address such as http://127.0.0.1:8080/ (it is 'ci').",
        ),
        ("jenkins = 'ci'", "jenkins: Input should be a table: [jenkins] (it is 'ci')."),
        ("[jenkins]\nvariables = 5", "jenkins.variables: Input should be a table: [jenkins.variables] (it is 5)."),
        ("minutes = 5", "minutes is not a setting. It belongs in the [limits] table."),
        ("from = 'a@b.c'", "from is not a setting. It belongs in the [mail] table."),
        ("url = 'a'", "url is not a setting. It belongs in the [jenkins] or [[repository]] table."),
        ("[mail]\nmemory_mb = 5", "mail.memory_mb is not a setting. It belongs in the [limits] table."),
        ("[mail]\nparallel = 5", "It belongs at the top of the file, above all tables: parallel = 5."),
        ("threshold = 0.9", "threshold is not a setting. It belongs in epochal.toml, in the repository."),
        ("[retrain]\npatience = 5", "there is no table [retrain]. It belongs in epochal.toml, in the repository."),
    ],
)
def test_invalid_setting_of_the_server_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """The message describes lists, tables and strings in TOML's terms, and says where a misplaced setting belongs."""
    (tmp_path / "server.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_server_settings(_read_environment(tmp_path))
    assert expected in str(error.value)


def test_settings_of_the_repository_are_known_to_the_server() -> None:
    """If server.toml has a repository's setting, the message says that it belongs in epochal.toml."""
    assert set(ServerSettings.ELSEWHERE) == set(RepositorySettings.model_fields)


def test_search_space_keeps_its_types(tmp_path: Path) -> None:
    """Whole numbers stay integers, and true and false stay Booleans."""
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
    assert [values.is_integer for values in search.values() if isinstance(values, Range)] == [False, True]
    kinds = [type(value) for values in search.values() if isinstance(values, Choices) for value in values.choices]
    assert kinds == [int, int, str, str, bool, bool]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Epochal.toml", "Epochal.toml is not read. Rename it to epochal.toml."),
        ("EPOCHAL.TOML", "EPOCHAL.TOML is not read. Rename it to epochal.toml."),
        (".epochal.toml", ".epochal.toml is not read. Rename it to epochal.toml."),
        ("epochal.yml", "epochal.yml is not read. Write its settings as TOML in epochal.toml."),
        ("epochal.yaml", "epochal.yaml is not read. Write its settings as TOML in epochal.toml."),
        ("epochal.ini", "epochal.ini is not read. Write its settings as TOML in epochal.toml."),
        ("epochal.toml.txt", "epochal.toml.txt is not read. Rename it to epochal.toml."),
        ("epochal.tml", "epochal.tml is not read. Rename it to epochal.toml."),
    ],
)
def test_file_with_another_name_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    """Such a file would otherwise be ignored. Next to epochal.toml, it is taken for a copy and allowed."""
    (tmp_path / name).write_text("threshold = 0.9")
    with pytest.raises(SettingsError) as error:
        read_repository_settings(tmp_path)
    assert str(error.value) == expected
    (tmp_path / "epochal.toml").write_text("threshold = 0.7")
    assert read_repository_settings(tmp_path).threshold == 0.7


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "epochal.json",
            '{"threshold": 0.9}',
            "epochal.json is not read. Write its settings as TOML in epochal.toml.",
        ),
        (
            "pyproject.toml",
            "[tool.epochal]\nthreshold = 0.9",
            "pyproject.toml: [tool.epochal] is not read. Move its settings to epochal.toml.",
        ),
        ("epochal.json", '{"threshold": 0.9, "trials": []}', ""),
        ("pyproject.toml", "[tool.ruff]\nthreshold = 0.9", ""),
        ("pyproject.toml", "[tool", ""),
    ],
)
def test_settings_in_another_format_are_refused(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """A JSON file with other keys, such as the output of a command, is not taken for settings."""
    (tmp_path / name).write_text(text)
    if expected:
        with pytest.raises(SettingsError) as error:
            read_repository_settings(tmp_path)
        assert str(error.value) == expected
    else:
        assert read_repository_settings(tmp_path) == RepositorySettings()


def test_uncommented_project_of_the_template_is_valid(tmp_path: Path) -> None:
    """The template's [retrain], which has no settings, is allowed beside projects."""
    text = template(RepositorySettings, "a title").replace("#[[project]]", "[[project]]").replace("#path", "path")
    (tmp_path / "epochal.toml").write_text(text)
    assert [project.path for project in read_repository_settings(tmp_path).project] == ["projects/digits"]


def test_other_encoding_is_named(tmp_path: Path) -> None:
    """Windows PowerShell writes UTF-16 if output is redirected to a file."""
    (tmp_path / "epochal.toml").write_text("threshold = 0.9", encoding="utf-16")
    with pytest.raises(SettingsError, match=r"epochal\.toml is not encoded in UTF-8\. Save it as UTF-8\.$"):
        read_repository_settings(tmp_path)


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Some Windows editors write a byte order mark."""
    (tmp_path / "epochal.toml").write_bytes(b"\xef\xbb\xbfthreshold = 0.9\r\n")
    assert read_repository_settings(tmp_path).threshold == 0.9


def test_repository_is_added_to_the_watched_ones_once(tmp_path: Path) -> None:
    """The other lines of server.toml are kept. Adding other branches of the same repository is an error."""
    (tmp_path / "server.toml").write_text("# mine\nparallel = 2\n", encoding="utf-8")
    assert watch_repository(tmp_path, "https://example.com/ada/digits.git", ("main",))
    before = (tmp_path / "server.toml").read_bytes()
    assert not watch_repository(tmp_path, "https://example.com/ada/digits.git", ("main",))
    assert (tmp_path / "server.toml").read_bytes() == before
    assert before.startswith(b"# mine\nparallel = 2\n")
    settings = read_server_settings(_read_environment(tmp_path))
    assert [(watched.url, watched.branches) for watched in settings.repository] == [
        ("https://example.com/ada/digits.git", ("main",))
    ]
    with pytest.raises(SettingsError, match=r"already lists .* but not with all of these branches: develop"):
        watch_repository(tmp_path, "https://example.com/ada/digits.git", ("develop",))


def test_watching_keeps_the_line_ends(tmp_path: Path) -> None:
    """A server.toml written on Windows has CRLF line endings, and so do the added lines."""
    (tmp_path / "server.toml").write_bytes(b"# mine\r\nparallel = 2\r\n")
    assert watch_repository(tmp_path, "https://example.com/ada/digits.git", ("main",))
    written = (tmp_path / "server.toml").read_bytes()
    assert written.startswith(b"# mine\r\nparallel = 2\r\n\r\n[[repository]]\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    """A variable replaces the setting in server.toml."""
    (tmp_path / "server.toml").write_text(
        'runtime = "docker"\n[images]\nbase = "a"\nca_bundle = "/c.pem"', encoding="utf-8"
    )
    settings = read_server_settings(_read_environment(tmp_path, EPOCHAL_RUNTIME="process", EPOCHAL_BASE_IMAGE="b"))
    assert (settings.runtime, settings.images.base, settings.images.ca_bundle) == ("process", "b", "/c.pem")


def test_paths_in_the_file_are_relative_to_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths do not depend on the folder in which a command or a job runs."""
    monkeypatch.setenv("HOME", "/home/ada")
    (tmp_path / "server.toml").write_text(
        'data = "data"\n[gateway]\nsecret_file = "/etc/secret"\n[mail]\npassword_file = "~/password"\n'
        '[[repository]]\nurl = "https://example.com/a.git"\ncredentials = "secrets/git"\n'
    )
    settings = read_server_settings(_read_environment(tmp_path))
    assert (settings.data, settings.gateway.secret_file) == (f"{tmp_path}/data", "/etc/secret")
    assert (settings.mail.password_file, settings.jenkins.token_file) == ("/home/ada/password", "")
    assert settings.repository[0].credentials == f"{tmp_path}/secrets/git"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"EPOCHAL_THRESHHOLD": "0.9"}, "Did you mean EPOCHAL_THRESHOLD?"),
        ({"EPOCHAL_THRESHOLD": "nine"}, "EPOCHAL_THRESHOLD"),
        ({"EPOCHAL_RUN": "0"}, "EPOCHAL_RUN"),
        ({"EPOCHAL_RUNTIME": "podman"}, "EPOCHAL_RUNTIME"),
        ({"EPOCHAL_MAIL_PASSWORD_FILE": "/no/such/file"}, "EPOCHAL_MAIL_PASSWORD_FILE: /no/such/file cannot be read"),
    ],
)
def test_invalid_variable_is_named(tmp_path: Path, variables: dict[str, str], expected: str) -> None:
    """A misspelt or invalid variable is reported rather than ignored."""
    with pytest.raises(SettingsError) as error:
        _read_environment(tmp_path, **variables)
    assert expected in str(error.value)


def test_secret_is_read_from_a_file_and_not_shown(tmp_path: Path) -> None:
    """The trailing newline is not part of the secret."""
    (tmp_path / "password").write_text("correct horse\n", encoding="utf-8")
    environment = _read_environment(tmp_path, EPOCHAL_MAIL_PASSWORD_FILE=str(tmp_path / "password"))
    assert environment.mail_password is not None
    assert environment.mail_password.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(environment)


def test_home_defaults_to_the_xdg_state_folder() -> None:
    """The XDG Base Directory Specification defines the state folder."""
    assert Environment.read({"XDG_STATE_HOME": "/state"}).home == Path("/state/epochal")
