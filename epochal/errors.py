"""Everything that can go wrong, as one tree of exceptions and one closed list of reasons. Imports nothing of ours."""

from enum import StrEnum

from epochal.folders import SCRIPT


class Reason(StrEnum):
    """Why a trial failed or a run ended without reaching its threshold: a word to filter by, and a sentence to read."""

    sentence: str

    def __new__(cls, word: str, sentence: str = "") -> "Reason":
        """A reason's word, which is its value, and its sentence."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member

    # What the code did.
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

    # What the repository holds.
    BAD_SETTINGS = "bad_settings", "epochal.toml cannot be used as it is"
    REFUSED_REQUIREMENT = "refused_requirement", "requirements.txt asks for what this server does not allow"
    UNSAFE_SYMLINK = "unsafe_symlink", "the commit holds a symbolic link that points outside of the repository"
    UNKNOWN_COMMIT = "unknown_commit", "the repository does not have the commit any more"

    # What is around it.
    REPOSITORY_UNREACHABLE = "repository_unreachable", "the repository could not be fetched"
    ENVIRONMENT_FAILED = "environment_failed", "the training's environment could not be made"
    BUILD_FAILED = "build_failed", "Jenkins' build failed before the job's script could say why"
    NO_ENGINE = "no_engine", "no Docker engine answered"

    # Why a run ended below its threshold.
    NO_EPOCHS = "no_epochs", f"{SCRIPT} has no number of epochs that could be raised"
    MAX_EPOCHS = "max_epochs", "the next raise would go over max_epochs"
    MAX_MINUTES = "max_minutes", "the minutes of the budget are used up"
    MAX_TRIALS = "max_trials", "the trials of the budget are used up"
    STOPS_ITSELF = "stops_itself", f"{SCRIPT} itself ends the training before its epochs are used up"
    LEVELS_OFF = "levels_off", "the learning curve levels off below the threshold"
    TOO_FEW_SAMPLES = "too_few_samples", "the test samples are too few: not even all right answers would be enough"
    NO_IMPROVEMENT = "no_improvement", "the accuracy has stopped getting better"

    SPACE_USED_UP = "space_used_up", "every combination of the search space was tried"

    # What happened to a trial or a run from outside.
    PRUNED = "pruned", "other trials were better after as many epochs"
    OVERTAKEN = "overtaken", "another trial reached the threshold first"
    INTERRUPTED = "interrupted", "the training was interrupted and is taken up again if its run continues"
    SUPERSEDED = "superseded", "a newer commit of the branch took its place"
    CANCELLED = "cancelled", "a person cancelled it"
    SKIPPED = "skipped", "the commit's message says that it is not to be trained"
    INTERNAL_ERROR = "internal_error", "Epochal itself failed; the server's log and the run's console logs say how"


class EpochalError(Exception):
    """An error that a person can read: what went wrong, where, and how to mend it. Its text is one or more lines."""

    exit_status = 70  # EX_SOFTWARE of sysexits.h: our own fault, unless a subclass knows better


class UsageError(EpochalError):
    """What was asked for cannot be done as asked: an unknown run, a folder without nn.py, a missing tool."""

    exit_status = 2


class SettingsError(UsageError):
    """A settings file or an environment variable is unreadable, misspelt or out of its range."""


class RunFailed(EpochalError):
    """A run cannot reach a verdict, for a reason that its developer (or the admin) can mend.

    ``reason`` is the word; ``explanation`` says it of this very case (one sentence, how to mend it included); ``detail`` is
    what a program printed about it (several lines, may be empty).
    """

    exit_status = 1

    def __init__(self, reason: Reason, explanation: str = "", detail: str = "") -> None:
        self.reason = reason
        self.explanation = explanation or reason.sentence
        self.detail = detail
        super().__init__(self.explanation)
