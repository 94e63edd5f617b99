{"namespace": {"a": {"policy": "read"}, "a": {"policy": "write"}}}
#-- a
