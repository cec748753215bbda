#!/bin/sh
# Job 3: raises the epochs and resumes training, then searches, until the threshold is reached or the budget is used up.
#
# Usage: [EPOCHAL_RUN=7] scripts/retrain.sh
#
# Reads from the environment, as Jenkins or the embedded chain sets it:
#   EPOCHAL_HOME                 database, dlcode and runs (default: the XDG state folder)
#   EPOCHAL_RUN                  the run, which train.sh left below its threshold
#   BUILD_URL                    the build's page, for the mail; optional
#   EPOCHAL_PYTHON               the Python that Epochal is installed for (default: the epochal on PATH)
# Exit status: 0 reached, 3 exhausted, 1 failed, 4 superseded, 5 cancelled, 2 wrong usage, 70 internal error.
set -eu

if [ -n "${EPOCHAL_PYTHON:-}" ]; then
    exec "$EPOCHAL_PYTHON" -m epochal job retrain
fi
exec epochal job retrain
