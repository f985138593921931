#!/bin/sh
# start.sh --config FILE [--debug] [--pid-file FILE]: run the agent in the background and print its process id.
# Returns non-zero, with the reason, where it could not start. --debug pushes as the cluster "test".
. "$(dirname "$(readlink -f "$0")")/agent.sh"
exec "$CLUSTERLOAD" start "$@"
