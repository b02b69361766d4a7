#!/bin/bash
# The vault's goals, measured: a table with `met` or `missed`, and ratios to limits of the same run. Beside it memory by
# size, what gzip and restic make of the same bytes, the codec alone, and a year of compaction. ORGKEEP_BENCH_ROWS: rows
# of the table (default 1000000; only then the digests are known).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
need_rust
rows=${ORGKEEP_BENCH_ROWS:-1000000}
# as worker pods have it: memory that is free goes back at once
export MIMALLOC_PURGE_DELAY=0
cd "$ORGKEEP_ROOT"
nice cargo build --locked --release -p orgkeep-vault --examples
bin=${CARGO_TARGET_DIR:-target}/release/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

table() { # DAY MODE RATE FILE
  "$bin/bench_data" Account "$rows" "$1" "$2" "$3" "$work/$4" 2>/dev/null
}
table 0 full 0.001 full.csv
table 0 schema 0 schema.json
table 1 incr 0.001 small.csv
days=("$work/small.csv")
for day in $(seq 2 31); do
  table "$day" incr 0.01 "day$day.csv"
  days+=("$work/day$day.csv")
done
if [ "$rows" = 1000000 ]; then
  sha256sum --quiet -c - <<S
4f7da331b0356470b1ebcc0bc0eb08538aa6c062aba0930d2411435b5c702f98  $work/full.csv
ba6585f9717ab1b04ecae1f7597041ddae5f5f61c0e8a52c79a060f67f936b95  $work/small.csv
S
fi
nice "$bin/goals" table "$work/schema.json" "$work/full.csv" "${days[@]}"
rm "${days[@]/%/.deleted}" "${days[@]}"
echo
nice "$here/others.sh" "$bin/bench_data" "$rows" "$work"
echo
nice "$bin/codec" "$work/full.csv" "$work/schema.json"
rm "$work/full.csv"
echo
echo '| memory | rows | columns | CSV, MB | MB/CPU-s | writing, MiB | reading, MiB | verifying, MiB | ≤ 128 MiB |'
echo '|---|---|---|---|---|---|---|---|---|'
memory() { # OBJECT ROWS
  "$bin/bench_data" "$1" "$2" 0 schema 0 "$work/schema.json"
  "$bin/bench_data" "$1" "$2" 0 full 0.001 /dev/stdout 2>/dev/null | nice "$bin/goals" memory "$work/schema.json"
}
for size in 1 2 4; do memory Account $((size * rows)); done
for size in 1 4; do memory Wide $((size * rows / 10)); done
for size in 1 4; do nice "$bin/goals" memory --long $((size * rows / 200)); done
echo
nice "$bin/compaction"
