#!/bin/bash
# What a worker needs to back up a large object into S3, beside other people's dumps of the same object to CSV files, in
# one run on one machine. ORGKEEP_BENCH_ACCOUNTS: generated accounts (default 2000000).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../lib.sh"
bin=$(binaries release)
python=$(python_with interop 'duckdb==2.0.1' 'pyarrow==26.0.1' 'simple-salesforce==1.12.10' 'cryptography==50.0.2')
node=$(node_with bench node-sf-bulk2@1.0.1)
NODE_PATH=$node exec "$here/../s3.sh" "$python" "$here/bench.py" "$bin" "${ORGKEEP_BENCH_ACCOUNTS:-2000000}"
