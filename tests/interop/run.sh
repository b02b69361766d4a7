#!/bin/bash
# Other people's programs on both ends, each part with a table of its own:
#   vault    `orgkeep run` on the quickstart, then the rows of its vault as pyarrow and DuckDB read them with the key,
#            against the rows that simple-salesforce reads from the simulator; then of a vault with 30 days of changes, a
#            compaction, another schema and another key, against `orgkeep vault read`; then what `orgkeep vault export`
#            makes of that vault as DuckDB, pyarrow and deltalake open it, in every form and at each snapshot
#   replay   every recorded read request of an org against the simulator's answer
#   clients  jsforce, node-sf-bulk2, simple-salesforce, salesforce-bulk, aiosalesforce and tap-salesforce, unmodified,
#            against the simulator
#   writes   rows of 100 objects with every kind of relationship, written through each API, read back equal
#   run.sh [vault|replay|clients|writes]...
# ORGKEEP_INTEROP_ACCOUNTS: generated accounts in `vault` (default 50000); ORGKEEP_INTEROP_ROWS: rows in `writes`
# (default 5000).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
bin=$(binaries "${ORGKEEP_PROFILE:-dev}") || exit 1
python=$(python_with interop 'duckdb==2.0.1' 'pyarrow==26.0.1' 'simple-salesforce==1.12.10' 'salesforce-bulk==2.2.0' 'aiosalesforce==0.6.2' 'cryptography==50.0.2' 'deltalake==1.6.6' 'pyrage==1.4.0') || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

vault() {
  # a copy, so that its vault lies in a folder of our own
  mkdir "$work/quickstart"
  cp -r "$ORGKEEP_ROOT"/examples/quickstart/*.yaml "$ORGKEEP_ROOT/examples/quickstart/org" "$work/quickstart"
  local accounts=${ORGKEEP_INTEROP_ACCOUNTS:-50000}
  sed -i "s/scale=Account=[0-9]*/scale=Account=$accounts/" "$work/quickstart/connection.yaml"
  "$bin/orgkeep" run -f "$work/quickstart" -o json >"$work/run.json" || { cat "$work/run.json"; return 1; }
  "$python" "$here/vault/compare.py" "$bin" "$work/quickstart" "$accounts" || return 1
  (cd "$ORGKEEP_ROOT" && nice cargo build --locked --quiet --package orgkeep-vault --example made_vault) || return 1
  "$python" "$here/vault/changes.py" "$bin/orgkeep" "$CARGO_TARGET_DIR/debug/examples/made_vault" || return 1
  "$python" "$here/vault/views.py" "$bin/orgkeep" "$CARGO_TARGET_DIR/debug/examples/made_vault"
}

replay() { "$python" "$here/replay/replay.py" "$bin"; }

clients() {
  local node tap
  # it names the version of requests that it wants
  tap=$(python_with tap tap-salesforce==2.8.1) || return 1
  node=$(node_with interop jsforce@3.10.16 node-sf-bulk2@1.0.1) || return 1
  "$here/clients/namespace.sh" "$python" "$here/clients/clients.py" "$bin" "$node" "$tap"
}

writes() { "$python" "$here/writes/writes.py" "$bin" "${ORGKEEP_INTEROP_ROWS:-5000}"; }

parts=("$@")
[ $# -gt 0 ] || parts=(vault replay clients writes)
failed=0
for part in "${parts[@]}"; do
  case $part in
    vault|replay|clients|writes) ;;
    *) sed -n '2,13p' "$0" >&2; exit 2 ;;
  esac
done
for part in "${parts[@]}"; do
  echo
  echo "--> interop: $part"
  "$part" || failed=$((failed + 1))
done
[ "$failed" = 0 ]
