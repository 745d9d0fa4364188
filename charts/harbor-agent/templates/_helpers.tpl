{{- define "harbor-agent.name" -}}
harbor-agent-drift{{ if ne .Release.Name "harbor-agent" }}-{{ .Release.Name }}{{ end }}
{{- end }}

{{- define "harbor-agent.selector" -}}
app.kubernetes.io/name: harbor-agent
app.kubernetes.io/instance: {{ include "harbor-agent.name" . }}
{{- end }}

{{- define "harbor-agent.metadata" -}}
name: {{ include "harbor-agent.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "harbor-agent.selector" . | nindent 2 }}
{{- end }}

{{- /* A role and its binding to the service account: a list of the context, the kind, the namespace ("" for the cluster), and the rules. */ -}}
{{- define "harbor-agent.role" -}}
{{- $context := index . 0 }}{{ $kind := index . 1 }}{{ $namespace := index . 2 }}
{{- $name := include "harbor-agent.name" $context }}
{{- $labels := include "harbor-agent.selector" $context | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels }}
rules:
{{ index . 3 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $kind }}, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ $context.Release.Namespace }}}
{{- end }}

{{- /* The rules for the pull secrets in one namespace, or in all of them for "*": a list of the context and the namespace. */ -}}
{{- define "harbor-agent.secrets" -}}
{{- $values := (index . 0).Values }}{{ $namespace := index . 1 }}
{{- $names := list }}
{{- range $values.secrets }}{{ if eq .namespace $namespace }}{{ $names = append $names .name }}{{ end }}{{ end }}
{{- if $names }}
{{- $writes := ternary (list "get" "create" "patch") (list "get") $values.correct }}
{{- $attaches := ternary (list "get" "patch") (list "get") $values.correct }}
  - {apiGroups: [""], resources: [secrets], verbs: {{ toJson $writes }}, resourceNames: {{ toJson $names }}}
{{- with $values.accounts }}
  - {apiGroups: [""], resources: [serviceaccounts], verbs: {{ toJson $attaches }}, resourceNames: {{ toJson . }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "harbor-agent.systemRules" -}}
{{- if .Values.correct }}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, update], resourceNames: [harbor-agent]}
{{- end }}
{{- if .Values.dns }}
{{- $edits := ternary (list "get" "create" "patch" "delete") (list "get") .Values.correct }}
{{- $restarts := ternary (list "list" "get" "patch") (list "list") .Values.correct }}
  - {apiGroups: [""], resources: [configmaps], verbs: {{ toJson $edits }}}
  - {apiGroups: [""], resources: [services], verbs: [list]}
  - {apiGroups: [apps], resources: [deployments], verbs: {{ toJson $restarts }}}
  - {apiGroups: [apps], resources: [daemonsets], verbs: {{ toJson $restarts }}}
{{- if .Values.correct }}
  - {apiGroups: [""], resources: [pods], verbs: [list]}
  - {apiGroups: [""], resources: [pods/proxy], verbs: [get]}
{{- end }}
{{- end }}
{{- end }}

{{- define "harbor-agent.clusterRules" -}}
{{- if .Values.correct }}
{{- $nodes := ternary (list "get" "list" "patch") (list "get" "list") .Values.drain }}
  - {apiGroups: [""], resources: [nodes], verbs: {{ toJson $nodes }}}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
{{- if .Values.drain }}
  - {apiGroups: [""], resources: [pods], verbs: [list]}
  - {apiGroups: [""], resources: [pods/eviction], verbs: [create]}
{{- end }}
{{- end }}
{{- include "harbor-agent.secrets" (list . "*") }}
{{- if .Values.secrets }}
  - {apiGroups: [""], resources: [namespaces], verbs: [get, list]}
{{- end }}
{{- end }}

{{- /* The cluster's version and not its list of APIs: that is empty in an offline `helm template`. */ -}}
{{- define "harbor-agent.batch" -}}
{{ if semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version }}batch/v1{{ else }}batch/v1beta1{{ end }}
{{- end }}
