"""Epochal's exceptions, and the complete list of reasons why a run or a trial can end without success."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a trial failed or was stopped, or why a run ended without reaching its threshold.

    The value is a word that runs can be filtered by. ``description`` says what happened and ``remedy`` what to do next,
    both in full sentences. docs/reference/reasons.md is generated from both, with the comments below as its headings.
    """

    description: str
    remedy: str

    def __new__(cls, word: str, description: str = "", remedy: str = "") -> "Reason":
        """Create an enum member with ``word`` as its value."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.description = description
        member.remedy = remedy
        return member

    @property
    def explanation(self) -> str:
        """What happened and what to do next, for a run or a trial without a more specific explanation."""
        return f"{self.description} {self.remedy}"

    # The code or its training failed.
    NO_SCRIPT = (
        "no_script",
        "The repository has no training script, or it has several candidates.",
        "Commit the training script as nn.py at the top level of the repository, or give its path in the script "
        "setting of epochal.toml.",
    )
    SYNTAX_ERROR = (
        "syntax_error",
        "The script, or a module that it imports, is not valid Python.",
        "Correct the line mentioned in the message.",
    )
    IMPORT_ERROR = (
        "import_error",
        "A module that the script imports could not be imported in the training environment.",
        "Add its package to requirements.txt, or pin a version that provides what the script imports.",
    )
    SCRIPT_ERROR = (
        "script_error",
        "The script raised an exception or ended with an exit status other than 0.",
        "Correct the line mentioned in the message; the end of the training log is quoted below the message.",
    )
    SYSTEM_LIBRARY = (
        "system_library",
        "The script needs a system library or a program that is not installed in the training environment.",
        "Remove the line mentioned in the message, or ask the admin to install the library or program in the server's "
        "base image (or on the server itself, if it trains without Docker).",
    )
    MISSING_FILE = (
        "missing_file",
        "The script reads a file that the commit does not contain, or contains only as a Git LFS pointer.",
        "Commit the file, or put it in the server's data folder and read it from $EPOCHAL_DATA.",
    )
    NEEDS_INPUT = (
        "needs_input",
        "The script asks for input, but training runs unattended.",
        "Set the value in the script instead of asking for it.",
    )
    NOTEBOOK_CODE = (
        "notebook_code",
        "The script uses a function that is available only in notebooks.",
        "Remove the line mentioned in the message.",
    )
    NO_GPU = (
        "no_gpu",
        "The script uses a GPU, but training runs without one.",
        "Use a GPU only if one is available, or change the code as the message says.",
    )
    NO_DISPLAY = (
        "no_display",
        "The script opens a window, but training runs without a display.",
        "Remove the line mentioned in the message, or save the image to a file.",
    )
    OUT_OF_MEMORY = (
        "out_of_memory",
        "The script ran out of memory.",
        "Use a smaller batch size or a smaller model, or ask the admin to raise [limits] memory_mb in server.toml.",
    )
    KILLED = (
        "killed",
        "The script was killed by a signal.",
        "After SIGKILL, which often means that the machine ran out of memory, use a smaller batch size; after SIGSEGV, "
        "pin another version of the library that crashed.",
    )
    TIMED_OUT = (
        "timed_out",
        "The script exceeded the time limit for a trial.",
        "Train for fewer epochs or use a smaller model, or ask the admin to raise [limits] minutes in server.toml.",
    )
    NO_NETWORK = (
        "no_network",
        "The script tried to use the network but could not reach it.",
        "Put the files in the server's data folder, which the script finds at $EPOCHAL_DATA, or, for a dataset that "
        "the framework downloads, run epochal data fetch on the server.",
    )
    NO_ACCURACY = (
        "no_accuracy",
        "The script ended without an error but reported no accuracy that counts.",
        "If the message says why a number does not count, fix the cause. Otherwise, evaluate the trained model "
        "on test data that it has not seen, or print a line like Test accuracy: 0.83.",
    )
    ACCURACY_NOT_FINITE = (
        "accuracy_not_finite",
        "The accuracy that the script reported is not a finite number.",
        "Lower the learning rate if training diverged, and check that the test set is not empty.",
    )
    ACCURACY_OUT_OF_RANGE = (
        "accuracy_out_of_range",
        "The accuracy that the script reported is not between 0 and 1.",
        "Print the accuracy in the form 0.83 or 83%, or write it to accuracy.json in the form 0.83.",
    )
    NO_SAMPLES = (
        "no_samples",
        "The script did not report the number of test samples, which the confidence setting in epochal.toml requires.",
        "Measure the accuracy with a function for which Epochal counts the samples, such as Keras' evaluate() or "
        "scikit-learn's score(), or remove the confidence setting from epochal.toml.",
    )
    SEVERAL_FRAMEWORKS = (
        "several_frameworks",
        "The script imports several frameworks, any of which could train the model.",
        'In epochal.toml, name the framework that trains the model, for example framework = "keras".',
    )

    # Something in the repository cannot be used.
    BAD_SETTINGS = (
        "bad_settings",
        "epochal.toml is not valid, or its search space does not fit the script.",
        "Correct the settings mentioned in the message.",
    )
    REFUSED_REQUIREMENT = (
        "refused_requirement",
        "The file that lists the required packages cannot be read, or lists something that this server does not allow.",
        'List packages by name and version, as in numpy>=2,<3, or ask the admin to set packages = "any" under '
        "[sandbox] in server.toml.",
    )
    UNSAFE_SYMLINK = (
        "unsafe_symlink",
        "The commit contains a symbolic link that points outside the repository.",
        "Remove the link, or commit the file that it points to.",
    )
    UNKNOWN_COMMIT = (
        "unknown_commit",
        "The commit is no longer in the repository, for example after a force push.",
        "Push the commit again, or train the commit that replaced it.",
    )

    # The server, the network, Jenkins or Epochal failed.
    REPOSITORY_UNREACHABLE = (
        "repository_unreachable",
        "The repository could not be fetched.",
        "Check the network, and the repository's URL and credentials in server.toml; then train the commit with "
        "epochal run.",
    )
    ENVIRONMENT_FAILED = (
        "environment_failed",
        "The training environment could not be built.",
        "If the message names a package, correct requirements.txt. Otherwise, check whether the server can reach the "
        "package index and the image registry.",
    )
    BUILD_FAILED = (
        "build_failed",
        "The Jenkins job failed several times without reporting a result.",
        "Read the last build's console log, fix the job or its agent, and then train the commit with epochal run.",
    )
    NO_ENGINE = (
        "no_engine",
        "The Docker engine did not answer.",
        "Start the engine. To train without a sandbox, use epochal run --runtime process or, for a server, set "
        'runtime = "process" in server.toml.',
    )
    INTERNAL_ERROR = (
        "internal_error",
        "The run failed several times because of an internal error in Epochal.",
        "Please report the error, and attach the server's log and the console logs from the run's folder.",
    )

    # A run ended below its threshold.
    NO_EPOCHS = (
        "no_epochs",
        "The script does not set a number of epochs that a retrain could raise.",
        "Write the number of epochs as a constant (epochs = 20) or in the call (fit(epochs=20)), or add a [search] table "
        "to epochal.toml.",
    )
    EPOCHS_UNCHANGED = (
        "epochs_unchanged",
        "Raising what looks like the number of epochs did not change how many epochs the script trained for.",
        "Write the number of epochs as a constant in the call or loop that trains, for example fit(epochs=20).",
    )
    MAX_EPOCHS = (
        "max_epochs",
        "The next trial would train for more epochs than max_epochs in epochal.toml allows.",
        "Raise [retrain] max_epochs, or change the model.",
    )
    MAX_MINUTES = (
        "max_minutes",
        "The trials used up the training time that max_minutes in epochal.toml allows.",
        "Raise [retrain] max_minutes, or make training faster.",
    )
    MAX_TRIALS = (
        "max_trials",
        "The run used all the trials that max_trials in epochal.toml allows.",
        "Raise [retrain] max_trials, or change the model.",
    )
    STOPS_ITSELF = (
        "stops_itself",
        "The script itself stopped training early, so more epochs would change nothing.",
        "Increase the early-stopping patience in the script, or change the model.",
    )
    LEVELS_OFF = (
        "levels_off",
        "The learning curve levels off below the threshold.",
        "Change the model or the data, or add a [search] table to epochal.toml.",
    )
    LOSS_NOT_FINITE = (
        "loss_not_finite",
        "The weights became NaN or infinite, so more epochs would change nothing.",
        "Lower the learning rate, clip the gradients or correct the training data, as the message says.",
    )
    TOO_FEW_SAMPLES = (
        "too_few_samples",
        "The test set is too small: even if every prediction were correct, the accuracy would still be too uncertain.",
        "Measure the accuracy on more test samples (the message says how many), or lower the threshold.",
    )
    NO_IMPROVEMENT = (
        "no_improvement",
        "The number of consecutive trials without improvement has reached the patience setting in epochal.toml.",
        "Change the model or the data, or raise [retrain] patience.",
    )
    SPACE_USED_UP = (
        "space_used_up",
        "The search found no untried combination of the values that the [search] table of epochal.toml allows.",
        "Widen the ranges in [search], or change the model.",
    )
    TEST_SET_CHANGED = (
        "test_set_changed",
        "A trial of the search was not tested on the same rows as the run's first trial, so their accuracies cannot be "
        "compared.",
        "Seed the split, and remove from [search] any constant that decides which rows are test data.",
    )

    # A trial or a run was stopped from outside.
    PRUNED = (
        "pruned",
        "Other trials in the search were better after the same number of epochs.",
        "No action is needed; the search continues with the better trials.",
    )
    OVERTAKEN = (
        "overtaken",
        "Another trial in the search reached the threshold first.",
        "No action is needed; the run has reached its threshold.",
    )
    INTERRUPTED = (
        "interrupted",
        "Training was interrupted; it resumes when the run is continued.",
        "Keep epochal serve running: it continues the runs of pushed commits.",
    )
    SUPERSEDED = (
        "superseded",
        "A newer commit on the branch replaced this one.",
        "No action is needed; to train this commit anyway, use epochal run.",
    )
    CANCELLED = (
        "cancelled",
        "The run was cancelled with epochal cancel, with Ctrl-C, or in Jenkins.",
        "Train the commit again with epochal run.",
    )
    SKIPPED = (
        "skipped",
        "The commit message says not to train the commit, for example with [skip ci].",
        "To train the commit anyway, use epochal run, which ignores the commit message.",
    )
    NO_CHANGE = (
        "no_change",
        "The commit changes no files in the projects that epochal.toml lists.",
        "No action is needed; to train a project anyway, use epochal run --project.",
    )


class EpochalError(Exception):
    """An error to show to the user. Its text (one or more lines) says what went wrong, where, and how to fix it."""

    exit_status = 70  # EX_SOFTWARE of sysexits.h: an internal error, unless a subclass overrides it


class UsageError(EpochalError):
    """A command cannot do what was asked, for example because the run is unknown or a tool is not installed."""

    exit_status = 2


class SettingsError(UsageError):
    """A settings file cannot be read, or a setting or an environment variable is invalid."""


class RunFailed(EpochalError):
    """A run cannot reach a verdict because of a problem that the developer or the admin can fix.

    ``reason``: the kind of failure. ``explanation``: what happened in this case and how to fix it; by default, the
    explanation of ``reason``. ``detail``: related program output, possibly several lines; may be empty.
    """

    exit_status = 1

    def __init__(self, reason: Reason, explanation: str = "", detail: str = "") -> None:
        self.reason = reason
        self.explanation = explanation or reason.explanation
        self.detail = detail
        super().__init__(self.explanation)
