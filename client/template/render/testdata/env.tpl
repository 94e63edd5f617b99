task {{ env "NOMAD_TASK_NAME" }} of {{ mustEnv "NOMAD_META_TEAM" }}, {{ envOrDefault "NOPE" "fallback" }}, [{{ envOrDefault "EMPTY" "fallback" }}], [{{ env "NOPE" }}]
=====
{{ mustEnv "NOPE" }}
=====
{{ mustEnv "EMPTY" }}
