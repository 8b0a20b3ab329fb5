"""Whom a ticket is told to."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from governance.policy.decision import Effect
from governance.policy.reminders import Reminders, Step, Timing
from governance.principal import Person, PersonId
from governance.readership import Readership
from governance.tickets.ticket import Ticket
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, ask, ruling, sample_ticket, vote

EVE = PersonId("slack:T1/UEVE")
"""Somebody without a role whom the sample ticket does not concern."""
EVE_TOO = PersonId("slack:E1/UEVE")


def readership(name: PersonId = EVE, **changes: object) -> Readership:
    somebody = Person(id=name, tenant=TENANT, roles=frozenset(), resolved_at=T0)
    base = Readership(person=somebody, is_delegate=False, reminders=Reminders())
    return replace(base, **changes)  # type: ignore[arg-type]  # fields of the value


def with_role() -> Readership:
    return readership(person=replace(readership().person, roles=frozenset({"auditor"})))


def ticket(**changes: object) -> Ticket:
    return sample_ticket(votes=(vote(ANNA),), **changes)


def test_a_ticket_is_not_told_to_whom_it_does_not_concern():
    nobody = readership()
    assert not nobody.is_whole
    assert not nobody.may_read(ticket())
    assert not readership(BEN).may_read(ticket())  # only their refused attempt is on record


def test_whoever_holds_a_role_may_read_every_ticket():
    assert with_role().is_whole
    assert with_role().may_read(ticket())


def test_whom_a_voice_is_lent_to_may_read_every_ticket():
    delegate = readership(is_delegate=True)
    assert delegate.is_whole
    assert delegate.may_read(ticket())


@pytest.mark.parametrize("person", [OWNER, ANNA, BEN])
def test_whoever_answers_for_it_asked_for_it_or_voted_may_read_it_and_no_other(person: PersonId):
    concerned = readership(person)
    mine = ticket(ask=ask(on_behalf_of=BEN))
    assert concerned.may_read(mine)
    assert not concerned.is_whole
    other = sample_ticket(ask=ask(owners=(), on_behalf_of=None), votes=())
    assert not concerned.may_read(other)


def test_a_person_is_known_by_each_of_their_ids():
    person = replace(readership().person, also=frozenset({EVE_TOO}))
    assert readership(person=person).may_read(ticket(ask=ask(owners=(EVE_TOO,))))
    assert readership(person=person).may_read(sample_ticket(votes=(vote(EVE_TOO),)))


def test_whom_a_step_of_its_own_tier_names_may_read_it():
    timing = Timing(steps=(Step(after_s=60), Step(after_s=120, people=(EVE,))))
    named = readership(reminders=Reminders(tiers=MappingProxyType({"high": timing})))
    assert named.may_read(ticket())
    elsewhere = readership(reminders=Reminders(tiers=MappingProxyType({"low": timing})))
    assert not elsewhere.may_read(ticket())
    assert not named.may_read(ticket(ruling=ruling(Effect.ALLOW)))  # it has no tier
