"""The desired-state store in PostgreSQL: tables, views, roles, migrations and the way to connect."""
