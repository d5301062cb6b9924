#!/usr/bin/env bash
# Runs every test. With --long each takes as many rounds as it should, against the release build, and what the program
# promises in numbers is measured as well.
#
# What the tests need besides Rust, Node and Python is installed where it is missing, by Debian's apt-get as root or by sudo.
# Nothing is left behind but `target` and `.test`.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { printf 'usage: scripts/test.sh [--long]\n' >&2 && exit 2; }
case "$#:${1-}" in
  0:) long= ;;
  1:--long) long=1 ;;
  *) usage ;;
esac

heading() { printf '\n== %s ==\n' "$1"; }

# Debian has the part of Python that makes environments in a package of its own, which has no program.
is_there() {
  case "$1" in
    python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# The pairs are a program and the package that has it.
install_missing() {
  local program package missing=()
  for pair in "$@"; do
    program=${pair%%:*} package=${pair#*:}
    is_there "$program" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  heading "Installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -q
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Arianee's own packages, in the versions that are pinned beside the tests.
install_peers() {
  local peers=crates/passpool/tests/peers
  if ! cmp -s "$peers/package-lock.json" .test/peers/package-lock.json || [ ! -d .test/peers/node_modules ]; then
    heading "Installing Arianee's packages"
    rm -rf .test/peers && mkdir -p .test/peers
    cp "$peers/package.json" "$peers/package-lock.json" .test/peers
    npm ci --prefix .test/peers --ignore-scripts --no-audit --no-fund --loglevel error
  fi
}

# Schemathesis and the client's generator, in the versions that are pinned beside the tests.
install_python() {
  local wanted=crates/passpool/tests/openapi/requirements.txt
  if ! cmp -s "$wanted" .test/python/requirements.txt; then
    heading "Installing Schemathesis"
    rm -rf .test/python && mkdir -p .test
    python3 -m venv .test/python
    .test/python/bin/pip install --quiet --no-deps --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" .test/python/requirements.txt
  fi
}

scratch=$(mktemp -d)
group=
# A step and all that it starts are one process group, which ends with the step however that ends.
end_group() {
  [ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null || true
  group=
}
trap 'end_group; rm -rf -- "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
  heading "$1"
  shift
  set -m
  "$@" &
  set +m
  group=$!
  wait "$group"
  end_group
}

needed=(cc:build-essential chromium:chromium chromedriver:chromium-driver curl:curl node:nodejs npm:npm prlimit:util-linux
  python3:python3 python3-venv:python3-venv sqlite3:sqlite3)
[ -z "$long" ] || needed+=(wrk:wrk)
install_missing "${needed[@]}"
install_peers
install_python

export TMPDIR=$scratch
if [ -z "$long" ]; then
  # One build for all: after a release build the stories take 60 s instead of 70 s, but that build takes 5 minutes and
  # this one 2.
  step "Tests" cargo test --workspace --locked
  step "The API and its document" scripts/openapi.sh target/debug/passpool 15 2
else
  export PASSPOOL_TEST_LONG=1
  step "Tests, the long way" cargo test --workspace --locked --release -- --skip speed::
  step "The API and its document" scripts/openapi.sh target/release/passpool 300 20
  # Whatever else runs at the same time would be measured with them.
  step "Answers under load" cargo test --workspace --locked --release --test system -- --test-threads 1 --nocapture speed::
  step "Measurements" scripts/measure.sh
fi

heading "All tests passed"
