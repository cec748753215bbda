"""``$EPOCHAL_HOME/server.toml``: the admin's settings, such as watched repositories, limits and mail."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from epochal.errors import SettingsError
from epochal.settings.environment import Environment, RuntimeName
from epochal.settings.toml import Expected, FilePath, Table, read_toml, template

FILE_NAME = "server.toml"


class WatchedRepository(Table):
    """A repository to watch. Pushes to its ``branches`` start runs."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            description="The repository to fetch from: an https or ssh URL, or a path.",
            examples=["https://github.com/ada/digits.git"],
        ),
    ]
    branches: Annotated[tuple[str, ...], Field(min_length=1, description="The branches to watch.")] = ("main",)
    credentials: Annotated[
        FilePath,
        Field(
            description="A file with the password for a private repository, in git's credential-store format; optional."
        ),
    ] = ""
    jenkins_credentials: Annotated[
        str,
        Expected("made up of letters, digits, dots, underscores and hyphens"),
        Field(
            pattern=r"^[A-Za-z0-9._-]*$",
            description="The ID of the Jenkins credentials for the repository; optional.",
        ),
    ] = ""


class LimitSettings(Table):
    """The resources that training may use, and how long a run waits for Docker."""

    memory_mb: Annotated[int, Field(ge=64, description="The memory limit for a trial, in MB.")] = 6144
    cpus: Annotated[float, Field(ge=0, description="How many processor cores a trial may use; 0 for all.")] = 0.0
    processes: Annotated[
        int, Field(ge=32, description="The maximum number of processes and threads in a trial (Docker only).")
    ] = 512
    minutes: Annotated[float, Field(gt=0, description="How many minutes a trial may take.")] = 60.0
    trials: Annotated[
        int,
        Field(
            ge=0,
            le=64,
            description="How many trials of a search run at once; 0 for as many as cpus and memory_mb allow.",
        ),
    ] = 0
    log_mb: Annotated[
        float,
        Field(gt=0, description="The maximum size of train.log, in MB; the middle of a longer log is left out."),
    ] = 20.0
    output_mb: Annotated[
        float,
        Field(
            ge=1,
            description="The maximum size of each file that the code writes, and the maximum total size of the files "
            "that are kept, in MB.",
        ),
    ] = 2048.0
    tmp_mb: Annotated[
        int, Field(ge=1, description="The size of /tmp in a container, in MB; files in it count towards memory_mb.")
    ] = 1024
    engine_minutes: Annotated[
        float, Field(gt=0, description="How many minutes a run waits for a Docker engine that does not answer.")
    ] = 60.0


class SandboxSettings(Table):
    """What pushed code may access. The settings apply to every watched repository."""

    network: Annotated[bool, Field(description="Whether code may use the network during training.")] = False
    packages: Annotated[
        Literal["wheels", "any"],
        Field(
            description='What requirements.txt may install: "wheels" (only wheels from the index) or "any" (also\n'
            "URLs, git, other indexes, and source packages, which run code when they are installed)."
        ),
    ] = "wheels"


class ImageSettings(Table):
    """How container images and environments for training are built."""

    base: Annotated[
        str, Field(min_length=1, description="The Dockerfile's BASE_IMAGE: Debian or a derivative, with Python.")
    ] = "python:3.12-slim-bookworm"
    ca_bundle: Annotated[
        FilePath,
        Field(description="A PEM file with additional certificate authorities to trust in builds; optional."),
    ] = ""
    torch_index: Annotated[
        str,
        Expected("cpu, xpu, pypi, or a version of CUDA or ROCm such as cu130 or rocm6.4"),
        Field(
            pattern=r"^(cpu|cu\d+|xpu|rocm[\d.]+|pypi)$",
            description="The PyTorch index to install from, such as cpu or cu130; pypi means PyPI, whose Linux wheels use CUDA.",
        ),
    ] = "cpu"


class GatewaySettings(Table):
    """The address that the gateway listens on, and the webhook's secret."""

    host: Annotated[str, Field(description="The address to listen on; the loopback address is enough for ngrok.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on.")] = 8787
    secret_file: Annotated[
        FilePath,
        Field(
            description="The file with the webhook's secret; by default, $EPOCHAL_HOME/webhook-secret (created\n"
            "on first start)."
        ),
    ] = ""


