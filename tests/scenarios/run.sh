#!/bin/bash
# End to end on the one-node cluster: builds programs and images, loads them, and runs the scenarios.
#   run.sh [WORD]...   only scenarios whose names contain one of the words
# The cluster is started if it is not up, and left up. ORGKEEP_PROFILE=release builds optimised programs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
cluster=$ORGKEEP_ROOT/tests/cluster/cluster.sh
profile=${ORGKEEP_PROFILE:-dev}
images=$ORGKEEP_CACHE/images/$profile

say "building orgkeep and orgkeep-simulator ($profile)"
bin=$(binaries "$profile")
"$cluster" up
{ read -r image; read -r simulator; } < <("$ORGKEEP_ROOT/tests/cluster/images.sh" "$images" "$bin")
for name in orgkeep orgkeep-simulator; do "$cluster" load "$images/$name.tar"; done
"$cluster" exec env ORGKEEP_BIN="$bin" ORGKEEP_IMAGE="$image" ORGKEEP_SIMULATOR_IMAGE="$simulator" \
  python3 "$here/run.py" "$@"
