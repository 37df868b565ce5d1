"""The reference page of settings tells what the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.settings import OF_SERVICES, check_environment, page, settings_of
from schemas.errors import SettingsError
from schemas.settings import SHARED

DOCS = Path(__file__).parents[2] / "docs"
TOPICS = [*SHARED, *(topic for topics in OF_SERVICES.values() for topic in topics)]


def test_the_page_in_docs_is_what_the_code_says() -> None:
    assert (DOCS / "settings.md").read_text() == page(), "write it anew: contrail-kube settings > docs/settings.md"


def test_every_variable_is_unique_and_on_the_page() -> None:
    variables = [setting.variable for topic in TOPICS for setting in settings_of(topic)]
    assert len(variables) == len(set(variables))
    text = page()
    assert all(f"| `{variable}` |" in text for variable in variables)


def test_every_service_that_has_settings_of_its_own_is_covered() -> None:
    packages = Path(__file__).parents[2]
    modules = {str(path.relative_to(packages)) for path in packages.glob("[a-z]*/**/settings.py")}
    modules = {m for m in modules if not m.startswith(("tests/", "schemas/", "console/"))}
    modules = {m for m in modules if "PREFIX: ClassVar" in (packages / m).read_text()}
    covered = {topic.__module__.replace(".", "/") + ".py" for topics in OF_SERVICES.values() for topic in topics}
    assert modules == covered


def test_a_secret_default_is_never_a_real_one() -> None:
    assert {s.variable for topic in TOPICS for s in settings_of(topic) if s.secret} == {
        "CONTRAIL_KUBE_CONTRAIL_PASSWORD",
        "CONTRAIL_KUBE_DATABASE_URL",
        "CONTRAIL_KUBE_KAFKA_SASL_PASSWORD",
        "CONTRAIL_KUBE_SIMULATOR_PASSWORD",
    }


def test_a_slip_of_the_pen_is_found_in_every_services_settings() -> None:
    with pytest.raises(SettingsError, match="did you mean CONTRAIL_KUBE_APPLIER_CONCURRENCY"):
        check_environment({"CONTRAIL_KUBE_APPLIER_CONCURENCY": "3"})
