"""Bodies as they arrive, without a connection."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from bot.api.bodies import read_bytes, read_json, read_object
from bot.api.deps import Limits
from bot.api.problems import HttpRefused
from governance.errors import Code, InvalidInput

LIMITS = Limits(max_body_bytes=64)


def _request(body: bytes, **headers: str) -> web.Request:
    """One whose body came whole with its head, of no stated length."""
    loop = asyncio.get_running_loop()
    reader = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    reader.feed_data(body)
    reader.feed_eof()
    return make_mocked_request("POST", "/", headers=headers, payload=reader)


async def test_a_body_of_no_stated_length_is_bounded_although_it_is_there():
    assert await read_bytes(_request(b"x" * 64), LIMITS) == b"x" * 64
    with pytest.raises(InvalidInput) as refused:
        await read_bytes(_request(b"x" * 65), LIMITS)
    assert refused.value.code is Code.TOO_LARGE


async def test_a_body_says_that_it_is_json_unless_it_is_empty():
    assert await read_json(_request(b" \n"), LIMITS) == b"{}"
    assert await read_object(_request(b""), LIMITS) == {}
    for said in ("application/json", "Application/JSON; charset=utf-8", "application/x+json"):
        told = _request(b'{"a": 1}', **{"Content-Type": said})
        assert await read_object(told, LIMITS) == {"a": 1}
    for said in ("text/plain", "application/json; charset=latin-1", "application/jsonx"):
        with pytest.raises(HttpRefused):
            await read_json(_request(b"{}", **{"Content-Type": said}), LIMITS)
