"""Key stores that are gone, sealed, silent, lying or opened with the wrong secret."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pkcs11
import pytest
from aiohttp import web
from pkcs11 import Attribute, ObjectClass

from bot.signing.kms import MESSAGE_BYTES, KmsStore
from bot.signing.pkcs11 import Pkcs11Store
from bot.signing.signer import signed_by
from bot.signing.transit import TransitStore
from governance.control import PublicKey
from governance.errors import Code, Unavailable
from tests.integration.signing.conftest import fake_credentials
from tests.support import servers
from tests.support.build import T0

VOTE = "vote:operator"
SECRET = "s.a-token-that-nobody-may-see"


def refused(caught: pytest.ExceptionInfo[Unavailable], *says: str) -> None:
    """It cannot be used now, and the sentence names what is wrong."""
    assert caught.value.code is Code.NOT_READY
    for part in says:
        assert part in caught.value.message
    assert SECRET not in repr(caught.value)


# PKCS#11


def token_store(at: servers.Token, **changes: object) -> Pkcs11Store:
    base: dict[str, object] = {
        "module": at.module,
        "token": at.label,
        "prefix": "failing",
        "pin": at.pin,
    }
    return Pkcs11Store(**{**base, **changes})  # type: ignore[arg-type]


async def test_a_private_key_in_a_token_is_sensitive_and_cannot_be_taken_out(
    softhsm: servers.Token,
):
    store = token_store(softhsm, prefix="kept")
    key = await store.create(VOTE)

    def look(session: pkcs11.Session) -> None:
        private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=store._ids[key.id])
        assert private[Attribute.SENSITIVE] is True
        assert private[Attribute.EXTRACTABLE] is False
        with pytest.raises(pkcs11.AttributeSensitive):
            private[Attribute.VALUE]

    await store._in_token(look)
    assert await store.retire(key)
    assert await store.keys(VOTE) == (), "a public key that is left is no key to sign with"
    with pytest.raises(Unavailable):
        await store.sign(key, b"m")
    await store.close()


async def test_a_wrong_pin_a_missing_token_and_a_missing_module_are_told(
    softhsm: servers.Token, tmp_path: Path
):
    cases = (
        ({"pin": SECRET}, ("placet-test", "PinIncorrect")),
        ({"token": "another"}, ("no token another", "softhsm2-util --init-token")),
        ({"module": tmp_path / "none.so"}, ("none.so", "is it installed?")),
    )
    for changes, says in cases:
        store = token_store(softhsm, **changes)
        with pytest.raises(Unavailable) as caught:
            await store.keys(VOTE)
        refused(caught, *says)
        await store.close()


async def test_many_signatures_at_once_do_not_disturb_each_other(softhsm: servers.Token):
    store = token_store(softhsm, prefix="busy")
    key = await store.create(VOTE)
    messages = [bytes([count]) * 9 for count in range(24)]
    made = await asyncio.gather(*(signed_by(store, key, message) for message in messages))
    assert len({item.value for item in made}) == len(messages)
    await store.close()


# Transit


async def test_a_transit_server_that_is_gone_is_told_with_its_address():
    url = f"http://127.0.0.1:{servers.free_port()}"
    store = TransitStore(server=url, mount="transit", prefix="p", token=SECRET)
    with pytest.raises(Unavailable) as caught:
        await store.keys(VOTE)
    refused(caught, url, "does not answer", "started and unsealed")
    await store.close()


async def test_a_wrong_token_and_a_missing_engine_are_told_and_the_token_never_is(
    openbao: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    for token, mount, says in (
        (SECRET, "transit", ("403", "PLACET_SIGNER_SECRET_FILE")),
        (servers.TOKEN, "absent", ("404", "enable transit")),
    ):
        store = TransitStore(server=openbao, mount=mount, prefix="p", token=token)
        with pytest.raises(Unavailable) as caught:
            await store.create(VOTE)
        refused(caught, *says)
        await store.close()
    assert SECRET not in caplog.text
    assert servers.TOKEN not in caplog.text


@asynccontextmanager
async def answering(handler: object) -> AsyncIterator[str]:
    """A server that answers everything by ``handler``."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (503, {"errors": ["Vault is sealed"]}, "unseal it"),
        (500, {"errors": ["boom"]}, "answered 500"),
        (307, {}, "answered 307"),
        (200, {"data": {"type": "ed25519", "keys": {}}}, "not of type ecdsa-p256"),
        (
            200,
            {"data": {"type": "ecdsa-p256", "keys": {"1": {"public_key": "x"}}}},
            "no public key",
        ),
        (200, {"data": {"type": "ecdsa-p256", "keys": {"1": "x"}}}, "no public key"),
        (200, [], "not of type ecdsa-p256"),
    ],
)
async def test_whatever_a_transit_server_answers_instead_of_keys_is_refused(
    status: int, body: object, says: str
):
    async def handler(_: web.Request) -> web.Response:
        headers = {"Location": "http://127.0.0.1:1/"} if status == 307 else {}
        return web.Response(status=status, text=json.dumps(body), headers=headers)

    async with answering(handler) as url:
        store = TransitStore(server=url, mount="transit", prefix="p", token=SECRET)
        with pytest.raises(Unavailable) as caught:
            await store.keys(VOTE)
        refused(caught, says)
        await store.close()


