"""Every ledger keeps votes in another's name, whichever hand a voice goes to."""

from governance.tickets import events as ev
from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import ANNA, BEN, granted
from tests.support.commits import append
from tests.support.core import DAN

AnyLedger = MemoryLedger | SqlLedger
FOR_ANNA = {"delegator": ANNA, "delegation": "d-1"}


async def test_a_delegation_is_in_the_governing_state_until_it_is_revoked(ledger: AnyLedger):
    await append(ledger, granted())
    (lent,) = (await ledger.control()).delegations.values()
    assert (lent.delegator, lent.delegate, lent.roles) == (ANNA, BEN, ("operator",))
    await append(ledger, build.samples()["DelegationRevoked"][0])
    assert (await ledger.control()).delegations == {}


async def test_a_voice_goes_from_hand_to_hand_within_one_step(ledger: AnyLedger):
    opened = build.opened("t")
    for_anna = build.cast("t", person=BEN, **FOR_ANNA)
    await append(ledger, granted(), opened)
    await append(ledger, for_anna)
    await append(
        ledger,
        build.cast("t", person=BEN),
        build.cast("t", person=DAN, **FOR_ANNA),
    )
    await append(ledger, build.on("t", ev.QuorumLost, dropped=(DAN,)), build.cast("t", person=ANNA))
    ticket = await ledger.ticket(opened.ticket_id)
    assert ticket is not None
    assert {vote.person: vote.voice for vote in ticket.votes} == {BEN: BEN, ANNA: ANNA}
