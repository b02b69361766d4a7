#!/bin/bash
# namespace.sh CMD...: runs a command in a network of its own, in which login.salesforce.com and its like are this
# machine (127.0.0.1) and nothing else can be reached. Needs root on Linux, or user namespaces.
set -euo pipefail
if [ "${ORGKEEP_INTEROP_INSIDE:-}" = yes ]; then
  ip link set lo up
  hosts=$(mktemp)
  echo "127.0.0.1 localhost login.salesforce.com test.salesforce.com interop.my.salesforce.com interop--dev.sandbox.my.salesforce.com" >"$hosts"
  mount --bind "$hosts" /etc/hosts
  rm "$hosts"
  exec "$@"
fi
user=()
[ "$(id -u)" = 0 ] || user=(--user --map-root-user)
ORGKEEP_INTEROP_INSIDE=yes exec unshare "${user[@]}" --net --mount --fork --kill-child "$0" "$@"
