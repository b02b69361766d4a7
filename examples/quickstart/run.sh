#!/bin/bash
# See Orgkeep work: a simulated Salesforce org, backed up by worker pods on Kubernetes, and read back.
#   run.sh                         builds everything; as root on Linux it starts a one-node Kubernetes of its own,
#                                  otherwise it does the same backup without a cluster
#   run.sh --context C --image I --simulator-image J [--s3-endpoint URL]
#                                  in a cluster and with images of yours; never in whatever context happens to be
#                                  current. Without an endpoint the vault is a PersistentVolumeClaim; with one,
#                                  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY open its bucket `orgkeep`.
#                                  --namespace N: another than `orgkeep-quickstart`.
# Can be run again: each run is one more snapshot.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
source "$here/../../tests/lib.sh"
cluster=$ORGKEEP_ROOT/tests/cluster/cluster.sh
namespace=orgkeep-quickstart
context='' image='' simulator_image='' endpoint='' look=kubectl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

usage() { sed -n '2,11p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --context) context=$2 ;;
    --image) image=$2 ;;
    --simulator-image) simulator_image=$2 ;;
    --s3-endpoint) endpoint=$2 ;;
    --namespace) namespace=$2 ;;
    --look) look=$2 ;; # how the user looks at the cluster; set by this script for its own
    *) usage ;;
  esac
  shift 2
done

say() { printf '\n== %s\n' "$*"; }

# --- without a cluster

run_locally() {
  # the program is built beside the simulator that it starts for the org
  bin=$(binaries "${ORGKEEP_PROFILE:-release}")
  say "orgkeep run -f examples/quickstart: the same YAML in one process, into the folder examples/quickstart/vault"
  "$bin/orgkeep" run -f "$here"
}

# --- in a cluster

k() { kubectl --context "$context" -n "$namespace" "$@"; }
# server-side, so that a large ConfigMap needs no copy of itself in an annotation
apply() { k apply --server-side --force-conflicts --field-manager=quickstart -f - >/dev/null; }
secret() { k create secret generic "$@" --dry-run=client -o yaml | apply; }

operator() {
  local elsewhere definitions=true
  elsewhere=$(kubectl --context "$context" get deployments -A -l app.kubernetes.io/name=orgkeep,app.kubernetes.io/instance!=quickstart \
    -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}')
  if [ -n "$elsewhere" ]; then
    say "using the operator that is installed already: $elsewhere"
    return
  fi
  say "installing the operator (chart orgkeep, release quickstart, namespace $namespace)"
  if ! helm --kube-context "$context" -n "$namespace" status quickstart >/dev/null 2>&1 &&
    kubectl --context "$context" get crd snapshots.orgkeep.dev >/dev/null 2>&1; then
    definitions=false # somebody else's
  fi
  helm --kube-context "$context" -n "$namespace" upgrade --install quickstart "$ORGKEEP_ROOT/charts/orgkeep" \
    --set-string "image.repository=${image%:*},image.tag=${image##*:}" --set "crds.install=$definitions" \
    --wait --timeout 5m >/dev/null
}

org() {
  say "starting the simulated org (dreamhouse sample data and 200,000 accounts)"
  local empty=$work/empty folder args
  mkdir -p "$empty"
  args=()
  for folder in "$here"/org/*.yaml; do args+=("--from-file=$folder"); done
  k create configmap dreamhouse-org "${args[@]}" --dry-run=client -o yaml | apply
  for folder in describes data; do
    local source=$here/org/$folder
    [ -d "$source" ] || source=$empty
    k create configmap "dreamhouse-$folder" --from-file="$source" --dry-run=client -o yaml | apply
  done
  sed "s#image: localhost/orgkeep-simulator:quickstart#image: $simulator_image#" "$here/cluster/simulator.yaml" | apply
  k rollout status deployment/simulator --timeout=5m >/dev/null
}

objects() {
  say "applying the YAML of examples/quickstart/cluster"
  secret dreamhouse-app --from-literal=clientSecret=orgkeep-secret
  # a key for this cluster only; an old one stays, or its vault could not be opened any more
  k get secret vault-key >/dev/null 2>&1 ||
    k create secret generic vault-key --from-literal=key="$(head -c 32 /dev/urandom | base64 | tr -d '\n')" >/dev/null
  if [ -n "$endpoint" ]; then
    secret vault-s3 "--from-literal=AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:?}" \
      "--from-literal=AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:?}"
    sed "s#endpoint: .*#endpoint: $endpoint#" "$here/cluster/vault-s3.yaml" | apply
  else
    apply <"$here/cluster/vault-volume.yaml"
  fi
  sed "s#simulator.orgkeep-quickstart.svc#simulator.$namespace.svc#" "$here/cluster/connection.yaml" | apply
  token=run-$(date -u +%Y%m%d-%H%M%S)
  sed "s/runNow: .*/runNow: $token/" "$here/cluster/backup.yaml" | apply
}

# The Snapshot that answers our token; its phase, share done and rows.
snapshot() {
  k get snapshots.orgkeep.dev -o jsonpath='{range .items[*]}{.metadata.annotations.orgkeep\.dev/run-now}{" "}{.metadata.name}{" "}{.status.phase}{" "}{.status.progress.percent}{" "}{.status.progress.records}{"\n"}{end}' |
    awk -v token="$token" '$1 == token { print $2, $3, $4, $5 }'
}

