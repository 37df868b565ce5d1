"""Every contract that crosses a process border: records, codec, bus, Contrail model, store, settings, errors."""
