"""Keys in AWS KMS.

Lives here: one client of KMS. Must not live here: credentials (AWS's own chain finds them), and
which key is active (the log says so). Law: a key never leaves KMS; a service that is gone or says
no is ``not_ready``, never a signature.
Source: AWS KMS API, ``Sign`` with ECDSA_SHA_256 on an ECC_NIST_P256 key; it answers DER.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.serialization import load_der_public_key

from bot.signing.signer import not_ready, public_key_of, raw_of, stem
from governance.control import PublicKey

T = TypeVar("T")
TIMEOUT_S = 5.0
MESSAGE_BYTES = 4096
"""The longest message that KMS hashes itself; whatever is signed here is far shorter."""


class KmsStore:
    """``KeyStore``: aliases ``alias/PREFIX/PURPOSE/N``, one number more for each rotation."""

    makes_keys = False

    def __init__(
        self, *, prefix: str, region: str, endpoint: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.place = f"AWS KMS ({endpoint or region or 'the default region'})"
        self._prefix = prefix
        self._region = region
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._aliases: dict[str, str] = {}

    async def keys(self, purpose: str) -> Sequence[PublicKey]:
        """See ``bot.signing.signer.KeyStore``; so are the other methods."""
        numbers = await self._asked(lambda client: self._numbers(client, purpose))
        return tuple([await self._public(purpose, number) for number in numbers])

    async def create(self, purpose: str) -> PublicKey:
        async def work(client: Any) -> int:  # noqa: ANN401  # the client has no types
            numbers = await self._numbers(client, purpose)
            number = numbers[-1] + 1 if numbers else 1
            made = await client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
            target = made["KeyMetadata"]["KeyId"]
            await client.create_alias(AliasName=self._alias(purpose, number), TargetKeyId=target)
            return number

        return await self._public(purpose, await self._asked(work))

    async def sign(self, key: PublicKey, message: bytes) -> bytes:
        if len(message) > MESSAGE_BYTES:
            raise not_ready(f"{len(message)} bytes are too many to sign in {self.place}")
        if key.id not in self._aliases:
            await self.keys(key.purpose)
        alias = self._aliases.get(key.id)
        if alias is None:
            raise not_ready(f"{key.id} is not in {self.place}")
        answer = await self._asked(
            lambda client: client.sign(
                KeyId=alias,
                Message=message,
                MessageType="RAW",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        )
        try:
            return raw_of(answer["Signature"])
        except (KeyError, ValueError) as error:
            raise not_ready(f"{self.place} answered with no ES256 signature") from error

    async def retire(self, key: PublicKey) -> str:
        alias = self._aliases.get(key.id, key.id)
        return f"{alias} stays in {self.place}: disable its key there, and delete it when you like"

    async def close(self) -> None:
        self._client = None
        await self._stack.aclose()

    def _alias(self, purpose: str, number: int) -> str:
        return f"alias/{self._prefix}/{stem(purpose)}/{number}"

    async def _numbers(self, client: Any, purpose: str) -> list[int]:  # noqa: ANN401
        start = self._alias(purpose, 0)[:-1]
        found: list[int] = []
        async for page in client.get_paginator("list_aliases").paginate():
            for entry in page["Aliases"]:
                name = str(entry["AliasName"])
                last = name.removeprefix(start)
                if name.startswith(start) and last.isdecimal() and last.isascii():
                    found.append(int(last))
        return sorted(found)

    async def _public(self, purpose: str, number: int) -> PublicKey:
        alias = self._alias(purpose, number)
        answer = await self._asked(lambda client: client.get_public_key(KeyId=alias))
        try:
            loaded = load_der_public_key(answer["PublicKey"])
        except (KeyError, ValueError) as error:
            raise not_ready(f"{alias} in {self.place} is no public key") from error
        key = public_key_of(purpose, loaded, where=f"{alias} in {self.place}")
        self._aliases[key.id] = alias
        return key

    async def _asked(self, work: Callable[[Any], Awaitable[T]]) -> T:
        try:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._new_client())
            return await work(self._client)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "an error")
            raise not_ready(f"{self.place} answered {code}") from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise not_ready(
                f"{self.place} does not answer ({type(error).__name__}); are region, credentials "
                "and network right?"
            ) from error

    def _new_client(self) -> Any:  # noqa: ANN401
        config = AioConfig(
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"total_max_attempts": 2, "mode": "standard"},
        )
        return get_session().create_client(
            "kms",
            region_name=self._region or None,
            endpoint_url=self._endpoint or None,
            config=config,
        )
