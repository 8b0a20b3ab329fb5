"""What governs every ticket: one person freezes, two unfreeze."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance import freezing
from governance.control import EVERYONE, Control, ControlEvent
from governance.errors import Code, Refused
from governance.principal import AgentId, Person
from tests.support.build import AGENT, ANNA, BEN, T0, TENANT, credential, public_key
from tests.support.core import person

NOBODY = replace(person(), roles=frozenset())


def _after(control: Control, *events: ControlEvent) -> Control:
    for event in events:
        control = ctl.evolve(control, event, T0)
    return control


def _freeze(control: Control, who: Person, target: str = AGENT) -> tuple[ControlEvent, ...]:
    return freezing.freeze(control, tenant=TENANT, target=target, person=who, reason="odd")


def _unfreeze(control: Control, who: Person, target: str = AGENT) -> tuple[ControlEvent, ...]:
    return freezing.unfreeze(control, tenant=TENANT, target=target, person=who)


def test_one_person_freezes_at_once():
    events = _freeze(Control(), person(ANNA))
    assert events == (ctl.AgentFrozen(tenant=TENANT, target=AGENT, person=ANNA, reason="odd"),)
    frozen = ctl.evolve(Control(), events[0], T0 + timedelta(seconds=1)).freeze_of(AGENT)
    assert frozen == ctl.Frozen(target=AGENT, by=ANNA, at=T0 + timedelta(seconds=1), reason="odd")


def test_a_freeze_stops_its_agent_only_and_all_stops_everyone():
    one = _after(Control(), *_freeze(Control(), person(ANNA)))
    assert one.freeze_of(AGENT)
    assert not one.freeze_of(AgentId("other"))
    everyone = _after(Control(), *_freeze(Control(), person(ANNA), EVERYONE))
    assert everyone.freeze_of(AGENT)
    assert everyone.freeze_of(AgentId("other"))


def test_freezing_twice_changes_nothing():
    frozen = _after(Control(), *_freeze(Control(), person(ANNA)))
    assert _freeze(frozen, person(BEN)) == ()


def test_who_holds_no_role_neither_freezes_nor_unfreezes():
    frozen = _after(Control(), *_freeze(Control(), person(ANNA)))
    for change in (lambda: _freeze(Control(), NOBODY), lambda: _unfreeze(frozen, NOBODY)):
        with pytest.raises(Refused) as caught:
            change()
        assert caught.value.code is Code.WRONG_ROLE


def test_two_people_unfreeze_and_one_of_them_twice_does_not():
    frozen = _after(
        Control(),
        *_freeze(Control(), person(ANNA)),
        *_freeze(Control(), person(ANNA), "other"),
    )
    asked = _unfreeze(frozen, person(ANNA))
    assert asked == (ctl.UnfreezeAsked(tenant=TENANT, target=AGENT, person=ANNA),)
    waiting = _after(frozen, *asked)
    assert waiting.freeze_of(AGENT) == replace(frozen.frozen[AGENT], unfreeze_asked_by=ANNA)
    assert _unfreeze(waiting, person(ANNA)) == ()
    agreed = _unfreeze(waiting, person(BEN))
    assert agreed == (ctl.AgentUnfrozen(tenant=TENANT, target=AGENT, person=BEN, asked_by=ANNA),)
    lifted = _after(waiting, *agreed)
    assert not lifted.freeze_of(AGENT)
    assert lifted.freeze_of(AgentId("other"))


def test_what_is_not_frozen_cannot_be_unfrozen():
    with pytest.raises(Refused) as caught:
        _unfreeze(Control(), person(ANNA))
    assert caught.value.code is Code.NOT_FOUND


def test_an_activation_names_the_bundle_that_decides():
    event = ctl.BundleActivated(
        tenant=TENANT,
        actor="system:placet",
        snapshot="s",
        content_digest="c",
        registry_digest="r",
        key_id="k",
        signature="sig",
    )
    activation = ctl.Activation(
        content_digest="c", registry_digest="r", key_id="k", signature="sig"
    )
    assert _after(Control(), event) == Control(snapshot="s", activation=activation)


def test_a_registered_key_is_known_from_then_on():
    first, second = public_key("k1"), public_key("k2")
    events = [ctl.KeyRegistered(tenant=TENANT, key=key) for key in (first, second)]
    assert _after(Control(), *events).keys == {"k1": first, "k2": second}


@pytest.mark.parametrize(
    "event",
    [
        ctl.CredentialIssued(tenant=TENANT, actor="a", credential=credential()),
        ctl.CredentialRevoked(tenant=TENANT, actor="a", credential_id="cred-1"),
        ctl.CheckpointSigned(tenant=TENANT, size=1, head="h", note="n"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_credentials_and_checkpoints_govern_nothing(event: ControlEvent):
    before = Control(snapshot="s")
    assert ctl.evolve(before, event, T0) == before


def test_all_means_all_in_any_case():
    (event,) = freezing.freeze(
        Control(), tenant=TENANT, target="ALL", person=person(ANNA, "operator"), reason=""
    )
    assert isinstance(event, ctl.AgentFrozen)
    assert event.target == EVERYONE
    frozen = ctl.evolve(Control(), event, T0)
    assert frozen.freeze_of(AGENT) is not None
    (asked,) = freezing.unfreeze(
        frozen, tenant=TENANT, target="All", person=person(ANNA, "operator")
    )
    assert isinstance(asked, ctl.UnfreezeAsked)


def test_freezing_again_takes_back_a_wish_to_unfreeze():
    control = Control()
    steps = (
        lambda now: freezing.freeze(
            now, tenant=TENANT, target=AGENT, person=person(ANNA, "operator"), reason=""
        ),
        lambda now: freezing.unfreeze(
            now, tenant=TENANT, target=AGENT, person=person(ANNA, "operator")
        ),
        lambda now: freezing.freeze(
            now, tenant=TENANT, target=AGENT, person=person(BEN, "operator"), reason="not yet"
        ),
    )
    for step in steps:
        for event in step(control):
            control = ctl.evolve(control, event, T0)
    assert control.frozen[AGENT].unfreeze_asked_by is None
    assert control.frozen[AGENT].by == BEN
