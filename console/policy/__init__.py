"""`contrail-kube policy`: what policies allow, why, and whether the rules that Contrail is given say the same."""
