"""Adoption: what contrail-kube-manager made for this cluster is taken over, without cutting a running pod."""
