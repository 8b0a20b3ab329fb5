"""What operators and the clock do to the governing state.

Lives here: activating a bundle, signing keys, credentials, checkpoints. Must not live here:
tickets (``service``). Law: the active bundle, every key and every credential is a fact of the
log before it has any effect.
"""

import base64
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from governance import control as ctl
from governance import control_steps
from governance.action import content_digest
from governance.audit import checkpoint_body, signed_note
from governance.errors import Code, Refused
from governance.policy.model import Bundle
from governance.ports import Clock, Keys, Ledger, Reader, Result, Signer, State
from governance.principal import Credential, TenantId

CHECKPOINT = "checkpoint"
"""The purpose of the key that signs checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """The log at one size: RFC 6962 root over the records' bytes, and the last hash in hex."""

    size: int
    root: bytes
    head: str


class Administration:
    """The governing commands of one ledger."""

    def __init__(
        self, *, ledger: Ledger, reader: Reader, clock: Clock, signer: Signer, tenant: TenantId
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._clock = clock
        self._signer = signer
        self._tenant = tenant

    async def activate(
        self,
        bundle: Bundle,
        *,
        actor: str,
        only_first: bool = False,
        key_id: str = "",
        signature: str = "",
    ) -> bool:
        """Make ``bundle`` the active one; False: it is already, or (``only_first``) another is.

        ``key_id`` and ``signature`` were verified and are kept with it.

        Raises:
            Unavailable: ``ledger_*``.
        """
        source = bundle.to_bytes()
        event = ctl.BundleActivated(
            tenant=self._tenant,
            actor=actor,
            snapshot=bundle.snapshot,
            content_digest=content_digest(source),
            registry_digest=bundle.registry_digest,
            key_id=key_id,
            signature=signature,
        )
        step = partial(control_steps.activate, event=event, source=source, only_first=only_first)
        return (await self._ledger.commit(Keys(), step)).reply

    async def register_keys(self) -> int:
        """Put the signer's public keys into the log; how many were new."""
        keys = tuple(self._signer.public_keys())
        step = partial(control_steps.register_keys, tenant=self._tenant, keys=keys)
        return (await self._ledger.commit(Keys(), step)).reply

    async def issue(self, credential: Credential, *, actor: str) -> Credential:
        """Record a credential; its secret stays with whoever made it."""
        step = partial(control_steps.issue, credential=credential, actor=actor)
        return (await self._ledger.commit(Keys(), step)).reply

    async def revoke(self, credential_id: str, *, actor: str) -> None:
        """End a credential.

        Raises:
            Refused: ``not_found``.
        """
        if await self._reader.credential(credential_id) is None:
            raise Refused(Code.NOT_FOUND, f"no credential {credential_id}")

        def step(_state: State) -> Result[None]:
            return control_steps.revoke(
                tenant=self._tenant, actor=actor, credential_id=credential_id
            )

        await self._ledger.commit(Keys(), step)

    async def checkpoint(self, tree: TreeHead, *, origin: str) -> str:
        """Sign the log at ``tree``, record that, and answer the signed note.

        Raises:
            Unavailable: the key or the log cannot be used now.
        """
        at = self._clock.now()
        body = checkpoint_body(origin=origin, size=tree.size, root=tree.root, head=tree.head, at=at)
        made = await self._signer.sign(CHECKPOINT, body.encode("utf-8"))
        note = signed_note(
            body,
            key_name=f"{origin}+{made.key_id}",
            key_hash=sha256(made.key_id.encode()).digest()[:4],
            signature=base64.b64decode(made.value),
        )
        event = ctl.CheckpointSigned(tenant=self._tenant, size=tree.size, head=tree.head, note=note)

        def step(_state: State) -> Result[None]:
            return control_steps.sign_off(event)

        await self._ledger.commit(Keys(), step)
        return note
