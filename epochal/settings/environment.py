"""Environment variables: Epochal's own, and those that Jenkins or the embedded chain sets for a job."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from epochal.errors import SettingsError

RuntimeName = Literal["docker", "process", "auto"]
"""Where training runs; ``auto`` means Docker if its engine answers, otherwise a process."""


class Environment(BaseModel):
    """The environment variables that a command uses, read once when it starts.

    A secret is set as ``NAME`` or, better, as ``NAME_FILE``, the path of a file that contains it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Annotated[Path, Field(alias="EPOCHAL_HOME")]
    scripts: Annotated[str, Field(alias="EPOCHAL_SCRIPTS")] = ""
    python: Annotated[str, Field(alias="EPOCHAL_PYTHON")] = ""
    run: Annotated[int | None, Field(alias="EPOCHAL_RUN", ge=1)] = None
    branch: Annotated[str, Field(alias="EPOCHAL_BRANCH")] = ""
    runtime: Annotated[RuntimeName | None, Field(alias="EPOCHAL_RUNTIME")] = None
    threshold: Annotated[float | None, Field(alias="EPOCHAL_THRESHOLD", gt=0, le=1)] = None
    no_mail: Annotated[bool, Field(alias="EPOCHAL_NO_MAIL")] = False
    force: Annotated[bool, Field(alias="EPOCHAL_FORCE")] = False
    base_image: Annotated[str, Field(alias="EPOCHAL_BASE_IMAGE")] = ""
    ca_bundle: Annotated[str, Field(alias="EPOCHAL_CA_BUNDLE")] = ""
    database: Annotated[SecretStr | None, Field(alias="EPOCHAL_DATABASE")] = None
    webhook_secret: Annotated[SecretStr | None, Field(alias="EPOCHAL_WEBHOOK_SECRET")] = None
    mail_password: Annotated[SecretStr | None, Field(alias="EPOCHAL_MAIL_PASSWORD")] = None
    github_token: Annotated[SecretStr | None, Field(alias="EPOCHAL_GITHUB_TOKEN")] = None
    jenkins_token: Annotated[SecretStr | None, Field(alias="EPOCHAL_JENKINS_TOKEN")] = None
    ngrok_authtoken: Annotated[SecretStr | None, Field(alias="EPOCHAL_NGROK_AUTHTOKEN")] = None
    workspace: Annotated[str, Field(alias="WORKSPACE")] = ""
    git_commit: Annotated[str, Field(alias="GIT_COMMIT")] = ""
    git_url: Annotated[str, Field(alias="GIT_URL")] = ""
    build_url: Annotated[str, Field(alias="BUILD_URL")] = ""
    build_tag: Annotated[str, Field(alias="BUILD_TAG")] = ""
    docker_host: Annotated[str, Field(alias="DOCKER_HOST")] = ""

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> "Environment":
        """Read ``variables``, by default the environment of this process.

        EPOCHAL_HOME defaults to the folder ``epochal`` in $XDG_STATE_HOME (~/.local/state). Raises SettingsError for an
        unknown name that begins with EPOCHAL_, an invalid value, or a secret's file that cannot be read or is empty.
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


def read_secret(path: Path, setting_name: str) -> str:
    """Return the secret in the file ``path`` without surrounding whitespace.

    Raises SettingsError, which names the variable or setting ``setting_name``, if the file cannot be read or is empty.
    """
    try:
        secret = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting_name}: {path} cannot be read: {error}.") from None
    if not secret:
        raise SettingsError(f"{setting_name}: {path} is empty; it should hold the secret.")
    return secret


def read_secret_setting(from_environment: SecretStr | None, path: str, setting_name: str) -> str | None:
    """Return the secret ``from_environment`` if it is set, otherwise the one in the file ``path``; None without either.

    ``path``: the value of the setting ``setting_name``, empty if it is not set. Raises SettingsError if the file cannot
    be read or is empty.
    """
    if from_environment:
        return from_environment.get_secret_value()
    return read_secret(Path(path), setting_name) if path else None


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process: that of this process without ``GIT_*``, overridden by ``changes``.

    In a git hook, ``GIT_*`` would point git at the wrong repository; see githooks(5). Variables that configure git
    itself or its connections are kept.
    """
    # These say how to reach a server, not which repository to use.
    kept = ("GIT_SSL_", "GIT_SSH", "GIT_CONFIG_")
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(kept)}
    return own | dict(changes)


def _check_names(variables: Mapping[str, str], known: set[str]) -> None:
    errors = []
    for name in sorted(variables):
        if name.startswith("EPOCHAL_") and name not in known:
            matches = difflib.get_close_matches(name, known, n=1)
            errors.append(
                f"{name} is not a variable of Epochal's." + (f" Did you mean {matches[0]}?" if matches else "")
            )
    if errors:
        raise SettingsError("\n".join(errors))
