"""A receipt of one's own vote: from Details into one's own messages, as a file.

Lives here: which event it is of, and sending it. Must not live here: how a receipt is made
(``bot.receipts``), how its button looks (``buttons``). Law: a button's value names a ticket and
nothing more: whoever presses gets their own newest vote on it, where they may read it and have
cast one, and nobody else is sent anything. No decision rests on a receipt, and the log says nothing
of it.
"""

from dataclasses import dataclass

from bot.receipts import encoded, receipt_of
from bot.slack.desk import Desk
from bot.slack.kit import modals
from bot.slack.kit.blocks import Block, line, ours, preformatted, rich, run, section, with_ids
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, words
from bot.slack.payloads import Click, ShownForm, person_of, read_shown
from bot.slack.readers import check_reader
from bot.slack.said import Said, refusal_text, say_blocks
from bot.slack.sending.client import CallFailedError
from bot.slack.sending.uploads import Uploads
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.ports import Logged
from governance.principal import Person, PersonId, actor_person
from governance.sentences import Sentence
from governance.tickets.ticket import Ticket
from governance.transparency import Transparency

TITLE = N_("Receipt of my vote")
PREPARING = N_("Preparing the file\u2026")
SENT = N_("The receipt is in your messages with this app.")
NOT_SENT = N_("The receipt could not be sent. Please try again.")
NO_VOTE_OF_YOURS = Sentence("you have cast no vote on this ticket")
NO_PROOFS = Sentence("this process gives no proofs")
COMMAND = "placet receipt verify {name} --key keys.json"
"""What is typed to verify it, the same in every language."""
_VOTE = "VoteCast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """The listener of the button; without ``proofs`` it is offered to nobody."""

    desk: Desk
    proofs: Transparency | None = None

    async def has_voted(self, ticket: Ticket, person_id: PersonId) -> bool:
        """Whether this person may have a receipt: they have cast a vote, on any revision.

        Raises:
            PlacetError: the person or the log could not be asked.
        """
        if self.proofs is None:
            return False
        person = await self.desk.service.person(person_id)
        try:
            return await self._vote(ticket, person) is not None
        except Refused as error:
            if error.code is not Code.DETACHED:
                raise
            return False  # its events have left the database; Details can be read all the same

    async def send(self, click: Click) -> Said | None:
        """Send the receipt to the person who asks; a modal over Details says what came of it."""
        form, person = read_shown(click.action.value), person_of(click.user, click.team)
        view_id, _ = await self.desk.push_view(click.trigger_id, _notice(gettext(PREPARING)))
        try:
            await self._send(form, person, click.user.id)
            view = _notice(gettext(SENT))
        except PlacetError as error:
            view = _notice(refusal_text(error), code=error.code.value)
        except CallFailedError:
            view = _notice(gettext(NOT_SENT), code="not_sent")
        await self.desk.update_view(view_id, view)
        return None

    async def _send(self, form: ShownForm, person_id: PersonId, user: str) -> None:
        """Find the vote, make its receipt and upload it into the person's own messages.

        Which revision was shown does not matter: what was logged is the same on each.

        Raises:
            Refused: ``forbidden``: they may not read the ticket, or have cast no vote on it.
            Unavailable: ``not_checkpointed``: no checkpoint covers the vote yet.
            CallFailedError: Slack did not take it.
        """
        if self.proofs is None:
            raise Unavailable(Code.NOT_READY, NO_PROOFS)
        reader = await self.desk.service.person(person_id)
        ticket = await self.desk.service.ticket(form.shown.ticket_id)
        await check_reader(self.desk.service, reader, ticket)
        vote = await self._vote(ticket, reader)
        if vote is None:
            raise Refused(Code.FORBIDDEN, NO_VOTE_OF_YOURS)
        receipt = await receipt_of([vote], proofs=self.proofs, reader=self.desk.reader)
        name = f"receipt-{vote.seq}.json"
        uploads = Uploads(self.desk.client)
        channel = await uploads.direct_channel(user)
        await uploads.send(channel, name=name, title=name, content=encoded(receipt))
        await self.desk.publisher.tell(channel, message(ticket, vote.seq, name))

    async def _vote(self, ticket: Ticket, person: Person) -> Logged | None:
        """The newest vote that this person cast on the ticket, withdrawn since or not."""
        own = {actor_person(name) for name in person.names}
        history = await self.desk.reader.history(ticket.id)
        cast = (one for one in reversed(history) if one.type == _VOTE)
        return next((one for one in cast if one.header.actor in own), None)


def message(ticket: Ticket, seq: int, name: str) -> Said:
    """What stands below the file: what it is of, and how anybody verifies it."""
    lead = gettext(
        "Receipt of your vote on ticket {ticket}: event {seq} of the log.",
        ticket=words(ticket.id, 60),
        seq=seq,
    )
    how = gettext(
        "Verify it offline, against keys that you kept (or --checkpoint and a file with the "
        "checkpoints of the audit channel):"
    )
    command = Inert(COMMAND.format(name=name))
    said = [*line(run(Inert(lead), bold=True)), *line(run(ours(how)))]
    blocks = with_ids([rich(section(said), preformatted(command))], "placet.receipt")
    return say_blocks(Inert(lead), blocks)


def _notice(text: str, *, code: str = "") -> Block:
    return modals.notice(Inert(text), title=gettext(TITLE), code=code)
