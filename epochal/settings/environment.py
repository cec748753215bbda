"""Epochal's environment variables, and the variables that Jenkins or the embedded chain sets for a job."""

import difflib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from epochal.errors import SettingsError

RuntimeName = Literal["docker", "process", "auto"]
"""Where training runs; ``auto`` means Docker if its engine answers, otherwise a process."""


class Environment(BaseModel):
    """The environment variables that a command uses, read once when it starts.

    A secret is set as ``NAME`` or, better, as ``NAME_FILE``, the path of a file that contains it. The strings below
    the fields appear in docs/reference/environment.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Annotated[Path, Field(alias="EPOCHAL_HOME")]
    """The folder in which Epochal keeps everything; by default ``epochal`` in $XDG_STATE_HOME or ~/.local/state."""
    scripts: Annotated[str, Field(alias="EPOCHAL_SCRIPTS")] = ""
    """The folder of the job scripts that Jenkins runs."""
    python: Annotated[str, Field(alias="EPOCHAL_PYTHON")] = ""
    """The Python interpreter that the job scripts use to run Epochal; by default, they run the ``epochal`` on PATH."""
    run: Annotated[int | None, Field(alias="EPOCHAL_RUN", ge=1)] = None
    """The number of the run that a job works on."""
    branch: Annotated[str, Field(alias="EPOCHAL_BRANCH")] = ""
    """The branch that contains the commit GIT_COMMIT."""
    runtime: Annotated[RuntimeName | None, Field(alias="EPOCHAL_RUNTIME")] = None
    """Used instead of ``runtime`` in server.toml."""
    threshold: Annotated[float | None, Field(alias="EPOCHAL_THRESHOLD", gt=0, le=1)] = None
    """Used instead of ``threshold`` in epochal.toml."""
    no_mail: Annotated[bool, Field(alias="EPOCHAL_NO_MAIL")] = False
    """Whether to suppress the email about the run."""
    force: Annotated[bool, Field(alias="EPOCHAL_FORCE")] = False
    """Whether the train job trains even if it could reuse the verdict of an earlier run."""
    base_image: Annotated[str, Field(alias="EPOCHAL_BASE_IMAGE")] = ""
    """Used instead of ``[images] base`` in server.toml."""
    ca_bundle: Annotated[str, Field(alias="EPOCHAL_CA_BUNDLE")] = ""
    """Used instead of ``[images] ca_bundle`` in server.toml."""
    database: Annotated[SecretStr | None, Field(alias="EPOCHAL_DATABASE")] = None
    """Used instead of ``database`` in server.toml; the URL may contain a password."""
    webhook_secret: Annotated[SecretStr | None, Field(alias="EPOCHAL_WEBHOOK_SECRET")] = None
    """The webhook's secret; used instead of ``[gateway] secret_file`` in server.toml."""
    mail_password: Annotated[SecretStr | None, Field(alias="EPOCHAL_MAIL_PASSWORD")] = None
    """The password for the mail server; used instead of ``[mail] password_file`` in server.toml."""
    github_token: Annotated[SecretStr | None, Field(alias="EPOCHAL_GITHUB_TOKEN")] = None
    """The token that ``epochal tunnel`` uses to register the webhook with GitHub."""
    jenkins_token: Annotated[SecretStr | None, Field(alias="EPOCHAL_JENKINS_TOKEN")] = None
    """The API token for Jenkins; used instead of ``[jenkins] token_file`` in server.toml."""
    ngrok_authtoken: Annotated[SecretStr | None, Field(alias="EPOCHAL_NGROK_AUTHTOKEN")] = None
    """The ngrok authtoken that ``epochal tunnel`` needs."""
    workspace: Annotated[str, Field(alias="WORKSPACE")] = ""
    """The build's workspace. The pull job uses the checkout in it, if any, and jobs leave files for Jenkins there."""
    git_commit: Annotated[str, Field(alias="GIT_COMMIT")] = ""
    """The commit that the pull job fetches if EPOCHAL_RUN is not set."""
    git_url: Annotated[str, Field(alias="GIT_URL")] = ""
    """The repository that contains the commit GIT_COMMIT."""
    build_url: Annotated[str, Field(alias="BUILD_URL")] = ""
    """The URL of the build's page, shown in the email."""
    build_tag: Annotated[str, Field(alias="BUILD_TAG")] = ""
    """Set by Jenkins. If set, a job whose run fails waits 2 s to see whether Jenkins has aborted the build."""
    docker_host: Annotated[str, Field(alias="DOCKER_HOST")] = ""
    """The address of the Docker engine; by default the socket unix:///var/run/docker.sock."""

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> "Environment":
        """Read ``variables``, by default the environment of this process.

        EPOCHAL_HOME defaults to the folder ``epochal`` in $XDG_STATE_HOME or ~/.local/state. Raises SettingsError for
        an unknown name that begins with EPOCHAL_, an invalid value, or a secret file that cannot be read or is empty.
        """
        variables = os.environ if variables is None else variables
        names = {field.alias: field for field in cls.model_fields.values() if field.alias}
        secrets = {name for name, field in names.items() if "SecretStr" in str(field.annotation)}
        _check_names(variables, {*names, *(f"{name}_FILE" for name in secrets)})
        values: dict[str, Any] = {name: variables[name] for name in names if variables.get(name)}
        for name in secrets:
            if path := variables.get(f"{name}_FILE"):
                values[name] = read_secret(Path(path), f"{name}_FILE")
        state = variables.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
        values.setdefault("EPOCHAL_HOME", str(Path(state) / "epochal"))
        try:
            environment = cls.model_validate(values)
        except ValidationError as error:
            errors = [f"{fault['loc'][0]}: {fault['msg']}." for fault in error.errors()]
            raise SettingsError("\n".join(errors)) from None
        return environment.model_copy(update={"home": environment.home.expanduser().absolute()})

    def create_home(self, *files: str) -> None:
        """Create the folder EPOCHAL_HOME if it is missing.

        ``files``: names of files in it, which need not exist. Raises SettingsError if the folder cannot be created, if
        this user cannot write to it or to one of these files, or if the folder is, or contains, a broken link.
        """
        shown, remedy = f"EPOCHAL_HOME ({self.home})", "Set EPOCHAL_HOME to another folder"
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            file = next(path for path in (self.home, *self.home.parents) if os.path.lexists(path))
            _refuse_broken_link(file)
            if file == self.home:
                raise SettingsError(f"{shown} is not a folder. {remedy}.") from None
            raise SettingsError(f"{shown} cannot be created, because {file} is not a folder. {remedy}.") from None
        except OSError as error:
            raise SettingsError(
                f"{shown} cannot be created by the user {_user_name()}: {error.strerror}. {remedy}."
            ) from None
        if not os.access(self.home, os.W_OK | os.X_OK):
            raise SettingsError(
                f"{shown} is not writable by the user {_user_name()}. {remedy}, or change the folder's owner."
            )
        for path in self.home.iterdir():
            _refuse_broken_link(path)
        for path in (self.home / name for name in files):
            if path.exists() and not os.access(path, os.W_OK):
                raise SettingsError(
                    f"EPOCHAL_HOME: {path} is not writable by the user {_user_name()}. {remedy}, or change the file's "
                    "owner."
                )


