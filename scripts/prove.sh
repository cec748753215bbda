#!/bin/sh
# Prints which home, database and scripts a job on this machine uses; `epochal jenkins check` runs it on an agent.
#
# Usage: scripts/prove.sh NONCE
#
# Reads from the environment, as a job's script does: EPOCHAL_HOME, EPOCHAL_SCRIPTS, EPOCHAL_PYTHON, EPOCHAL_DATABASE.
# Exit status: 0 printed, 2 wrong usage.
set -eu

if [ -n "${EPOCHAL_PYTHON:-}" ]; then
    exec "$EPOCHAL_PYTHON" -m epochal job prove "$@"
fi
exec epochal job prove "$@"
