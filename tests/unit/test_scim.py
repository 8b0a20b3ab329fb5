"""The company's directory over SCIM, against a stand-in on loopback."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.compose.people import groups_of
from bot.people.directories import LookupFailedError, NoGroups
from bot.people.scim import MAX_MEMBERS, ScimGroups
from bot.settings import Settings
from governance.errors import InvalidInput


def user(*addresses: str, active: object = True, primary: str = "") -> dict[str, Any]:
    listed = [{"value": one, **({"primary": True} if one == primary else {})} for one in addresses]
    return {"active": active, "emails": listed}


@dataclass
class Company:
    """A SCIM server's state, and what it was asked."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    answer: Callable[[], web.Response] | None = None
    url: str = ""
    session: aiohttp.ClientSession | None = None

    def group(self, name: str, *members: str, kind: str = "User") -> None:
        listed = [{"value": one, "type": kind} for one in members]
        self.groups.append({"displayName": name, "members": listed})

    def client(self, **more: Any) -> ScimGroups:
        assert self.session is not None
        return ScimGroups(self.session, base_url=self.url, token="t0ken", **more)

    async def handle(self, request: web.Request) -> web.Response:
        query = request.query.get("filter", "")
        self.asked.append((request.path, query, request.headers.get("Authorization", "")))
        if self.answer is not None:
            return self.answer()
        if request.path.endswith("/Groups"):
            wanted = query.removeprefix("displayName eq ").strip('"').lower()
            found = [one for one in self.groups if one["displayName"].lower() == wanted]
            return web.json_response({"totalResults": len(found), "Resources": found})
        found_user = self.users.get(request.match_info["id"])
        return web.json_response(found_user, status=200 if found_user is not None else 404)


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    made = Company()
    application = web.Application()
    application.router.add_get("/scim/v2/Groups", made.handle)
    application.router.add_get("/scim/v2/Users/{id}", made.handle)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    made.url = str(server.make_url("/scim/v2"))
    async with aiohttp.ClientSession() as session:
        made.session = session
        yield made
    await server.close()


async def failure(client: ScimGroups, group: str = "Payments") -> str:
    with pytest.raises(LookupFailedError) as raised:
        await client.addresses(group)
    return raised.value.code


async def test_active_members_count_by_their_one_address(company: Company) -> None:
    company.users = {
        "1": user("Una@Example.com"),
        "2": user("ugo@example.com", "ugo@home.test", primary="ugo@example.com"),
    }
    company.group("Payments", "1", "2")
    assert await company.client().addresses("Payments") == ["ugo@example.com", "una@example.com"]
    assert company.asked[0] == (
        "/scim/v2/Groups",
        'displayName eq "Payments"',
        "Bearer t0ken",
    )


@pytest.mark.parametrize(
    "member",
    [
        user("a@b.test", active=False),
        {"emails": [{"value": "a@b.test"}]},  # nobody said that they are still there
        user(),
        user("a@b.test", "c@d.test"),  # which of the two is theirs?
        user("\u212a@b.test"),
        None,  # deleted since the group was read
    ],
)
async def test_a_member_who_is_not_certainly_there_is_not_in_the_group(
    company: Company, member: dict[str, Any] | None
) -> None:
    company.users = {"1": user("una@example.com")} | ({"2": member} if member else {})
    company.group("Payments", "1", "2")
    assert await company.client().addresses("Payments") == ["una@example.com"]


async def test_groups_within_groups_are_not_followed(company: Company) -> None:
    company.group("Payments", "g2", kind="Group")
    assert await company.client().addresses("Payments") == []
    assert len(company.asked) == 1


async def test_a_group_is_found_by_exactly_its_name(company: Company) -> None:
    company.group("PAYMENTS")
    assert await failure(company.client()) == "no_such_group"
    company.group("Payments")
    company.group("Payments")
    assert await failure(company.client()) == "ambiguous_group"


