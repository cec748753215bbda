"""What a command or a job has at hand."""

from dataclasses import dataclass

from epochal.folders import Home
from epochal.settings import Environment, RuntimeName, ServerSettings, read_server_settings
from epochal.store.database import Database
from epochal.store.patience import Patience


@dataclass(frozen=True)
class App:
    """The environment that the process was started in, its home's settings, and the database."""

    environment: Environment
    settings: ServerSettings
    database: Database

    @classmethod
    def open(cls, environment: Environment, patience: Patience | None = None) -> "App":
        """Read the settings and open the database, waiting for it with ``patience``; raises SettingsError."""
        settings = read_server_settings(environment)
        return cls(environment, settings, Database(Home(environment.home).database_url(settings.database), patience))

    @property
    def home(self) -> Home:
        """The folder that everything is kept in."""
        return Home(self.environment.home)

    @property
    def build_url(self) -> str | None:
        """The page of the build that runs the job; None if it has none (the embedded chain's has a folder)."""
        url = self.environment.build_url
        return url if url.startswith(("http://", "https://")) else None

    @property
    def personal_runtime(self) -> RuntimeName:
        """Return the runtime for what a person trains: the one that the environment or server.toml names, else ``auto``."""
        return self.settings.runtime if "runtime" in self.settings.model_fields_set else "auto"

    def credentials(self, repository: str) -> str:
        """Return the file with the credentials for a watched repository; empty if none was set."""
        return next((watched.credentials for watched in self.settings.repository if watched.url == repository), "")
