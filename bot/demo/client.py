"""A small JSON client, as an agent or an approver would write it.

Lives here: one request at a time with a bearer token. Must not live here: any knowledge of jobs.
Law: it talks to loopback only.
"""

import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: HTTP status, JSON body, seconds to wait where it said so."""

    status: int
    body: Any
    retry_after_s: int = 0


class Client:
    """A client of one base address; tokens are given per call."""

    def __init__(self, base_url: str) -> None:
        if urlsplit(base_url).hostname not in _LOOPBACK:
            raise ValueError("the demo talks to this machine only")
        self._base = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, *, token: str = "", body: object = None) -> Answer:
        """Send one request; an error status is an answer, not an exception."""
        if self._session is None:
            raise RuntimeError("use the client in an async with")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        async with self._session.request(
            method, self._base + path, data=data, headers=headers
        ) as answer:
            text = await answer.text()
            after = answer.headers.get("Retry-After", "0")
            return Answer(
                status=answer.status,
                body=json.loads(text) if text else None,
                retry_after_s=int(after) if after.isdigit() else 0,
            )

    async def post(self, path: str, body: object = None, *, token: str = "") -> Answer:
        """POST JSON."""
        return await self.call("POST", path, token=token, body=body)

    async def get(self, path: str, *, token: str = "") -> Answer:
        """GET JSON."""
        return await self.call("GET", path, token=token)