def _refuse_broken_link(path: Path) -> None:
    """Raise SettingsError if ``path`` is a link whose target does not exist."""
    if path.is_symlink() and not path.exists():
        raise SettingsError(
            f"EPOCHAL_HOME: {path} is a link to {path.readlink()}, which does not exist. Mount or create it, or "
            "remove the link."
        )


def _user_name() -> str:
    """Return the name of the user who runs this process, or the user's ID if the system does not know the name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def read_secret(path: Path, setting_name: str) -> str:
    """Return the secret in the file ``path`` without surrounding whitespace.

    Raises SettingsError if the file cannot be read or is empty. The message begins with ``setting_name``, the name of
    the variable or setting.
    """
    try:
        secret = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting_name}: {path} cannot be read: {error}.") from None
    if not secret:
        raise SettingsError(f"{setting_name}: {path} is empty; it should contain the secret.")
    return secret


def read_secret_setting(from_environment: SecretStr | None, path: str, setting_name: str) -> str | None:
    """Return the secret ``from_environment`` if it is set, else the secret in the file ``path``, else None.

    ``path``: the value of the setting ``setting_name``; empty if that setting is not set. Raises
    SettingsError if the file cannot be read or is empty.
    """
    if from_environment:
        return from_environment.get_secret_value()
    return read_secret(Path(path), setting_name) if path else None


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process: that of this process without ``GIT_*``, plus ``changes``.

    In a git hook, ``GIT_*`` would point git at the wrong repository; see githooks(5). Variables that configure git
    itself or its connections are kept.
    """
    # Variables with these prefixes configure git or its connections; they do not choose a repository.
    kept = ("GIT_SSL_", "GIT_SSH", "GIT_CONFIG_")
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(kept)}
    return own | dict(changes)


def _check_names(variables: Mapping[str, str], known: set[str]) -> None:
    errors = []
    for name in sorted(variables):
        if name.startswith("EPOCHAL_") and name not in known:
            matches = difflib.get_close_matches(name, known, n=1)
            errors.append(
                f"{name} is not a known environment variable." + (f" Did you mean {matches[0]}?" if matches else "")
            )
    if errors:
        raise SettingsError("\n".join(errors))
