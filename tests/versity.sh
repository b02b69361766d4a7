#!/bin/bash
# Runs a command beside a second, independent S3 server (versitygw, on a directory, with versions and Object Lock) on
# 127.0.0.1, and ends the server with it. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are taken as they stand, so that it
# and tests/s3.sh take the same.
#   versity.sh CMD...   with ORGKEEP_TEST_VERSITY_ENDPOINT set; the bucket ORGKEEP_TEST_S3_BUCKET (`orgkeep`) is empty
set -euo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$ORGKEEP_ROOT/tests/clouds
bin=$ORGKEEP_CACHE/testbed/bin
mkdir -p "$bin"
[ -e "$bin/versitygw" ] || {
  say "building versitygw"
  GOBIN=$bin nice go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
}
port=$(python3 - <<'P'
import random, socket
while True:
    port = random.randrange(9000, 10900)
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)) != 0:
            print(port)
            break
P
)
work=$(mktemp -d)
mkdir "$work/data" "$work/old"
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-orgkeep-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-orgkeep-test-secret}
export AWS_REGION=us-east-1 ORGKEEP_TEST_S3_BUCKET=${ORGKEEP_TEST_S3_BUCKET:-orgkeep}
export ORGKEEP_TEST_VERSITY_ENDPOINT=http://127.0.0.1:$port
ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY "$bin/versitygw" --port "127.0.0.1:$port" \
  posix --versioning-dir "$work/old" "$work/data" >"$work/log" 2>&1 &
server=$!
trap 'kill -KILL "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
"$here/wait.py" "$port" || { tail -n 20 "$work/log" >&2; exit 1; }
# the digest of no bytes
none=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
curl -sf -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  -H "x-amz-content-sha256: $none" -X PUT "$ORGKEEP_TEST_VERSITY_ENDPOINT/$ORGKEEP_TEST_S3_BUCKET" ||
  { tail -n 20 "$work/log" >&2; exit 1; }
"$@"
