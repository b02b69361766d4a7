{{/* The chart's name, as the label app.kubernetes.io/name. */}}
{{- define "orgkeep.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What the names of all that this release makes begin with; leaves room for the longest suffix in 63. */}}
{{- define "orgkeep.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "orgkeep.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "orgkeep.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped names carry the namespace, so that two releases of one name do not share them. */}}
{{- define "orgkeep.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "orgkeep.fullname" .) -}}
{{- end -}}

{{/* Labels that pick the operator's pods. Never change them: a Deployment's selector is immutable. */}}
{{- define "orgkeep.selectorLabels" -}}
app.kubernetes.io/name: {{ include "orgkeep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of all that the chart makes. */}}
{{- define "orgkeep.labels" -}}
app.kubernetes.io/name: {{ include "orgkeep.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: orgkeep
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end -}}

{{/* Labels that the operator puts on every worker pod. */}}
{{- define "orgkeep.workerSelectorLabels" -}}
app.kubernetes.io/managed-by: orgkeep
app.kubernetes.io/component: worker
{{- end -}}

{{- define "orgkeep.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "orgkeep.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Account of workers whose object names none; empty for the namespace's default account. */}}
{{- define "orgkeep.workerServiceAccountName" -}}
{{- if .Values.worker.serviceAccount.create -}}
{{- default "orgkeep-worker" .Values.worker.serviceAccount.name -}}
{{- else -}}
{{- .Values.worker.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image reference: dict "image" … "tag" (default tag). */}}
{{- define "orgkeep.imageReference" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .tag .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "orgkeep.image" -}}
{{- include "orgkeep.imageReference" (dict "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end -}}

{{- define "orgkeep.workerImage" -}}
{{- if .Values.worker.image.repository -}}
{{- include "orgkeep.imageReference" (dict "image" .Values.worker.image "tag" .Chart.AppVersion) -}}
{{- else -}}
{{- include "orgkeep.image" . -}}
{{- end -}}
{{- end -}}

{{/* Namespaces for a part of the workers, as a JSON list: its own, else the watched ones, else the release's.
     dict "own" … "root" … */}}
{{- define "orgkeep.workerNamespaces" -}}
{{- if .own -}}
{{- toJson .own -}}
{{- else if .root.Values.watchNamespaces -}}
{{- toJson .root.Values.watchNamespaces -}}
{{- else -}}
{{- toJson (list .root.Release.Namespace) -}}
{{- end -}}
{{- end -}}

{{/* Egress to the cluster's DNS, wherever it runs. */}}
{{- define "orgkeep.dnsEgress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* Egress to ports at CIDRs (empty: anywhere): dict "ports" … "cidrs" … */}}
{{- define "orgkeep.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* What the operator does to objects in the namespaces that it looks after. No Secret is among them. */}}
{{- define "orgkeep.namespacedRules" -}}
- apiGroups: [orgkeep.dev]
  resources: [salesforceconnections, backupvaults, salesforcebackups, snapshots]
  verbs: [get, list, watch]
- apiGroups: [orgkeep.dev]
  resources: [salesforceconnections/status, backupvaults/status, salesforcebackups/status, snapshots/status]
  verbs: [patch]
# The spec of an object is its user's; only snapshots are made by the operator.
- apiGroups: [orgkeep.dev]
  resources: [snapshots]
  verbs: [create]
# To own a Job with blockOwnerDeletion where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [orgkeep.dev]
  resources: [salesforceconnections/finalizers, backupvaults/finalizers, salesforcebackups/finalizers, snapshots/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
