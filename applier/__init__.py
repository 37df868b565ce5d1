"""The applier: makes Contrail what the store says it shall be, and records what Contrail decided by itself."""
