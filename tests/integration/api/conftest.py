"""The served API as a fixture."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.api.world import World, running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """One API with its people, nothing asked yet."""
    async with running() as made:
        yield made
