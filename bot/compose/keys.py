"""The signing keys of a deployment: opened for a process, and looked after by command.

Lives here: which store and purposes a process has, and ``placet keys``. Must not live here: the
rules of a key's life (``governance.keys``), texts (``bot.cli``).
Law: the log knows of a key before it signs; a rotation is in the log, signed by both keys, before
anything is taken away; broken off at any moment, it may be typed again.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.compose import policy
from bot.compose.tools import Tools, open_tools
from bot.settings import Settings
from bot.signing.files import FileHeads
from bot.signing.places import FilePlace, place_of, store_of
from bot.signing.signer import KeyStore, StoreSigner, check_held, signed_by
from governance import control as ctl
from governance.administration import CHECKPOINT
from governance.control import HEAD, Control, PublicKey
from governance.errors import Code, InvalidInput, Refused
from governance.keys import HeadSigner, rotation_message
from governance.policy.model import Bundle
from governance.ports import Reader
from governance.principal import TenantId
from storage.ledger import SqlLedger


def vote_purposes(bundle: Bundle) -> tuple[str, ...]:
    """The purposes of the keys by which the roles of ``bundle`` vote."""
    roles = {item.role for tier in bundle.tiers.values() for item in tier.roles}
    return tuple(f"vote:{role}" for role in sorted(roles))


def purposes_of(signer: str, bundle: Bundle) -> tuple[str, ...]:
    """What keys are needed for; only files sign heads, as that happens inside the transaction."""
    heads = (HEAD,) if is_file(signer) else ()
    return (*heads, CHECKPOINT, *vote_purposes(bundle))


def is_file(signer: str) -> bool:
    """Whether the keys at that place are files."""
    return not signer or signer.lower().startswith("file:")


@asynccontextmanager
async def open_signer(
    settings: Settings, reader: Reader, bundle: Bundle
) -> AsyncIterator[StoreSigner]:
    """The signer of this deployment, its keys known.

    Raises:
        InvalidInput: ``invalid_settings``.
        Unavailable: ``not_ready``: a key cannot be used, or there is none.
    """
    signer = StoreSigner(store_of(settings), reader.control)
    try:
        await signer.ensure(purposes_of(settings.signer, bundle))
        yield signer
    finally:
        await signer.close()


def heads_of(settings: Settings) -> HeadSigner | None:
    """Who signs heads inside the transaction; None: the keys are no files."""
    place = place_of(settings.signer, settings.keys)
    return FileHeads(place.folder, settings.origin) if isinstance(place, FilePlace) else None


def sign_heads(settings: Settings, ledger: SqlLedger) -> None:
    """Have the head of each batch signed inside its transaction, where the keys are files."""
    heads = heads_of(settings)
    if heads is not None:
        ledger.sign_heads(heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """One rotation; ``note`` says what became of the old private key."""

    old: PublicKey
    new: PublicKey
    note: str


class Keys:
    """What an operator does with keys; ``store`` is where they are now."""

    def __init__(self, settings: Settings, tools: Tools, store: KeyStore, bundle: Bundle) -> None:
        self._settings = settings
        self._tools = tools
        self._store = store
        self._bundle = bundle
        self._tenant = TenantId(settings.tenant)

    async def control(self) -> Control:
        """The governing state, with every key and its end."""
        return await self._tools.reader.control()

    async def init(self) -> Sequence[PublicKey]:
        """Make and register a key for each purpose that has none; those that are new.

        Raises:
            Unavailable: ``not_ready``: the store lacks a key that the log says is active.
        """
        held: list[PublicKey] = []
        for purpose in purposes_of(self._settings.signer, self._bundle):
            control = await self.control()
            mine = await self._living(purpose, control)
            active = control.active_key(purpose)
            if active is not None:
                check_held(active, mine, self._store)
            elif not [key for key in mine if key.id not in control.keys]:
                mine.append(await self._store.create(purpose))
            held += mine
        before = (await self.control()).keys
        await self._tools.administration.register_keys(held)
        after = (await self.control()).keys
        return [key for name, key in after.items() if name not in before]

    async def rotate(self, purpose: str, *, actor: str, to: str | None = None) -> Rotated:
        """Let a new key sign for ``purpose``, in the store at ``to`` where that is given.

        Raises:
            InvalidInput: ``invalid_field``: heads are signed by files only.
            Refused: ``not_found``: the purpose has no active key.
            Unavailable: ``not_ready``.
        """
        if purpose == HEAD and not is_file(self._settings.signer if to is None else to):
            raise InvalidInput(
                Code.INVALID_FIELD,
                "heads are signed by a key in a file only; revoke it when the keys move elsewhere",
                pointer="/to",
            )
        control = await self.control()
        old = control.active_key(purpose)
        if old is None:
            raise Refused(Code.NOT_FOUND, f"no key is active for {purpose}: placet keys init")
        await self._living(purpose, control)
        target = self._store if to is None else store_of(self._settings, to)
        try:
            new = await self._successor(target, old, control)
            message = rotation_message(tenant=self._tenant, old_key_id=old.id, key=new)
            event = ctl.KeyRotated(
                tenant=self._tenant,
                actor=actor,
                old_key_id=old.id,
                key=new,
                signed_by_old=(await signed_by(self._store, old, message)).value,
                signed_by_new=(await signed_by(target, new, message)).value,
            )
            await self._tools.administration.rotate_key(event)
        finally:
            if to is not None:
                await target.close()
        return Rotated(old=old, new=new, note=await self._store.retire(old))

    async def _living(self, purpose: str, control: Control) -> list[PublicKey]:
        """The keys of ``purpose`` that have not ended; what is left of others is taken away."""
        held = await self._store.keys(purpose)
        for key in held:
            if key.id in control.ended:
                await self._store.retire(key)
        return [key for key in held if key.id not in control.ended]

    async def _successor(self, store: KeyStore, old: PublicKey, control: Control) -> PublicKey:
        """A key that an earlier try left there, or a new one."""
        left = [key for key in await store.keys(old.purpose) if key.id not in control.keys]
        return left[-1] if left else await store.create(old.purpose)

    async def revoke(self, key_id: str, *, actor: str, reason: str) -> PublicKey:
        """Void whatever a key signs from here on.

        Raises:
            InvalidInput: ``invalid_field``: the reason.
            Refused: ``not_found``, or ``wrong_state``: it has ended already.
        """
        return await self._tools.administration.revoke_key(key_id, actor=actor, reason=reason)


@asynccontextmanager
async def open_keys(settings: Settings, *, create: bool = False) -> AsyncIterator[Keys]:
    """The ledger and the store of the settings; ``create`` makes a ledger where there is none.

    Raises:
        InvalidInput: ``invalid_settings`` or ``invalid_bundle``.
        Unavailable: ``ledger_unavailable`` or ``not_ready``.
    """
    store = store_of(settings)
    try:
        async with open_tools(settings, create=create) as tools:
            start = await policy.at_start(settings, tools.reader)
            yield Keys(settings, tools, store, start.bundle)
    finally:
        await store.close()
