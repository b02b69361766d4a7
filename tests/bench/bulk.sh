#!/bin/bash
# What the client needs to read a large object by Bulk API 2.0 into nothing, beside curl on the same pages of the same
# job; and its memory at half, once and twice as many rows. ORGKEEP_BENCH_ROWS: rows (default 2000000).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
bin=$(binaries release)
if [ -z "${ORGKEEP_BINARIES:-}" ]; then
  (cd "$ORGKEEP_ROOT" && nice cargo build --locked --quiet --release --package orgkeep-salesforce --example bulk_read) || exit 1
  bulk_read=$bin/examples/bulk_read
else
  bulk_read=$bin/bulk_read
fi
exec python3 "$here/bulk.py" "$bin/orgkeep-simulator" "$bulk_read" "${ORGKEEP_BENCH_ROWS:-2000000}"
