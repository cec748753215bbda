"""Settings, read from files and the environment into frozen models."""

from epochal.settings.environment import Environment, RuntimeName, child_environment
from epochal.settings.repository import (
    RepositorySettings,
    RetrainSettings,
    check_project,
    read_projects,
    read_repository_settings,
)
from epochal.settings.search import Choices, Range
from epochal.settings.server import (
    GatewaySettings,
    ImageSettings,
    JenkinsSettings,
    LimitSettings,
    MailSettings,
    SandboxSettings,
    ServerSettings,
    WatchedRepository,
    read_server_settings,
    watch_repository,
)
from epochal.settings.toml import find_line, table_lines, template

__all__ = [
    "Choices",
    "Environment",
    "GatewaySettings",
    "ImageSettings",
    "JenkinsSettings",
    "LimitSettings",
    "MailSettings",
    "Range",
    "RepositorySettings",
    "RetrainSettings",
    "RuntimeName",
    "SandboxSettings",
    "ServerSettings",
    "WatchedRepository",
    "check_project",
    "child_environment",
    "find_line",
    "read_projects",
    "read_repository_settings",
    "read_server_settings",
    "table_lines",
    "template",
    "watch_repository",
]