class MailSettings(Table):
    """The mail server, and who receives mail."""

    host: Annotated[str, Field(description="The SMTP server; if empty, no mail is sent.")] = ""
    port: Annotated[
        int,
        Field(
            ge=1,
            le=65535,
            description='The SMTP port, usually 587 for security = "starttls", 465 for "tls" and 25 for "none".',
        ),
    ] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="How the connection is encrypted: starttls, tls (implicit) or none."),
    ] = "starttls"
    user: Annotated[str, Field(description="The user name; if empty, Epochal does not log in.")] = ""
    password_file: Annotated[
        FilePath, Field(description="A file with the password. Alternatively, set EPOCHAL_MAIL_PASSWORD.")
    ] = ""
    sender: Annotated[
        str,
        Expected("an address without a name, such as epochal@example.org"),
        Field(alias="from", pattern=r"^[^\s@<>]+@[^\s@<>]+$", description="The sender's address, without a name."),
    ] = "epochal@localhost"
    to: Annotated[
        tuple[str, ...],
        Field(
            description="The recipients of the email about each run; if empty, the commit's author (see allowed_domains)."
        ),
    ] = ()
    allowed_domains: Annotated[
        tuple[str, ...], Field(description='The domains of commit authors who may receive mail; "*" for any.')
    ] = ()


class JenkinsSettings(Table):
    """The address of Jenkins and options for its jobs. The API token is in EPOCHAL_JENKINS_TOKEN or ``token_file``."""

    url: Annotated[
        str,
        Expected("an address such as http://127.0.0.1:8080/"),
        Field(
            pattern=r"^$|^https?://[^\s?#]+$",
            description="The address at which the gateway reaches Jenkins.",
            examples=["http://127.0.0.1:8080/"],
        ),
    ] = ""
    user: Annotated[str, Field(description="The user whose API token is used.")] = ""
    token_file: Annotated[
        FilePath, Field(description="A file with the API token. Alternatively, set EPOCHAL_JENKINS_TOKEN.")
    ] = ""
    label: Annotated[
        str,
        Expected("a label without quotation marks, dollar signs or backquotes"),
        Field(pattern=r"^[^'\"$`]*$", description="The label of the agents that run the jobs; empty for any agent."),
    ] = "docker"
    prefix: Annotated[
        str,
        Expected("made up of letters, digits, dots, underscores and hyphens"),
        Field(pattern=r"^[A-Za-z0-9._-]*$", description="A prefix for the names of the jobs and the view."),
    ] = ""
    github_push: Annotated[
        bool,
        Field(description="Whether GitHub's webhook may start the pull job in Jenkins directly, without the gateway."),
    ] = False
    timeout_minutes: Annotated[
        int,
        Field(
            ge=10,
            description="Jenkins aborts a build after this many minutes. Allow more time than a run may take (see\n"
            "[limits] minutes, and [retrain] max_minutes in epochal.toml), so that the run ends first.",
        ),
    ] = 1440
    keep_builds: Annotated[int, Field(ge=1, description="How many builds of each job Jenkins keeps.")] = 200
    variables: Annotated[
        dict[str, str],
        Field(description="Variables that the jobs export, in case the agents lack them. Do not put secrets here."),
    ] = {}  # noqa: RUF012 (pydantic copies it)

    @field_validator("variables")
    @classmethod
    def _refuse_secrets(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} is not a valid variable name")
            if re.search(r"TOKEN|SECRET|PASSWORD|DATABASE", name) and not name.endswith("_FILE"):
                raise ValueError(
                    f"{name} may contain a secret, which everybody could then read in Jenkins: use {name}_FILE"
                )
        return variables


