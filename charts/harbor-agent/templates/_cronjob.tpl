{{- /* The spec of a CronJob: a list of the context, the arguments, and whether it is suspended. */ -}}
{{- define "harbor-agent.cronjob" -}}
{{- $context := index . 0 }}{{ $arguments := index . 1 }}{{ $suspended := index . 2 }}
{{- /* A volume for each secret that holds files: "files" for the release's own, else "files-1" and so on. */ -}}
{{- $own := printf "%s-files" (include "harbor-agent.name" $context) }}{{ $volumes := dict }}
{{- range $context.Values.files }}{{ $secret := .secret | default $own }}
{{- if not (hasKey $volumes $secret) }}{{ $_ := set $volumes $secret (ternary "files" (printf "files-%d" (add1 (len $volumes))) (eq $secret $own)) }}{{ end }}
{{- end }}
spec:
  schedule: {{ $context.Values.schedule | quote }}
  {{- if $suspended }}
  suspend: true
  {{- end }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 300
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels:
        {{- include "harbor-agent.selector" $context | nindent 8 }}
    spec:
      # A second check would only find the lock held; the next one makes up for a check that failed.
      backoffLimit: 0
      template:
        metadata:
          labels:
            {{- include "harbor-agent.selector" $context | nindent 12 }}
        spec:
          serviceAccountName: {{ include "harbor-agent.name" $context }}
          automountServiceAccountToken: {{ not (empty $context.Values.kubeconfig) }}
          restartPolicy: Never
          {{- with $context.Values.imagePullSecrets }}
          imagePullSecrets: {{ toJson . }}
          {{- end }}
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            runAsGroup: 10001
            fsGroup: 10001
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: drift
              image: {{ $context.Values.image | quote }}
              args: {{- range $arguments }}
                - {{ . }}
                {{- end }}
              workingDir: /etc/harbor-agent/inventory
              env:
                - {name: HOME, value: /state}
              volumeMounts:
                - {name: state, mountPath: /state}
                - {name: tmp, mountPath: /tmp}
                - {name: ssh, mountPath: /state/.ssh, readOnly: true}
                - {name: inventory, mountPath: /etc/harbor-agent/inventory, readOnly: true}
                {{- range $context.Values.files }}
                - {name: {{ get $volumes (.secret | default $own) }}, mountPath: {{ .path | quote }}, readOnly: true, subPath: {{ .key | quote }}}
                {{- end }}
                {{- with $context.Values.kubeconfig }}
                - {name: kubeconfig, mountPath: {{ . | quote }}, readOnly: true, subPath: kubeconfig}
                {{- end }}
              resources: {{ toJson $context.Values.resources }}
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities: {drop: [ALL]}
          volumes:
            - name: state
              persistentVolumeClaim: {claimName: {{ include "harbor-agent.name" $context }}}
            - name: tmp
              emptyDir: {}
            - name: ssh
              secret: {secretName: {{ include "harbor-agent.name" $context }}-ssh, defaultMode: 0400}
            - name: inventory
              secret: {secretName: {{ include "harbor-agent.name" $context }}-inventory, defaultMode: 0400}
            {{- range $secret, $volume := $volumes }}
            - name: {{ $volume }}
              secret: {secretName: {{ $secret | quote }}, defaultMode: 0400}
            {{- end }}
            {{- if $context.Values.kubeconfig }}
            - name: kubeconfig
              configMap: {name: {{ include "harbor-agent.name" $context }}}
            {{- end }}
{{- end }}
