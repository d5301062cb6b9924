#!/usr/bin/env bash
# Runs every test. With --long each takes as many rounds as it should, with the compiler's optimisations, and what the
# program promises in numbers is measured as well, on the release build.
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
# PostgreSQL has folders of its own in it, as a user of its own.
chmod 711 "$scratch"
group=
# A step and all that it starts are one process group, which ends with the step however that ends.
end_group() {
  [ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null || true
  group=
}
trap 'end_group; stop_postgres; rm -rf -- "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The newest PostgreSQL that Debian has installed. It refuses to run as root, and then runs as its own user.
postgres_bin() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres=
start_postgres() {
  heading "Starting PostgreSQL"
  postgres=$(mktemp -d)
  [ "$(id -u)" != 0 ] || chown postgres: "$postgres"
  as_postgres "$(postgres_bin)/initdb" -D "$postgres/data" -U passpool -A trust -E UTF8 >"$scratch/initdb.log"
  # On a socket of its own, which no other run can meet, and with fsync on, as a brand has it.
  as_postgres "$(postgres_bin)/pg_ctl" -D "$postgres/data" -l "$postgres/log" -w \
    -o "-c unix_socket_directories=$postgres -c listen_addresses= -c fsync=on -c max_connections=300" start
  export PASSPOOL_TEST_POSTGRES="postgres://passpool@/postgres?host=$postgres"
}
stop_postgres() {
  [ -n "$postgres" ] || return 0
  as_postgres "$(postgres_bin)/pg_ctl" -D "$postgres/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf -- "$postgres"
  postgres=
}

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

# What the store's contract does not tell: operators at the API and at the command line, who know of no database. Stories
# of damage are told on both already.
on_postgres() {
  PASSPOOL_TEST_STORE=postgres cargo test --package passpool --locked --test system "$@" -- \
    operators operating:: accounts:: idempotency:: holds:: claims:: racing:: --skip damage::
}

needed=(cc:build-essential chromium:chromium chromedriver:chromium-driver curl:curl /usr/sbin/haproxy:haproxy node:nodejs
  npm:npm openssl:openssl /usr/sbin/pgbouncer:pgbouncer prlimit:util-linux python3:python3 python3-venv:python3-venv
  setpriv:util-linux socat:socat sqlite3:sqlite3)
[ -z "$long" ] || needed+=(wrk:wrk)
[ -x "$(postgres_bin)/postgres" ] || needed+=("$(postgres_bin)/postgres:postgresql")
install_missing "${needed[@]}"
install_peers
install_python
start_postgres

export TMPDIR=$scratch
if [ -z "$long" ]; then
  # One build for all: after a release build the stories take 60 s instead of 70 s, but that build takes 5 minutes and
  # this one 2.
  step "Tests" cargo test --workspace --locked
  step "The same stories on PostgreSQL" on_postgres
  step "The API and its document" scripts/openapi.sh target/debug/passpool 15 2
else
  export PASSPOOL_TEST_LONG=1
  step "Tests, the long way" cargo test --workspace --locked --profile long -- --skip speed::
  step "The same stories on PostgreSQL" on_postgres --profile long
  step "The API and its document" scripts/openapi.sh target/long/passpool 300 20
  # Whatever else runs at the same time would be measured with them.
  step "Answers under load" cargo test --workspace --locked --release --test system -- --test-threads 1 --nocapture speed::
  step "Measurements" scripts/measure.sh
fi

heading "All tests passed"