async def test_a_transit_server_that_says_nothing_is_given_up_in_time():
    held = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    async with answering(handler) as url:
        store = TransitStore(server=url, mount="t", prefix="p", token=SECRET, timeout_s=0.2)
        with pytest.raises(Unavailable) as caught:
            await store.keys(VOTE)
        refused(caught, "does not answer (TimeoutError)")
        held.set()
        await store.close()


@pytest.mark.parametrize(
    "signature", ["vault:v1:AAAA", "vault:v1:%%", None, "", "vault:v1:" + "AA" * 43]
)
async def test_a_signature_that_does_not_verify_is_never_handed_on(
    openbao: str, signature: str | None
):
    real = TransitStore(server=openbao, mount="transit", prefix="lying", token=servers.TOKEN)
    key = (await real.keys(VOTE) or (await real.create(VOTE),))[0]

    async def handler(asked: web.Request) -> web.Response:
        if asked.method == "GET":
            data = {"type": "ecdsa-p256", "keys": {"1": {"public_key": key.pem}}}
            return web.json_response({"data": data})
        assert (await asked.json())["key_version"] == 1
        return web.json_response({"data": {"signature": signature}})

    async with answering(handler) as url:
        liar = TransitStore(server=url, mount="transit", prefix="lying", token=SECRET)
        with pytest.raises(Unavailable) as caught:
            await signed_by(liar, key, b"message")
        refused(caught, "signature")
        await liar.close()
    await real.close()


async def test_a_key_that_somebody_rotated_in_the_engine_signs_as_the_log_knows_it(openbao: str):
    store = TransitStore(server=openbao, mount="transit", prefix="apart", token=servers.TOKEN)
    first = await store.create(VOTE)
    await store.create(VOTE)  # as a foreign rotation would
    assert (await signed_by(store, first, b"m")).key_id == first.id
    await store.close()


# KMS


async def test_a_kms_that_is_gone_or_refuses_is_told(monkeypatch: pytest.MonkeyPatch, moto: str):
    fake_credentials(monkeypatch)
    url = f"http://127.0.0.1:{servers.free_port()}"
    gone = KmsStore(prefix="p", region="eu-central-1", endpoint=url, timeout_s=0.5)
    with pytest.raises(Unavailable) as caught:
        await gone.keys(VOTE)
    refused(caught, url, "does not answer")
    await gone.close()
    store = KmsStore(prefix="gone", region="eu-central-1", endpoint=moto)
    key = await store.create(VOTE)
    store._aliases[key.id] = "alias/gone/elsewhere"
    with pytest.raises(Unavailable) as caught:
        await store.sign(key, b"m")
    refused(caught, "answered NotFoundException")
    await store.close()


async def test_a_kms_without_a_region_is_told(monkeypatch: pytest.MonkeyPatch):
    fake_credentials(monkeypatch)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    store = KmsStore(prefix="p", region="", endpoint="")
    with pytest.raises(Unavailable) as caught:
        await store.keys(VOTE)
    refused(caught, "region")
    await store.close()


async def test_a_message_that_kms_would_not_hash_is_refused_before_it_is_sent():
    store = KmsStore(prefix="p", region="eu-central-1", endpoint="http://127.0.0.1:1")
    key = PublicKey(id="k", purpose=VOTE, pem="", valid_from=T0)
    with pytest.raises(Unavailable, match="4097 bytes are too many"):
        await store.sign(key, bytes(MESSAGE_BYTES + 1))