class ServerSettings(Table):
    """The settings of one server (one EPOCHAL_HOME)."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            "threshold",
            "confidence",
            "metric",
            "repeated_rows",
            "script",
            "framework",
            "retrain",
            "search",
            "project",
        ),
        "epochal.toml, in the repository",
    )

    database: Annotated[
        str, Field(description="The database's SQLAlchemy URL; if empty, SQLite in $EPOCHAL_HOME/epochal.db.")
    ] = ""
    runtime: Annotated[
        RuntimeName,
        Field(
            description="Where training runs: docker, process (no sandbox), or auto (docker if its engine answers, else process).\n"
            "auto is only for epochal run: a server waits for Docker rather than training without a sandbox."
        ),
    ] = "docker"
    supersede: Annotated[
        Literal["queued", "running"],
        Field(
            description="Which older runs a newer commit on the same branch supersedes: only queued ones (queued), or\n"
            "running ones as well (running)."
        ),
    ] = "queued"
    chain: Annotated[
        Literal["embedded", "jenkins"],
        Field(description="What runs the pull, train and retrain jobs: epochal serve itself (embedded), or Jenkins."),
    ] = "embedded"
    parallel: Annotated[int, Field(ge=1, le=64, description="How many runs train at the same time.")] = 1
    data: Annotated[
        FilePath,
        Field(
            description="A folder with data for training, whose path the script finds in EPOCHAL_DATA; optional.\n"
            "A relative path, here and in the other settings for files, is relative to $EPOCHAL_HOME. In a container,\n"
            "the data folder is mounted read-only at /data."
        ),
    ] = ""
    # model_construct() returns the defaults without building the table's validator, unlike calling the class.
    gateway: Annotated[
        GatewaySettings, Field(description="The address that the gateway listens on, and the webhook's secret.")
    ] = GatewaySettings.model_construct()
    limits: Annotated[LimitSettings, Field(description="The resource limits for training.")] = (
        LimitSettings.model_construct()
    )
    sandbox: Annotated[SandboxSettings, Field(description="What pushed code may access.")] = (
        SandboxSettings.model_construct()
    )
    images: Annotated[
        ImageSettings, Field(description="How container images and environments for training are built.")
    ] = ImageSettings.model_construct()
    mail: Annotated[MailSettings, Field(description="The mail server and the recipients.")] = (
        MailSettings.model_construct()
    )
    jenkins: Annotated[
        JenkinsSettings, Field(description='The Jenkins server and its jobs; used if chain = "jenkins".')
    ] = JenkinsSettings.model_construct()
    repository: Annotated[
        tuple[WatchedRepository, ...], Field(description="The watched repositories; to add one, run epochal watch.")
    ] = ()


def read_server_settings(environment: Environment) -> ServerSettings:
    """Return the settings in ``environment.home``/server.toml, overridden by the environment.

    If the file does not exist, the defaults are used. Raises SettingsError if a setting is invalid.
    """
    settings = read_toml(environment.home / FILE_NAME, ServerSettings)
    changed: dict[str, Any] = {}
    if environment.runtime:
        changed["runtime"] = environment.runtime
    if environment.database:
        changed["database"] = environment.database.get_secret_value()
    images = {"base": environment.base_image, "ca_bundle": environment.ca_bundle}
    changed["images"] = settings.images.model_copy(update={key: value for key, value in images.items() if value})
    return settings.model_copy(update=changed)


def watch_repository(home: Path, url: str, branches: tuple[str, ...]) -> bool:
    """Add a watched repository to ``home``/server.toml, which is created from the commented template if it is missing.

    The existing text of the file is kept. Returns False, and writes nothing, if the URL is already watched with these
    branches. Raises SettingsError if the file is invalid, or if the URL is watched, but not with all of these
    branches: the admin then has to add the missing ones to the file.
    """
    path = home / FILE_NAME
    for watched in read_toml(path, ServerSettings).repository:
        if watched.url == url and set(branches) <= set(watched.branches):
            return False
        if watched.url == url:
            raise SettingsError(
                f"{path} already lists {url}, but not with all of these branches: {', '.join(branches)}. "
                "Add the missing branches to that entry."
            )
    # Read bytes, because text mode would turn CRLF into LF.
    text = path.read_bytes().decode("utf-8") if path.exists() else template(ServerSettings, "Epochal's server settings")
    table = f"\n[[repository]]\nurl = {json.dumps(url, ensure_ascii=False)}\nbranches = {json.dumps(list(branches))}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()
    temporary = target.with_suffix(".tmp")
    temporary.touch(mode=0o600)
    added = f"\n{table}".replace("\n", "\r\n" if "\r\n" in text else "\n")
    temporary.write_bytes((text.rstrip("\r\n") + added).encode())
    temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o600)
    temporary.replace(target)
    return True
