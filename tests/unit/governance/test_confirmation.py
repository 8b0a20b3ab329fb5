"""Who still stands behind a ticket, and who never did: one human, whichever id they used."""

from dataclasses import dataclass, field, replace

import pytest

from governance import ballots, confirmation
from governance.errors import Code, Refused, Unavailable
from governance.principal import Person, PersonId
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, FullView, Ticket
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, FixedClock
from tests.support.core import (
    OPERATOR,
    REQUESTER,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    approved,
    ballot,
    born,
    code,
    decide,
)

OTHER_ID = PersonId("slack:E1/WOTHER")
DEAD = "role operator: user group S1 could not be asked (ratelimited)"


@dataclass
class People(FakeDirectory):
    """People of whom some have a second id, or could not be asked about whole."""

    also: dict[PersonId, frozenset[PersonId]] = field(default_factory=dict)
    unasked: dict[PersonId, str] = field(default_factory=dict)
    fresh: list[PersonId] = field(default_factory=list)

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """As the directory beneath says, with what is known besides."""
        if is_fresh:
            self.fresh.append(person_id)
        found = await super().person(person_id)
        return replace(
            found,
            also=self.also.get(person_id, frozenset()),
            unasked=self.unasked.get(person_id, ""),
        )


async def standing(ticket: Ticket, people: People) -> set[PersonId]:
    return set((await confirmation.asked(ticket, people)).standing)


async def test_everybody_on_whom_it_rests_is_asked_for_anew() -> None:
    people, ticket = People(), approved()
    assert await standing(ticket, people) == {vote.person for vote in ticket.votes}
    assert set(people.fresh) == {vote.person for vote in ticket.votes} | ticket.ask.excluded


async def test_a_voter_who_turns_out_to_be_whoever_asked_stands_for_nothing() -> None:
    ticket = approved()
    people = People(also={OWNER: frozenset({ANNA})})
    people.people[OWNER] = frozenset()
    assert ANNA not in await standing(ticket, people)
    people = People(also={ANNA: frozenset({OTHER_ID}), OWNER: frozenset({OTHER_ID})})
    people.people[OWNER] = frozenset()
    assert ANNA not in await standing(ticket, people)


async def test_the_human_for_whom_it_is_asked_may_still_have_said_no() -> None:
    ticket = approved()
    first, *others = ticket.votes
    against = replace(ticket, votes=(replace(first, choice=Choice.REJECT), *others))
    people = People(also={first.person: frozenset({REQUESTER}), REQUESTER: frozenset()})
    people.people[REQUESTER] = frozenset()
    assert first.person in await standing(against, people)
    assert first.person not in await standing(ticket, people)


async def test_two_votes_of_one_human_stand_once() -> None:
    ticket = approved()
    people = People(also={BEN: frozenset({ANNA}), ANNA: frozenset({BEN})})
    assert len(ticket.votes) == 2
    assert len(await standing(ticket, people)) == 1


async def test_a_role_that_could_not_be_asked_for_is_neither_confirmed_nor_lost() -> None:
    ticket = approved()
    people = People(unasked={ANNA: DEAD})
    assert ANNA in await standing(ticket, people)  # she holds her vote's role anyway
    people.people[ANNA] = frozenset({"visitor"})
    with pytest.raises(Unavailable, match="S1 could not be asked") as failure:
        await confirmation.asked(ticket, people)
    assert failure.value.code is Code.IDENTITY_UNAVAILABLE


async def _signed(people: People, **changes: object) -> Code | None:
    ticket = born()
    cast = Ballot(
        tenant=TENANT, ticket_id=ticket.id, person_id=ANNA, choice=Choice.APPROVE, **changes
    )
    person = await people.person(ANNA)
    try:
        await ballots.signed(
            cast,
            ticket,
            person,
            directory=people,
            signer=FakeSigner(),
            ids=CountingIds(),
            clock=FixedClock(),
        )
    except (Refused, Unavailable) as error:
        return error.code
    return None


async def test_a_vote_whose_role_could_not_be_asked_for_is_not_called_one_of_the_wrong_role() -> (
    None
):
    people = People(unasked={ANNA: DEAD})
    assert await _signed(people) is None
    assert await _signed(people, role="security-admin") is Code.IDENTITY_UNAVAILABLE
    people.people[ANNA] = frozenset()
    assert await _signed(people) is Code.IDENTITY_UNAVAILABLE
    people.unasked.clear()
    assert await _signed(people) is None  # the lifecycle says that it is the wrong role


def test_whoever_asked_is_known_by_every_id() -> None:
    ticket = born()
    owner = next(iter(ticket.ask.owners))
    cast = ballot(ticket)
    assert code(decide(ticket, cast)) is None
    hidden = replace(cast, person=replace(cast.person, also=frozenset({owner})))
    assert code(decide(ticket, hidden)) is Code.SELF_APPROVAL_DENIED
    in_anothers_name = replace(
        hidden,
        delegator=BEN,
        delegation="d-1",
        lent=frozenset({OPERATOR}),
        lent_names=frozenset({BEN}),
    )
    assert code(decide(ticket, in_anothers_name)) is Code.SELF_APPROVAL_DENIED


def test_whoever_saw_all_of_it_saw_it_by_every_id() -> None:
    plain = born()
    cut = replace(plain, ask=replace(plain.ask, needs_full_view=True))
    seen = replace(cut, full_views=(FullView(person=OTHER_ID, revision=cut.revision),))
    cast = ballot(seen)
    assert code(decide(seen, cast)) is Code.FULL_VIEW_REQUIRED
    same = replace(cast, person=replace(cast.person, also=frozenset({OTHER_ID})))
    assert code(decide(seen, same)) is None


def test_the_names_of_a_person_are_their_id_and_the_others() -> None:
    one = Person(id=ANNA, tenant=TENANT, roles=frozenset({OPERATOR}), resolved_at=T0)
    assert one.names == {ANNA}
    assert replace(one, also=frozenset({BEN})).names == {ANNA, BEN}
