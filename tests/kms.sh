#!/bin/bash
# Runs a command beside a server that speaks as AWS KMS does (moto) on 127.0.0.1, and ends it with it.
#   kms.sh CMD...   with ORGKEEP_TEST_KMS_ENDPOINT (and AWS_ENDPOINT_URL_KMS, which is the same to clients), and ORGKEEP_TEST_KMS_KEYS: ARNs of two keys, by a comma
set -euo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=$(python_with kms 'moto[server]==5.2.5')
work=$(mktemp -d)
# below 32768, where the system begins to take ports for connections
port=$("$python" - <<'P'
import random, socket
def free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0
print(next(port for port in iter(lambda: random.randrange(11000, 32700), None) if free(port)))
P
)
"$(dirname "$python")/moto_server" -H 127.0.0.1 -p "$port" >"$work/log" 2>&1 &
server=$!
trap 'kill -KILL "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test} AWS_REGION=us-east-1
export ORGKEEP_TEST_KMS_ENDPOINT=http://127.0.0.1:$port AWS_ENDPOINT_URL_KMS=http://127.0.0.1:$port
"$ORGKEEP_ROOT/tests/clouds/wait.py" "$port" || { tail -n 20 "$work/log" >&2; exit 1; }
make_key() {
  "$python" - "$ORGKEEP_TEST_KMS_ENDPOINT" <<'P'
import sys
import boto3
print(boto3.client("kms", endpoint_url=sys.argv[1], region_name="us-east-1").create_key()["KeyMetadata"]["Arn"])
P
}
ORGKEEP_TEST_KMS_KEYS=$(make_key),$(make_key)
export ORGKEEP_TEST_KMS_KEYS
"$@"
