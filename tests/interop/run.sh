#!/bin/bash
# Other people's programs on both ends: `orgkeep run` on the quickstart, then the rows of its vault as pyarrow and
# DuckDB read them with the key, against the rows that simple-salesforce reads from the simulator.
# ORGKEEP_INTEROP_ACCOUNTS: generated accounts (default 50000).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
bin=$(binaries "${ORGKEEP_PROFILE:-dev}")
python=$(python_with interop 'duckdb==2.0.1' 'pyarrow==26.0.1' 'simple-salesforce==1.12.10' 'cryptography==50.0.2')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# a copy, so that its vault lies in a folder of our own
mkdir "$work/quickstart"
cp -r "$ORGKEEP_ROOT"/examples/quickstart/*.yaml "$ORGKEEP_ROOT/examples/quickstart/org" "$work/quickstart"
accounts=${ORGKEEP_INTEROP_ACCOUNTS:-50000}
sed -i "s/scale=Account=[0-9]*/scale=Account=$accounts/" "$work/quickstart/connection.yaml"
"$bin/orgkeep" run -f "$work/quickstart" -o json | tee "$work/run.json"
"$python" "$here/compare.py" "$bin" "$work/quickstart" "$accounts"
