{{/* The TURN server beside a host, which relays to that host only, and the address of the host. It
starts before the host, and ends after it: it serves those who are relayed while the host drains. */}}

{{- define "mafalda.nodeEnv" -}}
env:
  - name: HOST_IP
    valueFrom: { fieldRef: { fieldPath: status.hostIP } }
  - name: NODE_NAME
    valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- end }}

{{/* What sh runs first in a container that needs the address for media. */}}
{{- define "mafalda.sh" -}}
{{- if .Values.hosts.announcedAddressScript -}}
address=$(cat /run/mafalda/address)
{{- else -}}
address={{ .Values.hosts.announcedAddress | default "$HOST_IP" }}
{{- end }}
{{- end }}

{{- define "mafalda.address" -}}
{{- if .Values.hosts.announcedAddressScript }}
- name: address
  {{- include "mafalda.image" . | nindent 2 }}
  command: [sh, -ec, {{ printf "(\n%s\n) > /run/mafalda/address" .Values.hosts.announcedAddressScript | quote }}]
  {{- include "mafalda.nodeEnv" . | nindent 2 }}
  {{- include "mafalda.container" . | nindent 2 }}
  volumeMounts:
    - { name: address, mountPath: /run/mafalda }
{{- end }}
{{- end }}

{{- define "mafalda.turn" -}}
{{- if .Values.turn.enabled }}
{{- $media := .Values.hosts.mediaPorts }}
{{- $relay := .Values.turn.relayPorts }}
{{- if and (le (int $media.min) (int $relay.max)) (le (int $relay.min) (int $media.max)) }}
{{- fail "hosts.mediaPorts and turn.relayPorts must have no port in common: both are ports of the node" }}
{{- end }}
- name: turn
  image: {{ .Values.turn.image }}
  restartPolicy: Always # which makes it a sidecar
  command:
    - sh
    - -ec
    - |
      {{- include "mafalda.sh" . | nindent 6 }}
      umask 077
      {
        cat /etc/mafalda/coturn/turnserver.conf
        echo "static-auth-secret=$(cat /etc/mafalda/turn/turn-secret)"
        echo "listening-ip=$HOST_IP"
        echo "relay-ip=$HOST_IP"
        echo "external-ip=$address/$HOST_IP"
        echo "allowed-peer-ip=$HOST_IP"
        echo "allowed-peer-ip=$address"
        echo "listening-port={{ .Values.turn.port }}"
        echo "min-port={{ int $relay.min }}"
        echo "max-port={{ int $relay.max }}"
      } > /run/coturn/turnserver.conf
      # As the first process it would not end by SIGTERM.
      turnserver -c /run/coturn/turnserver.conf &
      pid=$! ending=
      trap 'ending=yes; kill "$pid"' TERM
      wait "$pid" || [ "$ending" ]
  {{- include "mafalda.nodeEnv" . | nindent 2 }}
  ports:
    - { name: turn-udp, containerPort: {{ .Values.turn.port }}, protocol: UDP }
    - { name: turn-tcp, containerPort: {{ .Values.turn.port }} }
  startupProbe:
    tcpSocket: { port: turn-tcp }
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    tcpSocket: { port: turn-tcp }
  # The program in that image is marked with a capability, and does not start where it is dropped.
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: { drop: [ALL], add: [NET_BIND_SERVICE] }
  resources: {{- toYaml .Values.turn.resources | nindent 4 }}
  volumeMounts:
    - { name: turn, mountPath: /etc/mafalda/turn, readOnly: true }
    - { name: coturn, mountPath: /etc/mafalda/coturn, readOnly: true }
    - { name: coturn-run, mountPath: /run/coturn }
    {{- if .Values.hosts.announcedAddressScript }}
    - { name: address, mountPath: /run/mafalda, readOnly: true }
    {{- end }}
{{- end }}
{{- end }}

{{- define "mafalda.turnArgs" -}}
{{- if .Values.turn.enabled }}
- --turn-secret=/etc/mafalda/turn/turn-secret
{{- end }}
{{- end }}

{{- define "mafalda.hostMounts" -}}
{{- if .Values.turn.enabled }}
- { name: turn, mountPath: /etc/mafalda/turn, readOnly: true }
{{- end }}
{{- if .Values.hosts.announcedAddressScript }}
- { name: address, mountPath: /run/mafalda, readOnly: true }
{{- end }}
{{- end }}

{{- define "mafalda.hostVolumes" -}}
{{- if .Values.turn.enabled }}
- name: turn
  secret: { secretName: {{ required "turn.secret must name a Secret that has turn-secret, or turn.enabled be false" .Values.turn.secret }}, defaultMode: 0440 }
- name: coturn
  configMap: { name: {{ include "mafalda.name" . }}-coturn }
- name: coturn-run
  emptyDir: { medium: Memory }
{{- end }}
{{- if .Values.hosts.announcedAddressScript }}
- name: address
  emptyDir: { medium: Memory }
{{- end }}
{{- end }}
