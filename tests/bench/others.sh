#!/bin/bash
# What other tools make of the same tables: a daily dump as CSV through gzip, and into restic.
#   others.sh BENCH_DATA ROWS FOLDER      FOLDER has full.csv already
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
data=$1 rows=$2 work=$3/others
version=v0.19.1
restic=$ORGKEEP_CACHE/testbed/bin/restic-$version
if [ ! -e "$restic" ]; then
  say "building restic $version"
  made=$(mktemp -d)
  GOBIN=$made nice go install "github.com/restic/restic/cmd/restic@$version"
  mkdir -p "${restic%/*}"
  mv "$made/restic" "$restic"
  rmdir "$made"
fi
mkdir -p "$work/day"
export RESTIC_REPOSITORY=$work/repository RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=$work/cache
"$restic" init --quiet
# each day's dump lies under the same name, so that restic finds the one before
dump() { # DAY RATE
  "$data" Account "$rows" "$1" full "$2" "$work/day/Account.csv" 2>/dev/null
}
size() { du -sb "$1" | cut -f1; }
# MB that something adds to a folder, and its CPU seconds; a child's CPU is read off the shell's own count
measured() { # WHAT FOLDER CMD...
  local what=$1 folder=$2 before
  shift 2
  before=$(size "$folder")
  local cpu
  cpu=$( { TIMEFORMAT='%U %S'; time "$@" >/dev/null 2>&1; } 2>&1 ) || { say "$what: failed"; return 1; }
  awk -v what="$what" -v bytes=$(($(size "$folder") - before)) -v cpu="$cpu" \
    'BEGIN { split(cpu, t, " "); printf "| %s | %.1f | %.1f |\n", what, bytes / 1e6, t[1] + t[2] }'
}
echo '| the same table by others | MB | CPU-s |'
echo '|---|---|---|'
mkdir "$work/gzip"
zip() { gzip -6 <"$work/day/Account.csv" >"$work/gzip/$1.gz"; }
mv "$work/../full.csv" "$work/day/Account.csv"
measured 'gzip -6, the table' "$work/gzip" zip 0
measured 'restic, the table' "$work/repository" "$restic" backup --quiet "$work/day"
mv "$work/day/Account.csv" "$work/../full.csv"
dump 1 0.001
measured 'gzip -6, a day later, 0.1 % changed' "$work/gzip" zip 1
measured 'restic, a day later, 0.1 % changed' "$work/repository" "$restic" backup --quiet "$work/day"
dump 1 0.01
measured 'restic, then 1 % changed' "$work/repository" "$restic" backup --quiet "$work/day"
rm -r "$work/day"
measured 'restic, reading one back' "$work/repository" "$restic" dump --quiet latest "$work/day/Account.csv"
measured 'restic, checking all' "$work/repository" "$restic" check --quiet --read-data
rm -rf "$work"
