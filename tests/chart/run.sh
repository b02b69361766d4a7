#!/bin/bash
# Tests of the chart: what it renders, and what it refuses. With a cluster (KUBECONFIG set, or --with-cluster) also:
# the API server takes it, and says what the operator may do. Ends with "N passed, N failed".
#   run.sh [--with-cluster]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${ORGKEEP_CACHE:-$HOME/.cache/orgkeep}
export PATH=$cache/testbed/bin:$PATH

command -v helm >/dev/null || {
  echo "helm is not installed: tests/cluster/cluster.sh fetch brings it" >&2
  exit 1
}
python=python3
if ! python3 -c 'import yaml' 2>/dev/null; then
  python=$cache/chart-venv/bin/python
  [ -x "$python" ] || python3 -m venv "$cache/chart-venv"
  "$python" -c 'import yaml' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check 'PyYAML==6.0.3'
fi
if [ "${1:-}" = --with-cluster ] && [ -z "${KUBECONFIG:-}" ]; then
  echo "--with-cluster needs KUBECONFIG: never whatever context happens to be current" >&2
  exit 1
fi
export PYTHONDONTWRITEBYTECODE=1
modules=(render_test)
[ -z "${KUBECONFIG:-}" ] || modules+=(cluster_test)
exec "$python" "$here/run.py" "${modules[@]}"
