"""What operators and the clock do to the governing state.

Lives here: activating a bundle, signing keys, credentials, checkpoints. Must not live here:
tickets (``service``). Law: the active bundle, every key and every credential is a fact of the
log before it has any effect.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from governance import control as ctl
from governance import control_steps, detaching
from governance.checkpoint_notes import checkpoint_body, note_key_hash, note_signature, signed_note
from governance.digests import content_digest
from governance.errors import Code, InvalidInput, Refused
from governance.policy.model import Bundle
from governance.ports import Clock, Keys, Ledger, Reader, Result, Signer, State
from governance.principal import BREAK_GLASS, Credential, TenantId
from governance.segments import (
    Segment,
    SegmentDetached,
    SegmentSealed,
    detach_message,
    file_of,
    seal_message,
)

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

    async def register_keys(self, held: Sequence[ctl.PublicKey] | None = None) -> int:
        """Put keys of purposes without an active one into the log; how many.

        ``held`` are the signer's where it is not given.

        Raises:
            Unavailable: ``not_ready``: the signer lacks a key that the log says is active.
        """
        keys = tuple(self._signer.public_keys() if held is None else held)
        step = partial(control_steps.register_keys, tenant=self._tenant, keys=keys)
        return (await self._ledger.commit(Keys(), step)).reply

    async def rotate_key(self, event: ctl.KeyRotated) -> ctl.PublicKey:
        """Let ``event.key`` sign from here on; both keys have signed that.

        Raises:
            Refused: ``wrong_state``: another key is active, or one of the two did not sign.
        """
        step = partial(control_steps.rotate_key, event=event)
        return (await self._ledger.commit(Keys(), step)).reply

    async def revoke_key(self, key_id: str, *, actor: str, reason: str) -> ctl.PublicKey:
        """Void whatever a key signs from here on.

        Raises:
            InvalidInput: ``invalid_field``: the reason.
            Refused: ``not_found``, or ``wrong_state``: it has ended already.
        """
        step = partial(
            control_steps.revoke_key, tenant=self._tenant, actor=actor, key_id=key_id, reason=reason
        )
        return (await self._ledger.commit(Keys(), step)).reply

    async def issue(self, credential: Credential, *, actor: str) -> Credential:
        """Record a credential; its secret stays with whoever made it.

        Raises:
            InvalidInput: ``invalid_field``: its agent has the name that is kept for people.
        """
        if credential.agent is not None and credential.agent.id == BREAK_GLASS:
            message = f"the name {BREAK_GLASS} is kept for people who ask for an emergency"
            raise InvalidInput(Code.INVALID_FIELD, message, pointer="/agent")
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
        pems = {key.id: key.pem for key in self._signer.public_keys()}
        note = signed_note(
            body,
            key_name=origin,
            key_hash=note_key_hash(pems[made.key_id]),
            signature=note_signature(base64.b64decode(made.value)),
        )
        event = ctl.CheckpointSigned(
            tenant=self._tenant, size=tree.size, head=tree.head, note=note, key_id=made.key_id
        )

        def step(state: State) -> Result[None]:
            return control_steps.sign_off(state, event)

        await self._ledger.commit(Keys(), step)
        return note

    async def seal(self, segment: Segment, *, actor: str, origin: str) -> SegmentSealed:
        """Sign for a segment that lies in its file, and record that.

        Raises:
            Refused: ``wrong_state``: another one was sealed meanwhile.
            Unavailable: the key or the log cannot be used now.
        """
        message = seal_message(tenant=self._tenant, origin=origin, segment=segment)
        made = await self._signer.sign(CHECKPOINT, message)
        event = SegmentSealed(
            tenant=self._tenant,
            actor=actor,
            origin=origin,
            first=segment.first,
            last=segment.last,
            previous=segment.previous,
            head=segment.head,
            root=segment.root,
            events=segment.events,
            file_digest=segment.file_digest,
            state_digest=segment.state_digest,
            keep_until=segment.keep_until,
            key_id=made.key_id,
            signature=made.value,
        )

        def step(state: State) -> Result[None]:
            return control_steps.seal(state, event)

        await self._ledger.commit(Keys(), step)
        return event

    async def detach(
        self, seals: Mapping[int, SegmentSealed], *, actor: str
    ) -> Sequence[SegmentDetached]:
        """Have the segments of these seals leave the database, and record that: all or none.

        ``seals``: by the number of their records.

        Raises:
            Refused: ``wrong_state`` or ``held``: something still needs them; see
                ``governance.detaching``.
            Unavailable: the key or the log cannot be used now.
        """
        events = []
        for event in _departures(seals, actor):
            made = await self._signer.sign(CHECKPOINT, detach_message(event))
            events.append(replace(event, key_id=made.key_id, signature=made.value))
        step = partial(detaching.detach, events=events)
        await self._ledger.commit(Keys(seals=tuple(seals)), step)
        return events

    async def look_at(self, seals: Mapping[int, SegmentSealed]) -> None:
        """Whether ``detach`` would refuse these now; nothing is signed or recorded.

        Raises:
            Refused: as ``detach``.
            Unavailable: the log cannot be used now.
        """
        step = partial(detaching.look, events=_departures(seals, ""))
        await self._ledger.commit(Keys(seals=tuple(seals)), step)


def _departures(seals: Mapping[int, SegmentSealed], actor: str) -> list[SegmentDetached]:
    """What is to be signed for each of these, oldest first."""
    return [
        SegmentDetached(
            tenant=seal.tenant,
            actor=actor,
            origin=seal.origin,
            seal=seq,
            first=seal.first,
            last=seal.last,
            head=seal.head,
            events=seal.events,
            file=file_of(seal.first, seal.last),
            file_digest=seal.file_digest,
            state_digest=seal.state_digest,
            key_id="",
            signature="",
        )
        for seq, seal in sorted(seals.items())
    ]
