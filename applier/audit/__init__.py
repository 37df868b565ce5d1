"""The audit: Contrail is compared with the store; drift is found and repaired, orphans are found and pruned."""