async def test_a_name_cannot_leave_its_place_in_the_filter(company: Company) -> None:
    assert await failure(company.client(), 'x" or displayName pr "\\') == "no_such_group"
    assert company.asked[0][1] == 'displayName eq "x\\" or displayName pr \\"\\\\"'


async def test_an_id_cannot_leave_its_place_in_the_path(company: Company) -> None:
    company.group("Payments", "../Groups?x")
    assert await company.client().addresses("Payments") == []
    assert company.asked[1][0] == "/scim/v2/Users/../Groups?x"  # one quoted part


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: web.Response(status=401), "http_401"),
        (lambda: web.Response(status=404), "http_404"),
        (lambda: web.Response(status=429), "http_429"),
        (lambda: web.Response(status=500), "http_500"),
        (lambda: web.Response(status=302, headers={"Location": "/scim/v2/Users/1"}), "http_302"),
        (lambda: web.Response(text="<html>"), "not_scim"),
        (lambda: web.Response(body=b"\xff\xfe{"), "not_scim"),
        (lambda: web.Response(text="[" * 20_000), "not_scim"),
        (lambda: web.json_response([]), "not_scim"),
        (lambda: web.json_response({"Resources": [{"members": []}]}), "not_scim"),
        (lambda: web.Response(text=" " * 1_100_000), "answer_too_large"),
        (
            lambda: web.json_response(
                {
                    "Resources": [
                        {
                            "displayName": "Payments",
                            "members": [{"value": str(n)} for n in range(MAX_MEMBERS + 1)],
                        }
                    ]
                }
            ),
            "group_too_large",
        ),
    ],
)
async def test_an_answer_that_is_none_is_an_error_and_never_an_empty_group(
    company: Company, answer: Callable[[], web.Response], code: str
) -> None:
    company.answer = answer
    assert await failure(company.client()) == code


async def test_one_member_who_cannot_be_asked_for_fails_the_whole_group(company: Company) -> None:
    company.users = {"1": user("una@example.com"), "2": {"active": "yes"}}
    company.group("Payments", "1", "2")
    assert await failure(company.client()) == "not_scim"


async def test_a_silent_or_absent_server_is_an_error(company: Company) -> None:
    silent = company.client(timeout_s=0.000_001)
    assert await failure(silent) in {"TimeoutError", "ConnectionTimeoutError", "ServerTimeoutError"}
    assert company.session is not None
    nobody = ScimGroups(company.session, base_url="http://127.0.0.1:1", token="t0ken")
    assert await failure(nobody) == "ClientConnectorError"


@pytest.mark.parametrize(
    "url",
    [
        "http://directory.example.com/v2",
        "ftp://127.0.0.1/v2",
        "https:///v2",
        "https://me@directory.example.com/v2",
        "https://directory.example.com/v2?x=1",
    ],
)
async def test_the_token_goes_over_no_open_network(company: Company, url: str) -> None:
    assert company.session is not None
    with pytest.raises(InvalidInput, match="PLACET_SCIM_URL"):
        ScimGroups(company.session, base_url=url, token="t0ken")


async def test_the_settings_name_the_directory_and_its_token(
    company: Company, tmp_path: Any
) -> None:
    assert company.session is not None
    assert isinstance(groups_of(Settings(), company.session), NoGroups)
    company.group("Payments")
    token = tmp_path / "token"
    token.write_text("from-a-file\n", encoding="utf-8")
    named = Settings(scim_url=company.url, scim_token_file=token)
    assert await groups_of(named, company.session).addresses("Payments") == []
    assert company.asked[-1][2] == "Bearer from-a-file"
    token.write_bytes(b"\xff")
    for bad in (
        named,
        Settings(scim_url=company.url),
        Settings(scim_url=company.url, scim_token="two\nlines"),
        Settings(scim_url=company.url, scim_token_file=tmp_path / "absent"),
    ):
        with pytest.raises(InvalidInput, match="PLACET_SCIM_") as raised:
            groups_of(bad, company.session)
        assert "two" not in json.dumps(raised.value.message)
