#!/bin/sh
# Job 1: puts exactly the pushed commit into the run's snapshot and points dlcode at it.
#
# Usage: [EPOCHAL_RUN=7] scripts/pull.sh
#
# Reads from the environment, as Jenkins or the embedded chain sets it:
#   EPOCHAL_HOME                 database, dlcode and runs (default: the XDG state folder)
#   EPOCHAL_RUN                  the run, if it is stored already; else it is found or made from
#   GIT_URL EPOCHAL_BRANCH GIT_COMMIT   the repository, its branch, the pushed commit
#   WORKSPACE                    a checkout that has the commit, if there is one; epochal.properties is written there
#   EPOCHAL_PYTHON               the Python that Epochal is installed for (default: the epochal on PATH)
# Exit status: 0 pulled, 1 failed, 4 superseded, 5 cancelled, 2 wrong usage, 70 our own fault.
set -eu

if [ -n "${EPOCHAL_PYTHON:-}" ]; then
    exec "$EPOCHAL_PYTHON" -m epochal job pull
fi
exec epochal job pull
