#!/bin/sh
# Job 2: trains the pulled code unchanged and compares its accuracy with the threshold.
#
# Usage: [EPOCHAL_RUN=7] scripts/train.sh
#
# Reads from the environment, as Jenkins or the embedded chain sets it:
#   EPOCHAL_HOME                 database, dlcode and runs (default: the XDG state folder)
#   EPOCHAL_RUN                  the run, as pull.sh prints it and writes it to epochal.properties
#   BUILD_URL                    the build's page, for the mail; optional
#   EPOCHAL_FORCE                1: train even if the verdict of an earlier run could be reused
#   EPOCHAL_PYTHON               the Python that Epochal is installed for (default: the epochal on PATH)
# Exit status: 0 reached, 3 below (or exhausted, if that verdict is reused), 1 failed, 4 superseded, 5 cancelled,
# 2 wrong usage, 70 internal error.
set -eu

if [ -n "${EPOCHAL_PYTHON:-}" ]; then
    exec "$EPOCHAL_PYTHON" -m epochal job train
fi
exec epochal job train
