"""Groups of a company's directory, read over SCIM 2.0.

Lives here: one read-only client of that protocol. Must not live here: who holds which role
(``identity``). Law: a group is answered for whole or not at all; whoever is not active, or has
no one address that is theirs, is not in it; the token is in one header and in no message.
Source: RFC 7644 3.4.2 (filters), RFC 7643 4.1 and 4.2 (users, groups).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.people.directories import LookupFailedError
from governance.errors import Code, InvalidInput

TIMEOUT_S = 5.0
"""A person waits for the vote that depends on it."""
MAX_MEMBERS = 1_000
_MAX_BYTES = 1_048_576
_AT_ONCE = 8
_OK, _NOT_FOUND = 200, 404
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Form = TypeVar("Form", bound=BaseModel)


class _Open(BaseModel):
    """Directories add attributes; those that are not read are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Reference(_Open):
    value: str = Field(min_length=1, max_length=256)
    type: str = "User"


class _Group(_Open):
    display_name: str = Field(alias="displayName")
    members: list[_Reference] = Field(default=[], max_length=MAX_MEMBERS)


class _Groups(_Open):
    resources: list[_Group] = Field(default=[], alias="Resources")


class _Address(_Open):
    value: str
    primary: bool = False


class _User(_Open):
    active: bool = False
    """Absent: nobody said that the person is still there."""
    emails: list[_Address] = []


class ScimGroups:
    """``bot.people.directories.Groups`` at one base address (its last part is usually ``v2``).

    Groups within groups are not followed: name each that counts.

    Raises:
        InvalidInput: ``invalid_settings``: the address is not https (http on loopback only).
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str,
        token: str,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        parts = urlsplit(base_url)
        is_private = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in _LOOPBACK
        )
        if not is_private or not parts.hostname or parts.username or parts.query or parts.fragment:
            message = "PLACET_SCIM_URL is not https://HOST/PATH (http on loopback only)"
            raise InvalidInput(Code.INVALID_SETTINGS, message)
        self._session = session
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/scim+json"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def addresses(self, group: str) -> Sequence[str]:
        """Addresses of the active members of the one group of exactly that display name.

        Raises:
            LookupFailedError: ``no_such_group``, ``ambiguous_group``, or it did not answer.
        """
        escaped = group.replace("\\", "\\\\").replace('"', '\\"')
        found = await self._get(_Groups, "Groups", {"filter": f'displayName eq "{escaped}"'})
        # The comparison of a server may ignore case, and some ignore the filter.
        named = [one for one in found.resources if one.display_name == group]
        if len(named) != 1:
            raise LookupFailedError("ambiguous_group" if named else "no_such_group")
        people = [one.value for one in named[0].members if one.type == "User"]
        owned = await asyncio.gather(*(self._address(user_id) for user_id in people))
        return sorted({address for address in owned if address})

    async def _address(self, user_id: str) -> str:
        """A member's address in lower case; empty where the member does not count."""
        try:
            user = await self._get(_User, f"Users/{quote(user_id, safe='')}")
        except LookupFailedError as error:
            if error.code == "not_found":
                return ""
            raise
        primary = [one for one in user.emails if one.primary] or user.emails
        if not user.active or len(primary) != 1 or not primary[0].value.isascii():
            return ""
        return primary[0].value.lower()

    async def _get(
        self, form: type[Form], path: str, query: Mapping[str, str] | None = None
    ) -> Form:
        async with self._slots:
            body = await self._read(path, query or {})
        try:
            return form.model_validate(json.loads(body))
        except ValidationError as error:
            is_long = any(one["type"] == "too_long" for one in error.errors(include_input=False))
            raise LookupFailedError("group_too_large" if is_long else "not_scim") from error
        except (ValueError, RecursionError) as error:
            raise LookupFailedError("not_scim") from error

    async def _read(self, path: str, query: Mapping[str, str]) -> bytes:
        try:
            async with self._session.get(
                f"{self._base}/{path}",
                params=query,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                if answer.status == _NOT_FOUND and path.startswith("Users/"):
                    raise LookupFailedError("not_found")
                if answer.status != _OK:
                    raise LookupFailedError(f"http_{answer.status}")
                return await _whole(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LookupFailedError(type(error).__name__) from error


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        read += chunk
        if len(read) > _MAX_BYTES:
            raise LookupFailedError("answer_too_large")
    return bytes(read)
