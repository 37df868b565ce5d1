"""A simulated Keystone v3: tokens by password, for one project."""
