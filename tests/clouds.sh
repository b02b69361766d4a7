#!/bin/bash
# Runs a command beside servers that speak as Azure Blob Storage (Azurite) and Google Cloud Storage (fake-gcs-server) do,
# on 127.0.0.1, and ends them with it.
#   clouds.sh CMD...   with ORGKEEP_TEST_AZURE_ENDPOINT (of the account devstoreaccount1 and its well-known key, container
#                      `orgkeep`) and ORGKEEP_TEST_GCS_ENDPOINT (no sign-in, bucket `orgkeep`) set
set -euo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$ORGKEEP_ROOT/tests/clouds
bin=$ORGKEEP_CACHE/testbed/bin
fake=github.com/fsouza/fake-gcs-server@v1.56.1
mkdir -p "$bin"
[ -e "$bin/fake-gcs-server" ] || { say "building fake-gcs-server"; GOBIN=$bin nice go install "$fake"; }
modules=$(node_with azurite azurite@3.37.0)
work=$(mktemp -d)
mkdir "$work/azure" "$work/gcs"
# below 32768, where the system begins to take ports for connections
read -r azure gcs xml < <(python3 - <<'P'
import random, socket
def free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0
while True:
    base = random.randrange(22100, 32700)
    if all(free(base + i) for i in range(3)):
        print(base, base + 1, base + 2)
        break
P
)
servers=()
trap 'kill -KILL "${servers[@]}" 2>/dev/null; wait 2>/dev/null || true; rm -rf "$work"' EXIT
node "$modules/azurite/dist/src/blob/main.js" --skipApiVersionCheck --silent --blobHost 127.0.0.1 --blobPort "$azure" \
  --location "$work/azure" >"$work/azure.log" 2>&1 &
servers+=($!)
"$bin/fake-gcs-server" -scheme http -host 127.0.0.1 -port "$gcs" -backend memory -public-host storage.googleapis.com \
  >"$work/gcs.log" 2>&1 &
servers+=($!)
python3 "$here/gcs_xml.py" "$xml" "$gcs" >"$work/xml.log" 2>&1 &
servers+=($!)
export ORGKEEP_TEST_AZURE_ENDPOINT=http://127.0.0.1:$azure/devstoreaccount1 ORGKEEP_TEST_GCS_ENDPOINT=http://127.0.0.1:$xml
"$here/wait.py" "$azure" "$gcs" "$xml" || { tail -n 20 "$work"/*.log >&2; exit 1; }
curl -sf -o /dev/null -X POST -H 'content-type: application/json' -d '{"name": "orgkeep"}' "http://127.0.0.1:$gcs/storage/v1/b"
"$here/azure_container.py" "$ORGKEEP_TEST_AZURE_ENDPOINT" orgkeep
"$@"
