"""The bus: an ordered, partitioned log of change events, as a port with two adapters (Kafka, log directory)."""
