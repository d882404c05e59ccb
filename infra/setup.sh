#!/bin/sh
# Installs Stepcode into .venv of the current folder, with what it needs of the system: setup.sh PYTHON
# Meant to be run by `make setup`, which runs it again only when pyproject.toml, constraints.txt or this changes.
set -eu

here=$(dirname "$0")
python=$1
for candidate in "$python" python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        found=$candidate
        break
    fi
done
if [ -z "${found:-}" ]; then
    echo "error: Stepcode needs Python 3.11; \`$python\` is not one. Install it (Debian 12: apt-get install python3.11" \
        "python3.11-venv), or say where it is: make PYTHON=PATH" >&2
    exit 1
fi
if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "error: $found lacks the module venv; on Debian: apt-get install python3.11-venv" >&2
    exit 1
fi

# The sandbox; STEPCODE_SANDBOX=local does without it, for programs that you trust.
if ! command -v bwrap >/dev/null && [ "${STEPCODE_SANDBOX:-bubblewrap}" = bubblewrap ]; then
    if command -v apt-get >/dev/null; then
        "$here/debian/install.sh" runtime
    else
        echo "error: bubblewrap, the sandbox, is missing: install your distribution's package of that name" >&2
        exit 1
    fi
fi

echo "installing the Python packages into .venv (one to four minutes, once)"
[ -x .venv/bin/python ] || "$found" -m venv .venv
# torch first and alone, so that no other requirement chooses its build: the package index decides between CPU and
# CUDA. Not compiled in advance: most modules are never imported.
.venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check torch==2.13.0
.venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev,benchmarks]'
touch .venv/.installed
