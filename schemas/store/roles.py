"""Database roles: each process may touch what its work needs, and no more.

The owner (whoever migrates) makes them as group roles without login; an operator grants them to the login
users of the services: `GRANT contrail_kube_cni TO node_agent`.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, text

logger = logging.getLogger(__name__)

_READ_ALL = "SELECT ON ALL TABLES IN SCHEMA public"

GRANTS: dict[str, tuple[str, ...]] = {
    "contrail_kube_translator": (
        _READ_ALL,
        "INSERT, UPDATE ON consumer_offset",
        "INSERT, UPDATE, DELETE ON watch_epoch, k8s_resource, resource_read",
        "INSERT, UPDATE, DELETE ON desired_object, desired_source, desired_edge, resource_notice",
        "INSERT, UPDATE ON apply_state, dead_letter",
        "INSERT ON object_diff",
    ),
    "contrail_kube_applier": (
        _READ_ALL,
        "INSERT, UPDATE, DELETE ON apply_state, observed_object",
        "DELETE ON desired_object, desired_source, desired_edge",
        "INSERT, UPDATE, DELETE ON audit_run, audit_finding, adopted_object, vlan_tag",
        "INSERT, UPDATE ON dead_letter",
    ),
    "contrail_kube_feedback": (
        "SELECT ON alembic_version, k8s_resource, desired_object, desired_source, apply_state, observed_object",
        "SELECT ON dead_letter, resource_notice, pod_address, public_address",
        "SELECT, INSERT, UPDATE, DELETE ON written_back, told_event",
    ),
    "contrail_kube_operator": (_READ_ALL,),
    "contrail_kube_cni": ("SELECT ON pod_address",),
}
"""Privileges by role, in GRANT's own words."""


def ensure_roles(connection: Connection) -> list[str]:
    """Make missing roles and grant every role its privileges; returns the roles that could not be made.

    A user without CREATEROLE cannot make roles: the store works all the same, with the owner's login.
    """
    can_create = connection.scalar(text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"))
    present = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    missing = []
    for role, grants in GRANTS.items():
        if role not in present:
            if not can_create:
                missing.append(role)
                continue
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
        for grant in grants:
            connection.execute(text(f"GRANT {grant} TO {role}"))
    if missing:
        logger.warning("roles not made, because this user lacks CREATEROLE: %s", ", ".join(missing))
    return missing
