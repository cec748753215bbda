"""``App``: the environment, settings and database that a command or a job uses."""

from dataclasses import dataclass

from epochal.folders import Home
from epochal.settings import Environment, RuntimeName, ServerSettings, read_server_settings
from epochal.store.database import Database
from epochal.store.retry import RetryPolicy


@dataclass(frozen=True)
class App:
    """The environment of the process, the server's settings, and the database."""

    environment: Environment
    settings: ServerSettings
    database: Database

    @classmethod
    def open(cls, environment: Environment, retry_policy: RetryPolicy | None = None) -> "App":
        """Read the settings in ``environment.home`` and open the database.

        ``retry_policy``: how long to wait if the database does not answer; by default, not at all. Raises
        SettingsError if the settings are invalid, or if the database cannot be opened or does not answer.
        """
        settings, home = read_server_settings(environment), Home(environment.home)
        if not settings.database:  # With PostgreSQL, some commands write no files.
            environment.create_home(home.database.name)
        return cls(environment, settings, Database(home.database_url(settings.database), retry_policy))

    @property
    def home(self) -> Home:
        """``$EPOCHAL_HOME``, the folder in which Epochal keeps its files."""
        return Home(self.environment.home)

    @property
    def build_url(self) -> str | None:
        """The URL of the Jenkins build that runs the job; None outside Jenkins (the embedded chain's file:// URL is ignored)."""
        url = self.environment.build_url
        return url if url.startswith(("http://", "https://")) else None

    @property
    def interactive_runtime(self) -> RuntimeName:
        """The runtime for commands run by hand, as set in the environment or server.toml; ``auto`` if it is not set."""
        return self.settings.runtime if "runtime" in self.settings.model_fields_set else "auto"

    def credentials(self, repository: str) -> str:
        """Return the path of the credentials file for the watched repository with this URL; empty if no file is set."""
        return next((watched.credentials for watched in self.settings.repository if watched.url == repository), "")
