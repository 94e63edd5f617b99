{{ if }}
=====
{{ nosuchfunction 1 }}
=====
{{ key "a/b" }}
=====
{{ with secret "kv/x" }}{{ .Data }}{{ end }}
=====
{{ range nomadService "web" }}{{ .Address }}{{ end }}
=====
{{ if true }}{{ else }}{{ with nomadVar "nomad/jobs" }}{{ end }}{{ end }}
=====
{{ sockaddr "GetPrivateIP" }}
=====
{{ plugin "/bin/true" }}
=====
{{ "x" | writeToFile "/tmp/x" "root" "root" "0644" }}
=====
{{ parseInt "x" }}
=====
{{ sprig_fail "said so" }}
=====
{{ index (split "," "a") 3 }}
