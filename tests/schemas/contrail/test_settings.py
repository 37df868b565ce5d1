"""Settings of the Contrail API: what fits together, and how what does not is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings import ContrailSettings, describe, from_env

PREFIX = "CONTRAIL_KUBE_CONTRAIL_"
KEYSTONE = {
    "AUTH": "keystone",
    "USER": "admin",
    "PASSWORD": "hunter2",
    "PROJECT": "admin",
    "KEYSTONE_URL": "http://keystone:5000/v3",
}
BASIC = {"AUTH": "basic", "USER": "admin", "PASSWORD": "hunter2"}
SECURE = {"URLS": "https://a:8082"}


def read(settings: dict[str, str]) -> ContrailSettings:
    return from_env(ContrailSettings, {PREFIX + name: value for name, value in settings.items()})


def without(settings: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name not in names}


def test_endpoints_are_a_list_in_order() -> None:
    assert read({"URLS": "http://a:8082, https://b/contrail"}).urls == ("http://a:8082", "https://b/contrail")


@pytest.mark.parametrize("settings", [{}, BASIC, KEYSTONE, {**KEYSTONE, **SECURE, "CA_FILE": "/ca"}])
def test_what_fits_together_is_taken(settings: dict[str, str]) -> None:
    assert read(settings).auth == settings.get("AUTH", "none")


@pytest.mark.parametrize(
    ("settings", "variable", "says"),
    [
        ({"URLS": ""}, "URLS", "is empty"),
        ({"URLS": "a:8082"}, "URLS", "must begin with http:// or https://"),
        ({"URLS": "http://"}, "URLS", "names no server"),
        ({"URLS": "http://a:port"}, "URLS", "is no URL"),
        ({"URLS": "http://a:8082?x=1"}, "URLS", "without ? and #"),
        ({"URLS": "http://a:8082,http://a:8082/"}, "URLS", "the same server twice"),
        ({"AUTH": "kerberos"}, "AUTH", "accepted are none, basic, keystone"),
        (without(BASIC, "USER"), "USER", "AUTH=basic needs"),
        (without(BASIC, "PASSWORD"), "PASSWORD", "AUTH=basic needs"),
        ({**BASIC, "USER": "a:b"}, "USER", "without ':'"),
        ({**BASIC, "PROJECT": "admin"}, "PROJECT", "AUTH is basic"),
        ({"PASSWORD": "hunter2"}, "PASSWORD", "AUTH is none"),
        (without(KEYSTONE, "KEYSTONE_URL"), "KEYSTONE_URL", "AUTH=keystone needs"),
        (without(KEYSTONE, "PROJECT"), "PROJECT", "AUTH=keystone needs"),
        ({**KEYSTONE, "KEYSTONE_URL": "http://keystone:5000/v2.0"}, "KEYSTONE_URL", "must end with /v3"),
        ({**KEYSTONE, "KEYSTONE_URL": "keystone/v3"}, "KEYSTONE_URL", "must begin with http:// or https://"),
        ({"CA_FILE": "/ca"}, "CA_FILE", "no URL begins with https://"),
        ({"VERIFY": "false"}, "VERIFY", "no URL begins with https://"),
        ({**SECURE, "CLIENT_KEY_FILE": "/key"}, "CLIENT_KEY_FILE", "needs CONTRAIL_KUBE_CONTRAIL_CLIENT_CERTIFICATE"),
        ({**SECURE, "CA_FILE": "/ca", "VERIFY": "false"}, "CA_FILE", "nothing is checked against it"),
        ({"READ_TIMEOUT": "0"}, "READ_TIMEOUT", "must be above 0"),
        ({**without(BASIC, "PASSWORD"), "PASSWORD_FILE": "/nowhere"}, "PASSWORD_FILE", "cannot be read"),
    ],
)
def test_what_cannot_work_is_refused_by_name(settings: dict[str, str], variable: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(settings)
    assert PREFIX + variable in str(raised.value)
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as raised:
        read({"URLS": "http://admin:hunter2@a:8082"})
    assert "CONTRAIL_KUBE_CONTRAIL_USER" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_password_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    settings = read({**without(BASIC, "PASSWORD"), "PASSWORD_FILE": str(file)})
    assert settings.current_password() == "hunter2"
    file.write_text("hunter3\n")
    assert settings.current_password() == "hunter3"
    assert "hunter" not in repr(settings) + describe(settings)


def test_an_empty_password_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("\n")
    with pytest.raises(SettingsError, match=f"PASSWORD_FILE={file}: is empty"):
        ContrailSettings(auth="basic", user="admin", password_file=str(file)).current_password()
