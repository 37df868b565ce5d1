"""Translations, one module per kind; `registry.translate` picks the one of a resource."""
