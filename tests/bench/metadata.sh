#!/bin/bash
# Real metadata, loaded into an org of the simulator and retrieved from it whole: files, bytes, seconds, differences.
# CORPUS: a folder with repositories or packages of metadata, as folders or as .tar.gz.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
if [ $# -ne 1 ]; then
  say "usage: tests/bench/metadata.sh CORPUS"
  exit 2
fi
bin=$(binaries release)
exec python3 "$here/metadata.py" "$bin/orgkeep-simulator" "$1"
