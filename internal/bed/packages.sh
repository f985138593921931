#!/bin/sh
# packages.sh demo|test: install the Debian packages that the demo or the tests need and that are missing. The servers
# among them are neither started now nor enabled for the next boot: the test beds run their own copies.
set -eu

slurm="munge mariadb-server mariadb-client slurm-client slurmctld slurmd slurmdbd slurm-wlm-basic-plugins slurm-wlm-mysql-plugin passwd"
graphite="graphite-carbon graphite-web"
browser="chromium fonts-dejavu-core"
build="gcc libc6-dev git python3" # the race detector wants a C compiler; Python reads back what we pickle

case "${1:-}" in
demo) wanted=$slurm ;;
test) wanted="$slurm $graphite $browser $build" ;;
*) echo "packages.sh: want demo or test" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "These Debian packages are missing; install them as root:" >&2
	echo "    apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing$missing" >&2

# Exit code 101 forbids the packages to start their services. A policy that stands is not touched.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
{
	# A list of packages that was never fetched, or is of last week, names versions that are gone.
	apt-get -q update && apt-get -q install -y --no-install-recommends $missing
} >&2

if [ -d /run/systemd/system ]; then
	for package in $missing; do
		for unit in $(dpkg -L "$package" | sed -n 's|^.*/systemd/system/\([^/@]*\.service\)$|\1|p'); do
			systemctl disable --quiet "$unit" 2>/dev/null || true
		done
	done
fi