follow() {
  say "waiting for the snapshot"
  local name phase percent records last='' pods='' end=$((SECONDS + ${ORGKEEP_QUICKSTART_TIMEOUT:-600}))
  while [ $SECONDS -lt $end ]; do
    read -r name phase percent records < <(snapshot) || true
    local line="${name:-no snapshot yet: connection and vault are being probed} ${phase:-} ${percent:+$percent %} ${records:+$records rows}"
    [ "$line" = "$last" ] || echo "   $line"
    last=$line
    # pods are gone soon after their end: noted while they are there
    pods=$(printf '%s\n%s' "$pods" "$(k get pods -l app.kubernetes.io/component=worker --no-headers -o custom-columns=P:.metadata.name,J:'.metadata.labels.orgkeep\.dev/owner-kind' 2>/dev/null)" | tr -s ' ' | sort -u)
    case ${phase:-} in Succeeded|PartiallySucceeded|Failed|Canceled) break ;; esac
    sleep 0.5
  done
  echo "   worker pods that ran (and what for):"
  echo "$pods" | sed '/^$/d; s/^/     /'
  if [ "${phase:-}" != Succeeded ]; then
    say "the snapshot did not succeed: ${phase:-it was not made in time}"
    k get sfc,bv,sfb,sfsnap -o wide || true
    k get events --sort-by=.lastTimestamp | tail -n 20 || true
    k logs -l app.kubernetes.io/component=worker --tail=20 --prefix || true
    return 1
  fi
}

# Reads a few rows with the same image, by the key and the storage alone.
read_back() {
  local url volume='{name: vault, emptyDir: {}}' args
  if [ -n "$endpoint" ]; then
    url="s3://orgkeep/quickstart?endpoint=$endpoint&region=us-east-1&path_style=true"
  else
    url=file:///vault/dreamhouse volume='{name: vault, persistentVolumeClaim: {claimName: vault}}'
  fi
  say "orgkeep vault read --snapshot latest --object Property__c (in a pod with the key and the storage, nothing else)"
  k delete pod read --ignore-not-found --wait >/dev/null
  args="[vault, read, --vault, '$url', --key-file, /key/key, --snapshot, latest, --object, Property__c, --fields, 'Id,Name,City__c,Price__c', --limit, '5']"
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: read}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: read
      image: $image
      imagePullPolicy: IfNotPresent
      args: $args
      envFrom: [{secretRef: {name: vault-s3, optional: true}}]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: key, mountPath: /key}, {name: vault, mountPath: /vault}, {name: tmp, mountPath: /tmp}]
  volumes: [{name: key, secret: {secretName: vault-key, defaultMode: 0440}}, $volume, {name: tmp, emptyDir: {}}]
Y
  local phase=''
  for _ in $(seq 240); do
    phase=$(k get pod read -o jsonpath='{.status.phase}')
    case $phase in Succeeded|Failed) break ;; esac
    sleep 0.25
  done
  k logs read
  k delete pod read --wait=false >/dev/null
  [ "$phase" = Succeeded ]
}

run_in_cluster() {
  [ -n "$image" ] && [ -n "$simulator_image" ] || usage
  kubectl --context "$context" create namespace "$namespace" --dry-run=client -o yaml |
    kubectl --context "$context" apply -f - >/dev/null
  org
  operator
  objects
  follow
  # the vault's status follows by a probe, some seconds later
  local made
  made=$(k get snapshots.orgkeep.dev --no-headers | wc -l)
  for _ in $(seq 40); do
    [ "$(k get backupvaults.orgkeep.dev main -o jsonpath='{.status.snapshots}')" -lt "$made" ] 2>/dev/null || break
    sleep 0.25
  done
  say "kubectl get sfc,bv,sfb,sfsnap -o wide"
  k get sfc,bv,sfb,sfsnap -o wide
  read_back
  say "what to type next"
  cat <<N
$look -n $namespace get sfb,sfsnap -o wide
$look -n $namespace describe sfb dreamhouse
$look -n $namespace patch sfb dreamhouse --type merge -p '{"spec":{"runNow":"again"}}'
N
}

if [ -n "$context" ]; then
  run_in_cluster
elif [ "$(id -u)" = 0 ] && [ "$(uname)" = Linux ]; then
  say "building Orgkeep and its simulator (some minutes the first time)"
  run_locally
  say "starting a one-node Kubernetes (built from source the first time: 5 to 20 minutes)"
  "$cluster" up
  { read -r image; read -r simulator_image; } < <("$ORGKEEP_ROOT/tests/cluster/images.sh" "$ORGKEEP_CACHE/images/${ORGKEEP_PROFILE:-release}" "$bin")
  say "loading the images $image and $simulator_image"
  "$cluster" load "$ORGKEEP_CACHE/images/${ORGKEEP_PROFILE:-release}/orgkeep.tar" 2>/dev/null
  "$cluster" load "$ORGKEEP_CACHE/images/${ORGKEEP_PROFILE:-release}/orgkeep-simulator.tar" 2>/dev/null
  "$cluster" exec kubectl create namespace "$namespace" --dry-run=client -o yaml | "$cluster" exec kubectl apply -f - >/dev/null
  credentials=$("$cluster" s3 "$namespace" 2>/dev/null)
  # shellcheck disable=SC2086
  "$cluster" exec env $credentials "$here/run.sh" --context testbed --image "$image" --simulator-image "$simulator_image" \
    --s3-endpoint "http://s3.$namespace.svc:8333" --look "tests/cluster/cluster.sh exec kubectl"
  echo "tests/cluster/cluster.sh down            # ends the cluster, and with it this vault"
else
  say "no root on Linux, so no cluster: the same backup in one process"
  run_locally
  say "what to type next"
  cat <<N
printf b3Jna2VlcC1xdWlja3N0YXJ0LWRlbW8ta2V5LTMyYiE= > vault.key
$bin/orgkeep vault read --vault file://$here/vault --key-file vault.key --object Property__c --limit 5
N
fi
