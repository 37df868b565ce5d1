"""The store in memory keeps the contract."""

from __future__ import annotations

import pytest

from tests.translator.rows import MemoryBackend
from tests.translator.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    """The contract, in memory."""

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        """An empty store."""
        return MemoryBackend()
