#!/bin/sh
# restart.sh [--config FILE] [--debug] [--pid-file FILE]: stop the agent and start it again, with the arguments of the one
# that runs where none are given. A broken configuration stops nothing.
. "$(dirname "$(readlink -f "$0")")/agent.sh"
exec "$CLUSTERLOAD" restart "$@"
