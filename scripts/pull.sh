#!/bin/sh
# Job 1: writes the pushed commit to the run's snapshot and points dlcode at it.
#
# Usage: [EPOCHAL_RUN=7] scripts/pull.sh
#
# Reads from the environment, as Jenkins or the embedded chain sets it:
#   EPOCHAL_HOME                 database, dlcode and runs (default: the XDG state folder)
#   EPOCHAL_RUN                  the run, if it is stored already; otherwise it is found or created from
#   GIT_URL EPOCHAL_BRANCH GIT_COMMIT   the repository, its branch, the pushed commit
#   WORKSPACE                    folder for epochal.properties; may be a checkout that has the commit
#   EPOCHAL_PYTHON               the Python that Epochal is installed for (default: the epochal on PATH)
# Exit status: 0 pulled, 1 failed, 4 superseded, 5 cancelled, 2 wrong usage, 70 internal error.
set -eu

if [ -n "${EPOCHAL_PYTHON:-}" ]; then
    exec "$EPOCHAL_PYTHON" -m epochal job pull
fi
exec epochal job pull
