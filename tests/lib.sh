# shellcheck shell=bash
# What the scripts below tests/ and examples/ share. Sourced, never run.

ORGKEEP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ORGKEEP_CACHE=${ORGKEEP_CACHE:-$HOME/.cache/orgkeep}
export ORGKEEP_CACHE
# One target folder for all clones: dependencies are built once.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ORGKEEP_CACHE/target}
export CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1

say() { echo "== $*" >&2; }

# Cargo at the version that rust-toolchain.toml pins, and a C compiler for ring and zstd.
need_rust() {
  if ! (cd "$ORGKEEP_ROOT" && cargo --version) >/dev/null 2>&1; then
    command -v rustup >/dev/null || { say "Rust is not installed: see rustup.rs"; return 1; }
    say "installing the Rust toolchain that rust-toolchain.toml names"
    (cd "$ORGKEEP_ROOT" && rustup toolchain install)
  fi
  command -v cc >/dev/null || need_debian build-essential
}

need_debian() { # PACKAGE...
  say "installing Debian packages: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A Python with what is named, below the cache; prints its path.
python_with() { # NAME REQUIREMENT...
  local venv=$ORGKEEP_CACHE/$1-venv stamp
  shift
  stamp=$(echo "$*" | sha256sum | cut -c1-16)
  if [ ! -e "$venv/.$stamp" ]; then
    say "installing for Python: $*"
    python3 -m venv "$venv" 2>/dev/null || { need_debian python3-venv && python3 -m venv "$venv"; } || return 1
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@" >&2 || return 1
    touch "$venv/.$stamp"
  fi
  echo "$venv/bin/python"
}

# npm packages, below the cache; prints the folder for NODE_PATH.
node_with() { # NAME PACKAGE@VERSION...
  local folder=$ORGKEEP_CACHE/$1-node stamp
  shift
  stamp=$(echo "$*" | sha256sum | cut -c1-16)
  if [ ! -e "$folder/.$stamp" ]; then
    command -v npm >/dev/null || need_debian nodejs npm || return 1
    say "installing for Node: $*"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --silent "$@" >&2 || return 1
    touch "$folder/.$stamp"
  fi
  echo "$folder/node_modules"
}

# Builds orgkeep and orgkeep-simulator; prints the folder that they are in. ORGKEEP_BINARIES names a folder where they
# are already.
binaries() { # [dev|release]
  local profile=${1:-dev} folder=release
  if [ -n "${ORGKEEP_BINARIES:-}" ]; then
    echo "$ORGKEEP_BINARIES"
    return
  fi
  [ "$profile" = release ] || folder=debug
  need_rust || return 1
  (cd "$ORGKEEP_ROOT" && nice cargo build --locked --quiet --profile "$profile" --package orgkeep --package orgkeep-simulator) >&2 || return 1
  echo "$CARGO_TARGET_DIR/$folder"
}
