#!/usr/bin/env bash
# Holds the server to its own OpenAPI document: Schemathesis calls every operation in every way that the document allows
# and in many that it forbids, alone and in the sequences that its links make, and a client generated from the document
# makes 50 reservations.
#
# Takes the program to test, how many examples of each operation are tried, and how many rounds of sequences.
set -euo pipefail
cd "$(dirname "$0")/.."
passpool=$(realpath "$1") examples=$2 rounds=$3
tests=$PWD/crates/passpool/tests/openapi python=$PWD/.test/python/bin

scratch=$(mktemp -d) server=
end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait
  rm -rf -- "$scratch"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$scratch"

run() { "$passpool" "$@" --database sqlite:shop.db; }
run create --count 20000 --tag vip
run create --count 50 --tag fifty
run create --count 80 --tag guests
printf 'name,email,reference\nAda,ada@brand.example,A-1\nBob,,B-2\n' >guests.csv
for _ in $(seq 40); do run reserve --tags guests --recipients guests.csv --format csv >/dev/null; done
key=$(run user key admin)
mkfifo told
"$passpool" serve --database sqlite:shop.db --listen 127.0.0.1:0 --network testnet 2>told &
server=$!
exec 3<told
address=
while [ -z "$address" ] && read -r line <&3; do
  case "$line" in "passpool listens on "*) address=${line#passpool listens on } ;; esac
done
[ -n "$address" ] || { printf 'the server did not start\n' >&2 && exit 1; }
cat <&3 >log &

printf '\n-- a generated client\n'
"$python/openapi-python-client" generate --url "$address/openapi.json" --meta none --output-path passpool_client
PYTHONPATH=$PWD "$python/python" "$tests/fifty.py" "$address" "$key"

# Takes a regular expression and whether the paths that match it are meant, or the others.
#
# A round of sequences ends early when an answer depends on what went before, and each seed finds others. What a link could
# not extract is no failure: the list that it begins at was empty, or the reset was no dry run.
schemathesis() {
  local asked=("$address/openapi.json" --header "x-api-key: $key" --checks all --no-color --warnings off)
  asked+=("--$1-path-regex" "$2")
  "$python/st" --config-file "$tests/schemathesis.toml" run "${asked[@]}" --seed 1 --max-examples "$examples" \
    --phases examples,coverage,fuzzing
  for seed in $(seq "$rounds"); do
    "$python/st" --config-file "$tests/schemathesis.toml" run "${asked[@]}" --seed "$seed" --max-examples 60 \
      --phases stateful
  done
  # Had the key died on the way, all that came after would have been refused, and nothing tested.
  curl --fail --silent --show-error --output pools.json --header "x-api-key: $key" "$address/v1/pools?limit=1"
}

# Apart, for what happens to accounts may happen to the caller's.
printf '\n-- Schemathesis\n'
schemathesis exclude '^/v1/(users|profiles)'
printf '\n-- Schemathesis, the accounts\n'
schemathesis include '^/v1/(users|profiles)'

kill "$server"
wait "$server"
server=
run check
