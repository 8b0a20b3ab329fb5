"""The steps that change the control state, judged on the state inside the transaction."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance import control_steps
from governance.control import Control
from governance.errors import Unavailable
from governance.ports import Result, State
from tests.support.build import AGENT, ANNA, BEN, T0, TENANT, credential, public_key
from tests.support.core import person

ACTIVE = Control(snapshot="s-1")
FROZEN = replace(ACTIVE, frozen={AGENT: ctl.Frozen(target=AGENT, by=ANNA, at=T0)})


def _state(**changes: object) -> State:
    return replace(State(at=T0, control=ACTIVE), **changes)


def _names(result: Result[object]) -> list[str]:
    return [type(event).__name__ for event in result.events]


def test_freezing_and_unfreezing_say_what_came_of_it():
    def freeze(state: State) -> Result[bool]:
        return control_steps.freeze(
            state, tenant=TENANT, target=AGENT, person=person(ANNA), reason=""
        )

    assert freeze(_state()).reply is True
    assert _names(freeze(_state())) == ["AgentFrozen"]
    frozen = _state(control=FROZEN)
    assert (freeze(frozen).reply, freeze(frozen).events) == (False, ())
    asked = control_steps.unfreeze(frozen, tenant=TENANT, target=AGENT, person=person(ANNA))
    assert (asked.reply, _names(asked)) == (False, ["UnfreezeAsked"])
    (event,) = asked.events
    waiting = replace(frozen, control=ctl.evolve(frozen.control, event, T0))  # type: ignore[arg-type]
    lifted = control_steps.unfreeze(waiting, tenant=TENANT, target=AGENT, person=person(BEN))
    assert (lifted.reply, _names(lifted)) == (True, ["AgentUnfrozen"])


def _activation(snapshot: str) -> ctl.BundleActivated:
    return ctl.BundleActivated(
        tenant=TENANT, actor="a", snapshot=snapshot, content_digest="d", registry_digest="r"
    )


@pytest.mark.parametrize(
    ("current", "new", "only_first", "happens"),
    [
        ("", "s-1", True, True),
        ("", "s-1", False, True),
        ("s-1", "s-2", False, True),
        ("s-1", "s-2", True, False),
        ("s-1", "s-1", False, False),
    ],
)
def test_a_bundle_becomes_active_once_and_its_bytes_are_kept(
    current: str, new: str, only_first: bool, happens: bool
):
    kept = ctl.Activation(content_digest="d", registry_digest="r") if current else None
    state = _state(control=Control(snapshot=current, activation=kept))
    result = control_steps.activate(
        state, event=_activation(new), source=b"x", only_first=only_first
    )
    assert result.reply is happens
    assert result.events == ((_activation(new),) if happens else ())
    assert result.contents == ({"d": b"x"} if happens else {})


def test_a_bundle_recorded_without_the_place_of_its_bytes_is_recorded_once_more():
    old = _state(control=Control(snapshot="s-1"))
    again = control_steps.activate(old, event=_activation("s-1"), source=b"x", only_first=False)
    assert (again.reply, again.contents) == (True, {"d": b"x"})
    first = control_steps.activate(old, event=_activation("s-1"), source=b"x", only_first=True)
    assert (first.reply, first.events) == (False, ())


def test_only_new_keys_are_registered_valid_from_event_time():
    old = public_key("k-1")
    new = public_key("k-2", purpose="checkpoint", valid_from=T0 - timedelta(days=1))
    state = _state(control=replace(ACTIVE, keys={"k-1": old}))
    result = control_steps.register_keys(state, TENANT, (old, new))
    assert result.reply == 1
    assert result.events == (ctl.KeyRegistered(tenant=TENANT, key=replace(new, valid_from=T0)),)


def test_a_credential_is_issued_at_event_time_and_revoked_by_id():
    later = _state(at=T0 + timedelta(seconds=3))
    issued = control_steps.issue(later, credential=credential(), actor="a")
    expected = credential(issued_at=later.at)
    assert issued.reply == expected
    assert issued.events == (ctl.CredentialIssued(tenant=TENANT, actor="a", credential=expected),)
    revoked = control_steps.revoke(tenant=TENANT, actor="a", credential_id="cred-1")
    assert revoked.events == (
        ctl.CredentialRevoked(tenant=TENANT, actor="a", credential_id="cred-1"),
    )


def test_a_signed_checkpoint_is_recorded_as_it_is_while_its_key_signs():
    event = ctl.CheckpointSigned(tenant=TENANT, size=1, head="h", note="n", key_id="k")
    known = replace(ACTIVE, keys={"k": public_key("k", purpose="checkpoint")})
    signed = control_steps.sign_off(_state(control=known), event)
    assert signed == Result(reply=None, events=(event,))
    ended = replace(known, ended={"k": ctl.KeyEnd(at=T0, reason="stolen")})
    for unknown in (ACTIVE, ended):
        void = control_steps.sign_off(_state(control=unknown), event)
        assert isinstance(void.reply, Unavailable)
        assert void.events == ()
