"""NetworkPolicy: what Kubernetes promises against what the Contrail firewall does with what we ask of it."""
