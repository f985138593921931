#!/bin/sh
# go.sh ARGUMENTS...: run a Go that can build this module. That is the one in PATH, or in its usual places, of the version
# that go.mod asks for, or from 1.21 on, which fetches that version by itself. Where there is none, root on Debian 12 gets
# one from bookworm-backports (Debian's own 1.19 cannot); anyone else is told what to install.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wanted=$(sed -n 's/^go //p' "$here/../../go.mod")

# usable GO: it is, or fetches, the wanted version. Debian's build asks to be told that it may fetch.
usable() {
	[ -x "$1" ] || return 1
	have=$("$1" env GOVERSION 2>/dev/null) || have=go0
	[ "$(printf '%s\n%s\n' "go$wanted" "$have" | sort -V | head -n 1)" = "go$wanted" ] && return 0
	[ "$(printf 'go1.21\n%s\n' "$have" | sort -V | head -n 1)" = go1.21 ] || return 1
	(cd "$here" && GOTOOLCHAIN=auto "$1" version >/dev/null) || return 1
	export GOTOOLCHAIN=auto
}

for go in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
	if usable "$go"; then
		exec "$go" "$@"
	fi
done

give_up() {
	echo "Go $wanted or later is needed to build clusterload, and $1." >&2
	echo "Install it from https://go.dev/dl/ (unpack it to /usr/local/go) and try again." >&2
	exit 1
}
[ "$(id -u)" = 0 ] || give_up "there is none"
grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release || give_up "there is none"

# Apt's own sources stay as they are.
echo "installing golang-1.23-go from bookworm-backports, which fetches Go $wanted" >&2
sources=$(mktemp)
trap 'rm -f "$sources"' EXIT
cat >"$sources" <<END
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-backports main
END
chmod 644 "$sources"
apt="apt-get -q -o Dir::Etc::sourcelist=$sources -o Dir::Etc::sourceparts=-"
{
	$apt update && DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends ca-certificates golang-1.23-go
} >&2 || give_up "bookworm-backports cannot be reached"
rm -f "$sources"
usable /usr/lib/go-1.23/bin/go || give_up "the one from bookworm-backports could not fetch it from the module proxy"
exec /usr/lib/go-1.23/bin/go "$@"
