#!/bin/sh
# Installs the Debian packages that the named lists hold and this machine lacks: install.sh LIST…
# Without root or apt-get it changes nothing, prints the command to run and fails.
set -eu

lists=$(dirname "$0")
missing=""
for package in $(for list in "$@"; do grep -v '^#' "$lists/$list.txt"; done); do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "error: these Debian packages are missing; run: sudo apt-get install -y$missing" >&2
    exit 1
fi
echo "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
