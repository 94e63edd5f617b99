node { capabilities = ["read"] }
#-- unknown key "capabilities"
