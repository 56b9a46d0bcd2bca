#!/usr/bin/env bash
# Makes .venv: a Python that really runs, and the exact versions of uv.lock. `make setup` calls this.
#
#   PYTHON=/path/to/python   use this interpreter instead of looking for one
#   INSTALLER=pip            install with pip alone, in the same versions
#   scripts/setup.sh uv      only the environment and uv in it (for `make lock`)
set -euo pipefail
cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH # another environment must not leak into this one

python=.venv/bin/python
stamp=.venv/.setup
key="$PWD $(cat uv.lock pyproject.toml scripts/setup.sh scripts/locked.py | cksum)"

say() { printf 'setup: %s\n' "$*" >&2; }

# A name on PATH proves nothing: a version manager's shim may stand for a version that is not there, a
# distribution may ship Python without venv, a home-built one may lack ssl. So every candidate is run.
# The order is that of .python-version, then what the project declares to support, then anything newer.
probe='
import ctypes, ensurepip, ssl, sys, venv
minor = sys.version_info[1]
if sys.version_info < (3, 12):
    sys.exit(1)
print({13: 0, 12: 1}.get(minor, minor), sys.executable)
'

runs() { "$1" -c "$probe" </dev/null 2>/dev/null; }

candidates() {
  type -aP python3.13 python3.12 python3.14 python3 python || true
  local dirs dir
  IFS=: read -ra dirs <<<"$PATH"
  shopt -s nullglob
  for dir in "${dirs[@]}"; do # the versions behind a directory of shims
    case $dir in */shims) printf '%s\n' "${dir%/shims}"/versions/*/bin/python3 ;; esac
  done
  printf '%s\n' "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin/python3 \
    "${HOME:-}"/.local/share/uv/python/*/bin/python3 \
    /usr/local/bin/python3.[1-9][0-9] /usr/local/*/bin/python3 /opt/*/bin/python3 /opt/*/*/bin/python3
}

pythons() { # "rank path", the best first
  if [ -n "${PYTHON:-}" ]; then
    runs "$PYTHON" || true
    return
  fi
  local candidate
  candidates | while IFS= read -r candidate; do
    [ -z "$candidate" ] || runs "$candidate" || true
  done | sort -u -k1,1n -k2
}

base() { "$1" -c 'import sys; print(sys.base_prefix)'; }

usable() { # is .venv there, alive, made in this directory, and of the Python asked for?
  runs "$python" >/dev/null || return 1
  [ -z "${PYTHON:-}" ] || [ "$(base "$PYTHON")" = "$(base "$python")" ] || return 1
  [ ! -e "$stamp" ] || [ "$(cut -d' ' -f1 "$stamp")" = "${key%% *}" ]
}

make_venv() {
  local path
  while read -r _ path <&3; do
    say "making .venv with $("$path" -V) at $path"
    rm -rf .venv
    if "$path" -m venv .venv; then return; fi
    say "$path cannot make an environment; trying the next"
  done 3< <(pythons)
  say "no Python 3.12 or newer was found that runs and has venv${PYTHON:+ (PYTHON=$PYTHON)}."
  say "Install Python 3.13 (Debian, Ubuntu: python3 and python3-venv; macOS: brew install python@3.13; or"
  say "pyenv install 3.13), or name one you have: make setup PYTHON=/path/to/python3.13"
  exit 1
}

# uv and an older pip bring their own list of certificate authorities; behind a proxy that signs for itself only
# the machine's list will do. So what fails is tried once more with that list.
online() {
  "$@" && return
  local bundle
  for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -r "$bundle" ] && [ -z "${SSL_CERT_FILE:-}" ]; then
      say "trying again with the certificates in $bundle"
      export SSL_CERT_FILE="$bundle" PIP_CERT="$bundle"
      "$@" && return
    fi
  done
  return 1
}

has_uv() { .venv/bin/uv --version >/dev/null 2>&1; }

pip() { "$python" -m pip --disable-pip-version-check "$@"; }

get_uv() {
  if has_uv; then return; fi
  pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
  online pip install --quiet --only-binary :all: 'uv>=0.8' && has_uv # never built from source: that needs Rust
}

# --inexact: a plain sync would remove uv and pip, which the lock does not name.
with_uv() {
  export UV_PROJECT_ENVIRONMENT="$PWD/.venv" UV_PYTHON_DOWNLOADS=never
  online .venv/bin/uv sync --locked --inexact --python "$python" && return
  say "uv could not install from uv.lock, see above. If pyproject.toml changed: make lock."
  say "If only pip reaches your package index: make setup INSTALLER=pip"
  exit 1
}

with_pip() {
  "$python" scripts/locked.py uv.lock >.venv/locked.txt
  online pip install --quiet 'pip>=25.1' # the first that reads dependency groups
  online pip install --quiet --constraint .venv/locked.txt --editable . --group dev
}

usable || make_venv
mkdir -p "${HOME:-.venv/home}" # the Makefile gives a home inside .venv where there is none
if [ "${1:-}" = uv ]; then
  get_uv
  exit
fi
if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then exit 0; fi

if [ "${INSTALLER:-uv}" != pip ] && get_uv; then
  say "installing the versions of uv.lock"
  with_uv
else
  say "installing the versions of uv.lock with pip (no uv)"
  with_pip
fi
echo "$key" >"$stamp"
say "done: $("$python" -V) in .venv"
