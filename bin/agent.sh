# agent.sh: read by the scripts beside it; finds the agent: $CLUSTERLOAD, the build of this checkout, or the one in PATH.
here=$(dirname "$(readlink -f "$0")")
if [ -z "${CLUSTERLOAD:-}" ]; then
	for CLUSTERLOAD in "$here/../build/clusterload" "$here/clusterload" "$(command -v clusterload)"; do
		[ -x "$CLUSTERLOAD" ] && break
	done
fi
if [ ! -x "$CLUSTERLOAD" ]; then
	echo "$(basename "$0"): no clusterload program: run \`make build\` in $(readlink -f "$here/..") first, or set CLUSTERLOAD" >&2
	exit 1
fi
