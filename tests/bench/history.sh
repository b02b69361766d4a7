#!/bin/bash
# Twenty million versions of the rows of one object: size, reading, comparing, compaction, memory; what grows with what.
# Not in CI: some ten minutes, and 12 GB of disk. history.sh [ROWS DAYS RATE]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
need_rust
export MIMALLOC_PURGE_DELAY=0
cd "$ORGKEEP_ROOT"
nice cargo build --locked --release -p orgkeep-vault --examples
bin=${CARGO_TARGET_DIR:-target}/release/examples
nice "$bin/goals" history "$bin/bench_data" Account "${1:-4000000}" "${2:-39}" "${3:-0.0625}"
