{{/* Names are cut to what a label can hold, with room for the parts' names. */}}
{{- define "memwarden.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* (list . "collector"): what selects a part's pods. */}}
{{- define "memwarden.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: memwarden
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "memwarden.labels" -}}
{{- $root := index . 0 -}}
{{ include "memwarden.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list . "collector"): name and labels of an object of a part. */}}
{{- define "memwarden.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "memwarden.name" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "memwarden.labels" . | nindent 2 }}
{{- end -}}

{{/* (list . "collector"): the reference of an image. A digest wins over a tag. */}}
{{- define "memwarden.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- with $root.Values.images.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Values.images.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{- define "memwarden.collectorURL" -}}
https://{{ include "memwarden.name" . }}-collector.{{ .Release.Namespace }}.svc:4318
{{- end -}}

{{/* Pod Security `restricted`, said in full. */}}
{{- define "memwarden.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "memwarden.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* (list . "collector"): what all pods of this chart have alike; values of the part are looked up by its name. */}}
{{- define "memwarden.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
serviceAccountName: {{ include "memwarden.name" $root }}-{{ index . 1 }}
enableServiceLinks: false
securityContext:
  {{- include "memwarden.podSecurity" $root | nindent 2 }}
  {{- if dig "snapshots" "enabled" false $values }}
  fsGroup: 65532
  {{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with $values.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Namespaces whose pods are never looked at: ours would wait for itself. */}}
{{- define "memwarden.excludedNamespaces" -}}
{{- concat (list "kube-system" "kube-node-lease" .Release.Namespace) .Values.injector.excludedNamespaces | uniq | toJson -}}
{{- end -}}

{{/* Names by which a Service is asked. (list . "injector") */}}
{{- define "memwarden.hosts" -}}
{{- $root := index . 0 -}}
{{- $service := printf "%s-%s" (include "memwarden.name" $root) (index . 1) -}}
{{- list $service (printf "%s.%s" $service $root.Release.Namespace) (printf "%s.%s.svc" $service $root.Release.Namespace) (printf "%s.%s.svc.cluster.local" $service $root.Release.Namespace) | toJson -}}
{{- end -}}

{{- define "memwarden.webhookName" -}}
{{/* Behind `vpa-webhook-config`: webhooks are called by the order of their names, and resources are to be final. */}}
{{- printf "webhook-%s" (include "memwarden.name" .) -}}
{{- end -}}

{{/* The way to the API server, in the one container of a pod that has it; the service account mounts it nowhere else. */}}
{{- define "memwarden.kubernetes" -}}
name: kubernetes
projected:
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}

{{/* What a run of `certificates` is. */}}
{{- define "memwarden.certificatesPod" -}}
{{- $part := list . "certificates" -}}
{{- $base := include "memwarden.name" . -}}
metadata:
  labels:
    {{- include "memwarden.labels" $part | nindent 4 }}
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ $base }}-certificates
  enableServiceLinks: false
  securityContext:
    {{- include "memwarden.podSecurity" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  nodeSelector: {kubernetes.io/os: linux}
  volumes:
    - {{- include "memwarden.kubernetes" . | nindent 6 }}
  # One after the other: the second finds the authority that the first has made. Two Secrets, so that nobody holds another's key.
  initContainers:
    - name: injector
      {{- include "memwarden.certificatesContainer" (list . "injector" true) | nindent 6 }}
  containers:
    - name: collector
      {{- include "memwarden.certificatesContainer" (list . "collector" false) | nindent 6 }}
{{- end -}}

{{/* (list . "injector" true): writes the Secret of a part, and the authority into the webhook. */}}
{{- define "memwarden.certificatesContainer" -}}
{{- $root := index . 0 -}}
{{- $base := include "memwarden.name" $root -}}
image: {{ include "memwarden.image" (list $root "operator") }}
imagePullPolicy: {{ $root.Values.images.pullPolicy }}
args:
  - certificates
  - --namespace={{ $root.Release.Namespace }}
  - --ca-secret={{ $base }}-authority
  - --secret={{ $base }}-{{ index . 1 }}-tls
  - --names={{ $base }}-{{ index . 1 }}
  {{- if index . 2 }}
  - --webhook={{ include "memwarden.webhookName" $root }}
  {{- end }}
resources:
  {{- toYaml $root.Values.certificates.resources | nindent 2 }}
volumeMounts:
  - {name: kubernetes, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
securityContext:
  {{- include "memwarden.containerSecurity" $root | nindent 2 }}
{{- end -}}
