{{/* Names, and what pods of all components have in common. */}}

{{- define "mafalda.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mafalda.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "mafalda.labels" -}}
{{ include "mafalda.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "mafalda.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* No pod needs the API of Kubernetes, nor rights of root. The user is that of the image. */}}
{{- define "mafalda.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "mafalda.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "mafalda.probes" -}}
# A pod that drains is not ready, and lives.
startupProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{/* Where pods may run. */}}
{{- define "mafalda.place" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "mafalda.s" -}}
{{ if .Values.tls.secret }}s{{ end }}
{{- end }}

{{- define "mafalda.registry" -}}
http{{ include "mafalda.s" . }}://{{ include "mafalda.name" . }}-registry.{{ .Release.Namespace }}.svc:{{ .Values.registry.port }}
{{- end }}

{{/* How a tier asks its clients who they are, and what it shows the tiers that it connects to. */}}
{{- define "mafalda.access" -}}
{{- if not (or .Values.insecure .Values.tokens.secret (and .Values.tls.secret .Values.tls.clientCertificates)) }}
{{- fail "whoever reaches the tiers could use them: set tokens.secret, or tls.secret with tls.clientCertificates, or insecure if only your own machines reach them" }}
{{- end }}
{{- if .Values.tls.secret }}
- --tls-cert=/etc/mafalda/tls/tls.crt
- --tls-key=/etc/mafalda/tls/tls.key
{{- if .Values.tls.clientCertificates }}
- --tls-ca=/etc/mafalda/tls/ca.crt
{{- end }}
- --ca=/etc/mafalda/tls/ca.crt
- --cert=/etc/mafalda/tls/tls.crt
- --key=/etc/mafalda/tls/tls.key
{{- end }}
{{- if .Values.tokens.secret }}
- --token-{{ if eq .Values.tokens.key "jwks" }}keys{{ else }}secret{{ end }}=/etc/mafalda/tokens/{{ .Values.tokens.key }}
- --token-audience={{ .Values.tokens.audience }}
- --token-max-life={{ int .Values.tokens.maxLife }}
- --token=/etc/mafalda/tokens/token
{{- end }}
{{- if .Values.insecure }}
- --insecure
{{- end }}
{{- end }}

{{- define "mafalda.accessMounts" -}}
{{- if .Values.tls.secret }}
- { name: tls, mountPath: /etc/mafalda/tls, readOnly: true }
{{- end }}
{{- if .Values.tokens.secret }}
- { name: tokens, mountPath: /etc/mafalda/tokens, readOnly: true }
{{- end }}
{{- end }}

{{- define "mafalda.accessVolumes" -}}
{{- if .Values.tls.secret }}
- name: tls
  secret: { secretName: {{ .Values.tls.secret }}, defaultMode: 0440 }
{{- end }}
{{- if .Values.tokens.secret }}
- name: tokens
  secret: { secretName: {{ .Values.tokens.secret }}, defaultMode: 0440 }
{{- end }}
{{- end }}
