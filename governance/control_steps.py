"""Pure steps of governing: what the writer runs to change the control state.

Lives here: freezes, the active bundle, keys, credentials and checkpoints, from committed ``State``
to a ``Result``; ``service`` and ``administration`` alone use them. Must not live here: tickets
(``steps``), who may freeze and how the state evolves (``control``), I/O, signing.
Law: a freeze, bundle or key that is in force already is not recorded again.
"""

from dataclasses import replace

from governance import control as ctl
from governance.ports import Result, State
from governance.principal import Credential, Person, TenantId


def freeze(
    state: State, *, tenant: TenantId, target: str, person: Person, reason: str
) -> Result[bool]:
    """Stop an agent, or all; False: it was stopped already."""
    events = ctl.freeze(state.control, tenant=tenant, target=target, person=person, reason=reason)
    return Result(reply=bool(events), events=events)


def unfreeze(state: State, *, tenant: TenantId, target: str, person: Person) -> Result[bool]:
    """Ask for, or agree to, lifting a freeze; True: it is lifted."""
    events = ctl.unfreeze(state.control, tenant=tenant, target=target, person=person)
    lifted = any(isinstance(event, ctl.AgentUnfrozen) for event in events)
    return Result(reply=lifted, events=events)


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
    """Put signing keys that the log does not know yet into it."""
    events = tuple(
        ctl.KeyRegistered(tenant=tenant, key=replace(key, valid_from=state.at))
        for key in keys
        if key.id not in state.control.keys
    )
    return Result(reply=len(events), events=events)


def issue(state: State, *, credential: Credential, actor: str) -> Result[Credential]:
    """Record a new credential."""
    stamped = replace(credential, issued_at=state.at)
    event = ctl.CredentialIssued(tenant=credential.tenant, actor=actor, credential=stamped)
    return Result(reply=stamped, events=(event,))


def revoke(*, tenant: TenantId, actor: str, credential_id: str) -> Result[None]:
    """Record that a credential no longer works."""
    event = ctl.CredentialRevoked(tenant=tenant, actor=actor, credential_id=credential_id)
    return Result(reply=None, events=(event,))


def sign_off(event: ctl.CheckpointSigned) -> Result[None]:
    """Record a signed checkpoint."""
    return Result(reply=None, events=(event,))
