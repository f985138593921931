#!/bin/sh
# stop.sh [--pid-file FILE]: end the agent that start.sh started. What is queued is kept and sent after the next start.
. "$(dirname "$(readlink -f "$0")")/agent.sh"
exec "$CLUSTERLOAD" stop "$@"
