#!/bin/bash
# How fast a search is, on a volume and on SeaweedFS: search.sh [ROWS [SNAPSHOTS]], a snapshot of all rows each time.
# Figures go to docs/search.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rows=${1:-1000000} snapshots=${2:-10}
cargo build --release --locked -p orgkeep-vault --example searching --example bench_data
examples=${CARGO_TARGET_DIR:-target}/release/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$examples/bench_data" Account 1 0 schema 0.01 "$work/schema.json"
for n in $(seq "$snapshots"); do
  "$examples/bench_data" Account "$rows" $((n * 30)) full 0.01 "$work/$n.csv"
  [ "$n" = 1 ] && tests/bench/search.py "$work/1.csv" 30 1 >"$work/queries"
  "$examples/searching" write "file://$work/vault" "$work/schema.json" "$work/$n.csv"
  [ "$n" = 1 ] || rm "$work/$n.csv"
done
echo "volume"
"$examples/searching" ask "file://$work/vault" "$work/queries"
echo "SeaweedFS"
# shellcheck disable=SC2016
tests/s3.sh bash -c '
  url="s3://$ORGKEEP_TEST_S3_BUCKET/search?endpoint=$ORGKEEP_TEST_S3_ENDPOINT&region=$AWS_REGION&path_style=true"
  "$1" write "$url" "$2/schema.json" "$2/1.csv"
  for n in $(seq 2 "$3"); do
    "$4" Account "$5" $((n * 30)) full 0.01 "$2/n.csv"
    "$1" write "$url" "$2/schema.json" "$2/n.csv"
  done
  "$1" ask "$url" "$2/queries"
' - "$examples/searching" "$work" "$snapshots" "$examples/bench_data" "$rows"
