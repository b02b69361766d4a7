#!/bin/bash
# The image of Orgkeep and that of its simulator, from scratch: the program, the libraries that it is linked
# with, and the machine's certificates.
#   images.sh DIRECTORY BINARIES   writes DIRECTORY/{orgkeep,orgkeep-simulator}.tar from the programs in BINARIES and
#                                  prints their two names, tagged by content: a changed program is a changed image
# What runs nowhere yet is built with: cargo build --release --package orgkeep --package orgkeep-simulator
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$1 binaries=$2
# What a client trusts by default; without any no client can be made at all.
certificates=/etc/ssl/certs/ca-certificates.crt
[ -e "$certificates" ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates; } >&2
mkdir -p "$out"
for name in orgkeep orgkeep-simulator; do
  tag=$(cat "$binaries/$name" "$here/mkimage.py" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-12)
  ref=localhost/$name:$tag
  if [ "$(cat "$out/$name.ref" 2>/dev/null)" != "$ref" ] || [ ! -e "$out/$name.tar" ]; then
    work=$(mktemp -d)
    strip -o "$work/$name" "$binaries/$name"
    "$here/mkimage.py" "$out/$name.tar" "$ref" "$certificates=/etc/ssl/certs/ca-certificates.crt" \
      --user 65532:65532 --entrypoint "[\"/bin/$name\"]" --bin "$work/$name" >&2
    rm -rf "$work"
    echo "$ref" >"$out/$name.ref"
  fi
  echo "$ref"
done
