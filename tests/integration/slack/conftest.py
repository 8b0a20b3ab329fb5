"""Worlds for the tests of this folder.

Whatever a person does is done over both transports, unless a test is about one of them.
"""

from collections.abc import AsyncIterator

import pytest

from tests.integration.slack.world import TRANSPORTS, World, open_world


@pytest.fixture(params=TRANSPORTS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_world(socket_mode=request.param == "socket") as opened:
        yield opened


@pytest.fixture
async def socket_world() -> AsyncIterator[World]:
    async with open_world(socket_mode=True) as opened:
        yield opened
