"""NetworkPolicies to one ordered list of rules per namespace, exactly (pure); docs/network-policy.md proves it."""
