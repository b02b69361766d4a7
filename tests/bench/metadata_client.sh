#!/bin/bash
# Round trip of real metadata: metadata_client.sh CORPUS [NAME …]. CORPUS is a folder with packages (a folder, or NAME.tar.gz,
# each): an org made of each is retrieved whole, held against its source, deployed into an empty org and retrieved again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
corpus=${1:?give the folder with the packages}
bin=$(binaries release)
if [ -z "${ORGKEEP_BINARIES:-}" ]; then
  (cd "$ORGKEEP_ROOT" && nice cargo build --locked --quiet --release --package orgkeep-salesforce --example metadata_copy) || exit 1
  copy=$bin/examples/metadata_copy
else
  copy=$bin/metadata_copy
fi
exec python3 "$here/metadata_client.py" "$bin/orgkeep-simulator" "$copy" "$corpus" "${@:2}"
