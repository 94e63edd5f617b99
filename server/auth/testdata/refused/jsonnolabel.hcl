{"namespace": {"policy": "read"}}
#-- is the label missing?
