{{ with file "local/list.json" | parseJSON }}{{ range .servers }}server {{ .name }}:{{ .port }}
{{ end }}{{ end -}}
=====
{{ file "local/none" }}
=====
[{{ file "" }}]
