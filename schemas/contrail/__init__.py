"""The Contrail object model: values, types with their parents, references and managed fields, and its rules."""
