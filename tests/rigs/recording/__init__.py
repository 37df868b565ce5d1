"""Taking the recording that ships with the package: a real control plane, our watchers, an online shop."""
