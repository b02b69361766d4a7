#!/bin/bash
# What the client needs to write rows by Bulk API 2.0 ingest, beside what the simulator needs to take them; and its memory
# at twice and eight times as many rows. ORGKEEP_BENCH_ROWS: rows (default 500000).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
bin=$(binaries release)
if [ -z "${ORGKEEP_BINARIES:-}" ]; then
  (cd "$ORGKEEP_ROOT" && nice cargo build --locked --quiet --release --package orgkeep-salesforce --example bulk_write) || exit 1
  bulk_write=$bin/examples/bulk_write
else
  bulk_write=$bin/bulk_write
fi
exec python3 "$here/ingest.py" "$bin/orgkeep-simulator" "$bulk_write" "${ORGKEEP_BENCH_ROWS:-500000}"
