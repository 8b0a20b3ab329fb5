"""Votes and checkpoints from each kind of key store, on one log that verifies offline."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.compose.keys import vote_purposes
from bot.signing.files import FileHeads, FileStore
from bot.signing.signer import KeyStore, StoreSigner, signed_by
from governance import control as ctl
from governance.administration import CHECKPOINT, Administration, TreeHead
from governance.control import HEAD
from governance.errors import Code, Unavailable
from governance.keys import rotation_message
from governance.policy.active import ActiveBundle
from governance.service import Service
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, TicketId, TicketState
from storage.ledger import SqlLedger
from storage.verify.verifier import Report, verify_database
from tests.support.activation import BASE, Process
from tests.support.build import ANNA, BEN, TENANT, FixedClock
from tests.support.core import CountingIds, FakeDirectory

ORIGIN = "placet.example/log"


class Rooms(Process):
    """A process whose votes a real store signs."""

    async def vote(self, ticket_id: TicketId, person: object):
        ballot = Ballot(tenant=TENANT, ticket_id=ticket_id, person_id=person, choice=Choice.APPROVE)  # type: ignore[arg-type]
        return (await self.service.vote(ballot)).ticket


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    async with SqlLedger(f"sqlite:///{tmp_path}/placet.db", FixedClock()) as opened:
        yield opened


async def process(ledger: SqlLedger, signer: StoreSigner) -> Rooms:
    """A service over ``signer``, its keys registered and its bundle active."""
    clock, active = FixedClock(), ActiveBundle(BASE)
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=signer,
        directory=FakeDirectory(),
        ids=CountingIds(),
        bundle=active,
        tenant=TENANT,
    )
    administration = Administration(
        ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=TENANT
    )
    await administration.register_keys()
    await administration.activate(BASE, actor="operator:x")
    return Rooms(
        ledger=ledger, clock=clock, active=active, service=service, administration=administration
    )


async def rotate(room: Rooms, old_store: KeyStore, new_store: KeyStore, purpose: str) -> None:
    """As the command does it."""
    old = (await room.ledger.control()).active_key(purpose)
    assert old is not None
    new = await new_store.create(purpose)
    message = rotation_message(tenant=TENANT, old_key_id=old.id, key=new)
    event = ctl.KeyRotated(
        tenant=TENANT,
        actor="operator:x",
        old_key_id=old.id,
        key=new,
        signed_by_old=(await signed_by(old_store, old, message)).value,
        signed_by_new=(await signed_by(new_store, new, message)).value,
    )
    await room.administration.rotate_key(event)


async def checkpoint(room: Rooms, ledger: SqlLedger) -> str:
    size, root, head = await ledger.tree_head()
    tree = TreeHead(size=size, root=root, head=head)
    return await room.administration.checkpoint(tree, origin=ORIGIN)


def verified(tmp_path: Path, notes: str) -> Report:
    report = verify_database(tmp_path / "placet.db", checkpoints=notes)
    assert report.problems == ()
    return report


async def test_votes_and_checkpoints_of_every_store_verify_offline_across_a_rotation(
    ledger: SqlLedger, store: KeyStore, tmp_path: Path
):
    signer = StoreSigner(store, ledger.control)
    for purpose in (CHECKPOINT, *vote_purposes(BASE)):
        await store.create(purpose)
    await signer.ensure((CHECKPOINT, *vote_purposes(BASE)))
    room = await process(ledger, signer)
    first = await room.approve(await room.ask())
    notes = await checkpoint(room, ledger)
    for purpose in (CHECKPOINT, "vote:operator"):
        await rotate(room, store, store, purpose)
    second = await room.approve(await room.ask())
    notes += "\n" + await checkpoint(room, ledger)
    assert (first.state, second.state) == (TicketState.APPROVED, TicketState.APPROVED)
    keys = [vote.key_id for ticket in (first, second) for vote in ticket.votes]
    assert len(set(keys)) == 3, "operator's key changed, the administrator's did not"
    report = verified(tmp_path, notes)
    # In the log and in the published file.
    assert (report.counts.votes, report.counts.checkpoints) == (4, 4)
    assert report.counts.unsigned == report.counts.events, "no store but files signs heads"


async def test_keys_move_from_files_to_any_store_and_the_log_verifies(
    ledger: SqlLedger, store: KeyStore, tmp_path: Path
):
    files = FileStore(tmp_path / "old")
    before = StoreSigner(files, ledger.control)
    await before.ensure((HEAD, CHECKPOINT, *vote_purposes(BASE)))
    ledger.sign_heads(FileHeads(tmp_path / "old", ORIGIN))
    room = await process(ledger, before)
    await room.approve(await room.ask())
    notes = await checkpoint(room, ledger)
    signed_to = (await ledger.head())[0]
    for purpose in (CHECKPOINT, *vote_purposes(BASE)):
        await rotate(room, files, store, purpose)
    ticket = await room.ask()
    with pytest.raises(Unavailable, match="is not in the folder") as caught:
        await room.approve(ticket)
    assert caught.value.code is Code.NOT_READY, "the old place signs nothing any more"
    after = StoreSigner(store, ledger.control)
    await after.ensure((CHECKPOINT, *vote_purposes(BASE)))
    moved = await process(ledger, after)
    await moved.approve(ticket)
    notes += "\n" + await checkpoint(moved, ledger)
    report = verified(tmp_path, notes)
    assert report.counts.events - report.counts.unsigned >= signed_to


@pytest.mark.parametrize("person", [ANNA, BEN])
async def test_a_vote_that_was_signed_before_a_rotation_and_comes_after_it_is_not_counted(
    ledger: SqlLedger, tmp_path: Path, person: str
):
    """The signer reads the log; between that and the commit somebody rotated the key."""
    store = FileStore(tmp_path / "keys")
    room: list[Rooms] = []

    class Late(StoreSigner):
        async def sign(self, purpose: str, message: bytes):
            made = await super().sign(purpose, message)
            await rotate(room[0], store, store, purpose)
            return made

    signer = Late(store, ledger.control)
    await signer.ensure((CHECKPOINT, *vote_purposes(BASE)))
    room.append(await process(ledger, signer))
    ticket = await room[0].ask()
    with pytest.raises(Unavailable) as caught:
        await room[0].vote(ticket.id, person)
    assert caught.value.code is Code.NOT_READY
    standing = await ledger.ticket(ticket.id)
    assert standing is not None
    assert standing.votes == ()
    verified(tmp_path, "")
