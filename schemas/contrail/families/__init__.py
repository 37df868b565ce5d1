"""Tables of Contrail's types, one module per family (data)."""
