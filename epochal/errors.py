"""Epochal's exceptions, and the closed list of reasons why a run or a trial ends without success."""

from enum import StrEnum

from epochal.folders import SCRIPT


class Reason(StrEnum):
    """Why a trial failed, or a run ended without reaching its threshold.

    The value is a word to filter by. ``description`` explains it to people, without a capital letter and a full stop.
    """

    description: str

    def __new__(cls, word: str, description: str = "") -> "Reason":
        """Create a member with ``word`` as its value."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.description = description
        return member

    # The code or its training failed.
    NO_SCRIPT = "no_script", f"there is no {SCRIPT} at the top of the repository"
    SYNTAX_ERROR = "syntax_error", f"{SCRIPT}, or a module that it imports, is not valid Python"
    IMPORT_ERROR = "import_error", "a module that the code imports could not be imported"
    SCRIPT_ERROR = "script_error", f"{SCRIPT} ended with an error"
    OUT_OF_MEMORY = "out_of_memory", "the training needed more memory than it may use"
    KILLED = "killed", "the training was killed by a signal"
    TIMED_OUT = "timed_out", "the training took longer than it may"
    NO_NETWORK = "no_network", "the code wanted the network and did not reach it"
    NO_ACCURACY = "no_accuracy", "the training ended well but told no accuracy"
    ACCURACY_NOT_FINITE = "accuracy_not_finite", "the accuracy is not a finite number"
    ACCURACY_OUT_OF_RANGE = "accuracy_out_of_range", "the accuracy is not between 0 and 1"
    NO_SAMPLES = (
        "no_samples",
        "it is not known on how many test samples the accuracy was measured, which confidence needs",
    )
    SEVERAL_FRAMEWORKS = "several_frameworks", "the code imports several frameworks that each could be the one to train"

    # Something in the repository cannot be used.
    BAD_SETTINGS = "bad_settings", "epochal.toml cannot be used as it is"
    REFUSED_REQUIREMENT = "refused_requirement", "requirements.txt asks for what this server does not allow"
    UNSAFE_SYMLINK = "unsafe_symlink", "the commit holds a symbolic link that points outside of the repository"
    UNKNOWN_COMMIT = "unknown_commit", "the repository does not have the commit any more"

    # The server, the network or Jenkins failed.
    REPOSITORY_UNREACHABLE = "repository_unreachable", "the repository could not be fetched"
    ENVIRONMENT_FAILED = "environment_failed", "the training's environment could not be made"
    BUILD_FAILED = "build_failed", "Jenkins' build failed before the job's script could say why"
    NO_ENGINE = "no_engine", "no Docker engine answered"

    # A run ended below its threshold.
    NO_EPOCHS = "no_epochs", f"{SCRIPT} has no number of epochs that could be raised"
    MAX_EPOCHS = "max_epochs", "the next raise would go over max_epochs"
    MAX_MINUTES = "max_minutes", "the minutes of the budget are used up"
    MAX_TRIALS = "max_trials", "the trials of the budget are used up"
    STOPS_ITSELF = "stops_itself", f"{SCRIPT} itself ends the training before its epochs are used up"
    LEVELS_OFF = "levels_off", "the learning curve levels off below the threshold"
    TOO_FEW_SAMPLES = "too_few_samples", "the test samples are too few: not even all right answers would be enough"
    NO_IMPROVEMENT = "no_improvement", "the accuracy has stopped getting better"

    SPACE_USED_UP = "space_used_up", "every combination of the search space was tried"

    # A trial or a run was ended from outside.
    PRUNED = "pruned", "other trials were better after as many epochs"
    OVERTAKEN = "overtaken", "another trial reached the threshold first"
    INTERRUPTED = "interrupted", "the training was interrupted and is taken up again if its run continues"
    SUPERSEDED = "superseded", "a newer commit of the branch took its place"
    CANCELLED = "cancelled", "a person cancelled it"
    SKIPPED = "skipped", "the commit's message says that it is not to be trained"
    INTERNAL_ERROR = "internal_error", "Epochal itself failed; the server's log and the run's console logs say how"


class EpochalError(Exception):
    """An error that is shown to people. Its text (one or more lines) says what went wrong, where, and how to fix it."""

    exit_status = 70  # EX_SOFTWARE of sysexits.h: an internal error, unless a subclass overrides it


class UsageError(EpochalError):
    """A request cannot be carried out: the run is unknown, the folder has no nn.py, a tool is missing, or the like."""

    exit_status = 2


class SettingsError(UsageError):
    """A settings file or an environment variable is unreadable, misspelt or out of range."""


class RunFailed(EpochalError):
    """A run cannot reach a verdict, for a reason that its developer or the admin can fix.

    ``reason``: the kind of failure. ``explanation``: what happened in this case and how to fix it, by default the
    reason's description. ``detail``: what a program printed about it, several lines or empty.
    """

    exit_status = 1

    def __init__(self, reason: Reason, explanation: str = "", detail: str = "") -> None:
        self.reason = reason
        self.explanation = explanation or reason.description
        self.detail = detail
        super().__init__(self.explanation)
