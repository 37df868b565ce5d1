"""What the pipeline found out, told to the users of Kubernetes: status of services, annotations of pods, Events."""
