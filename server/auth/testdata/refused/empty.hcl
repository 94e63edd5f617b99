# nothing
#-- the policy has no rules
