"""Worlds for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.slack.world import World, open_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


@pytest.fixture
async def socket_world() -> AsyncIterator[World]:
    async with open_world(socket_mode=True) as opened:
        yield opened
