"""docs/store.md names every table, view, column, role and status that operators may meet, and its SQL runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from schemas.store.roles import GRANTS
from schemas.store.tables import metadata
from schemas.store.views import VIEWS

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text()
STATUSES = ("pending", "applied", "failed", "blocked", "dead")


def _code(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def _view_section(name: str) -> str:
    return PAGE.partition(f"### `{name}`")[2].partition("\n#")[0]


def test_every_table_has_a_line_with_all_of_its_columns() -> None:
    for table in metadata.sorted_tables:
        lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{table.name}` |")]
        assert len(lines) == 1, table.name
        missing = {column.name for column in table.columns} - _code(lines[0])
        assert not missing, f"{table.name}: {missing}"


def test_every_role_and_status_is_explained() -> None:
    for word in (*GRANTS, *STATUSES):
        assert f"| `{word}` |" in PAGE


@pytest.mark.postgres
def test_every_view_is_explained_with_all_of_its_columns(store_engine: Engine) -> None:
    inspector = inspect(store_engine)
    assert set(VIEWS) == set(re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE))
    for name in VIEWS:
        columns = {column["name"] for column in inspector.get_columns(name)}
        assert columns <= _code(_view_section(name)), f"{name}: {columns - _code(_view_section(name))}"


@pytest.mark.postgres
def test_the_questions_can_be_asked(store_engine: Engine) -> None:
    questions = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)
    assert len(questions) >= 4
    for question in questions:
        with store_engine.connect() as connection:
            connection.exec_driver_sql(question.replace("'…'", "'00000000-0000-0000-0000-000000000000'"))
