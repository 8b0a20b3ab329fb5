"""Pure steps of governing: what the writer runs to change the control state.

Lives here: freezes, delegations, the active bundle, keys, credentials and checkpoints, from
committed ``State`` to a ``Result``; ``governing`` and ``administration`` alone use them. Must not
live here: tickets (``steps``), who may freeze or lend (``freezing``, ``delegation``), how the state
evolves (``control``), I/O, signing.
Law: a freeze, bundle or key that is in force already is not recorded again.
"""

from dataclasses import replace

from governance import control as ctl
from governance import delegation as lending
from governance import freezing
from governance import keys as signing_keys
from governance.audit import GENESIS
from governance.delegation import Delegation, DelegationPolicy, Wish
from governance.errors import Code, Refused, Unavailable
from governance.ports import Result, State
from governance.principal import Credential, Person, PersonId, TenantId
from governance.segments import SegmentSealed, follows
from governance.sentences import Sentence


def freeze(
    state: State, *, tenant: TenantId, target: str, person: Person, reason: str
) -> Result[bool]:
    """Stop an agent, or all; False: it was stopped already."""
    events = freezing.freeze(
        state.control, tenant=tenant, target=target, person=person, reason=reason
    )
    return Result(reply=bool(events), events=events)


def unfreeze(state: State, *, tenant: TenantId, target: str, person: Person) -> Result[bool]:
    """Ask for, or agree to, lifting a freeze; True: it is lifted."""
    events = freezing.unfreeze(state.control, tenant=tenant, target=target, person=person)
    lifted = any(isinstance(event, ctl.AgentUnfrozen) for event in events)
    return Result(reply=lifted, events=events)


def grant(
    state: State,
    wish: Wish,
    *,
    delegation_id: str,
    delegator: Person,
    delegate: Person,
    policy: DelegationPolicy,
    snapshot: str,
) -> Result[Delegation]:
    """Lend a voice, as the active bundle allows."""
    if snapshot != state.control.snapshot:
        message = Sentence("this process's bundle is not the active one; try again")
        return Result(reply=Unavailable(Code.SNAPSHOT_CHANGED, message))
    event = lending.grant(
        state.control.delegations,
        wish,
        delegation_id=delegation_id,
        delegator=delegator,
        delegate=delegate,
        policy=policy,
        at=state.at,
    )
    after = lending.evolve_delegations(state.control.delegations, event, state.at)
    return Result(reply=after[delegation_id], events=(event,))


def end_delegation(state: State, *, delegation_id: str, person: PersonId) -> Result[Delegation]:
    """Take a voice back, or give it back."""
    known = state.control.delegations
    event = lending.revoke(known, delegation_id, person=person, at=state.at)
    return Result(reply=known[delegation_id], events=(event,))


def activate(
    state: State,
    *,
    event: ctl.BundleActivated,
    source: bytes,
    only_first: bool,
) -> Result[bool]:
    """Make a bundle the active one; ``only_first``: only when none ever was."""
    control = state.control
    kept = control.activation
    # The same bundle once more says who vouches for it now, and where its bytes lie, which an
    # earlier version did not keep.
    is_kept = kept is not None and (not event.key_id or kept.key_id == event.key_id)
    if (is_kept and control.snapshot == event.snapshot) or (only_first and control.snapshot):
        return Result(reply=False)
    return Result(reply=True, events=(event,), contents={event.content_digest: source})


def register_keys(state: State, tenant: TenantId, keys: tuple[ctl.PublicKey, ...]) -> Result[int]:
    """Put the keys of purposes that have no active one into the log."""
    events = signing_keys.register(state.control, tenant=tenant, held=keys, at=state.at)
    return Result(reply=len(events), events=events)


def rotate_key(state: State, event: ctl.KeyRotated) -> Result[ctl.PublicKey]:
    """Let another key sign from here on."""
    rotated = signing_keys.rotate(state.control, event, at=state.at)
    return Result(reply=rotated.key, events=(rotated,))


def revoke_key(
    state: State, *, tenant: TenantId, actor: str, key_id: str, reason: str
) -> Result[ctl.PublicKey]:
    """End a key without a successor."""
    event = signing_keys.revoke(
        state.control, tenant=tenant, actor=actor, key_id=key_id, reason=reason
    )
    return Result(reply=state.control.keys[key_id], events=(event,))


def issue(state: State, *, credential: Credential, actor: str) -> Result[Credential]:
    """Record a new credential."""
    stamped = replace(credential, issued_at=state.at)
    event = ctl.CredentialIssued(tenant=credential.tenant, actor=actor, credential=stamped)
    return Result(reply=stamped, events=(event,))


def revoke(*, tenant: TenantId, actor: str, credential_id: str) -> Result[None]:
    """Record that a credential no longer works."""
    event = ctl.CredentialRevoked(tenant=tenant, actor=actor, credential_id=credential_id)
    return Result(reply=None, events=(event,))


def sign_off(state: State, event: ctl.CheckpointSigned) -> Result[None]:
    """Record a signed checkpoint, unless its key has ended meanwhile."""
    void = signing_keys.check_active(state.control, event.key_id, "checkpoint")
    if void is not None:
        return Result(reply=void)
    return Result(reply=None, events=(event,))


def seal(state: State, event: SegmentSealed) -> Result[None]:
    """Record a sealed segment, unless its key has ended or another one was sealed meanwhile.

    Raises:
        Refused: ``wrong_state``: it does not continue the newest seal.
    """
    void = signing_keys.check_active(state.control, event.key_id, "checkpoint")
    if void is not None:
        return Result(reply=void)
    if not follows(state.control.sealed, event, genesis=GENESIS):
        last = state.control.sealed.last if state.control.sealed else 0
        raise Refused(
            Code.WRONG_STATE, f"a segment from {event.first} does not continue the seal of {last}"
        )
    return Result(reply=None, events=(event,))
