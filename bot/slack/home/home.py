"""The App Home tab: what concerns me, made when I look at it and when it changes.

Lives here: opening the tab, turning its pages, and whose tab a change of the log concerns.
Must not live here: what stands on it (``inbox``, ``home.view``), when changes are looked at
(``home.keeper``). Law: the tab is made for one person from committed state; whoever may not act
here reads why; a tab that shows the same as before is not published again.
"""

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.slack.desk import Desk
from bot.slack.home import inbox
from bot.slack.home.view import Pages, Part, home_view, stranger_view
from bot.slack.kit.blocks import Block
from bot.slack.kit.language import speaking
from bot.slack.payloads import Click, HomeOpened, person_of, read
from bot.slack.said import Said, refusal_text
from bot.slack.sending.client import RateLimitedError
from governance.errors import Code, InvalidInput, Refused
from governance.principal import Person, PersonId
from governance.sentences import Sentence
from governance.tickets.ticket import Ticket

MOST_READERS = 1_000
"""People whose tab is kept up to date by this process: those who looked last."""
Troubles = Callable[[], Awaitable[Sequence[str]]]
"""What is wrong with delivery now, in sentences that say what helps."""


class _Turn(BaseModel):
    """What a button that turns pages carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    s: Part
    a: list[int | str] = Field(default_factory=list, max_length=4)


_PAGES: TypeAdapter[dict[Part, list[int | str]]] = TypeAdapter(dict[Part, list[int | str]])


@dataclass(slots=True, kw_only=True)
class Shown:
    """What somebody's tab shows, as far as this process knows."""

    user: str
    pages: dict[Part, inbox.Key] = field(default_factory=dict)
    digest: str = ""
    person: Person | None = None
    taken: tuple[inbox.Lent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The listeners of the home tab."""

    desk: Desk
    team_id: str
    troubles: Troubles | None = None
    readers: "OrderedDict[PersonId, Shown]" = field(default_factory=OrderedDict)
    late: dict[PersonId, None] = field(default_factory=dict)
    """People whose tab is to be made once Slack takes it, in their order."""

    async def opened(self, event: HomeOpened) -> None:
        """Publish the tab of whoever looks at it, from its first page on.

        Raises:
            CallFailedError, Unavailable: it stays as it was.
        """
        if event.tab != "home":
            return
        person_id = PersonId(f"slack:{self.team_id}/{event.user}")
        shown = self._reader(person_id, event.user)
        shown.pages.clear()
        shown.digest = ""
        await self._publish_now(person_id)

    async def turn(self, click: Click) -> Said | None:
        """Go on behind an entry of one list, or back to its start."""
        try:
            value: object = json.loads(click.action.value)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(Code.INVALID_FIELD, Sentence("this button turns no page")) from error
        turn = read(_Turn, value)
        person_id = person_of(click.user, click.team)
        shown = self._reader(person_id, click.user.id)
        shown.pages = _pages(click)
        if turn.a:
            shown.pages[turn.s] = tuple(turn.a)
        else:
            shown.pages.pop(turn.s, None)
        await self._publish_now(person_id)
        return None

    async def _publish_now(self, person_id: PersonId) -> None:
        """Publish one tab; where Slack wants a pause, it is made once that is over."""
        try:
            await self.publish(person_id, await self.scan())
        except RateLimitedError:
            self.late[person_id] = None

    async def scan(self) -> inbox.Scan:
        """What every tab of this moment is made of."""
        return await inbox.scan(self.desk.reader, self.desk.service.tenant)

    async def publish(self, person_id: PersonId, seen: inbox.Scan) -> bool:
        """Make one tab show what is so; False: it did already.

        Raises:
            CallFailedError, Unavailable: it stays as it was.
        """
        shown = self.readers.get(person_id)
        if shown is None:
            return False
        with speaking(await self.desk.speakers.of(shown.user)):
            view = await self._view(person_id, shown, seen)
        digest = sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()
        if digest == shown.digest:
            return False
        await self.desk.publisher.publish_home(shown.user, view)
        shown.digest = digest
        return True

    def concerned(self, tickets: Collection[Ticket]) -> set[PersonId]:
        """Whose tab any of these tickets may change."""
        return {
            person_id
            for person_id, shown in self.readers.items()
            if shown.person is None
            or any(_concerns(ticket, shown.person, shown) for ticket in tickets)
        }

    async def _view(self, person_id: PersonId, shown: Shown, seen: inbox.Scan) -> Block:
        try:
            person = await self.desk.service.person(person_id)
        except Refused as refusal:
            shown.person = None
            return stranger_view(refusal_text(refusal))
        found = await inbox.inbox_of(self.desk.service, person, seen)
        if person.roles or found.taken or found.asked:  # nobody else misses what is not delivered
            found = replace(found, troubles=tuple(await self._troubles()))
        shown.person, shown.taken = person, found.taken
        return home_view(found, _copy(shown.pages))

    async def _troubles(self) -> Sequence[str]:
        return () if self.troubles is None else await self.troubles()

    def _reader(self, person_id: PersonId, user: str) -> Shown:
        shown = self.readers.setdefault(person_id, Shown(user=user))
        self.readers.move_to_end(person_id)
        while len(self.readers) > MOST_READERS:
            self.readers.popitem(last=False)
        return shown


def _pages(click: Click) -> dict[Part, inbox.Key]:
    """Where the lists of the tab stood on which somebody clicked, whoever made it."""
    if click.view is None or not click.view.private_metadata:
        return {}
    try:
        found = _PAGES.validate_json(click.view.private_metadata)
    except ValidationError:
        return {}
    return {part: tuple(key) for part, key in found.items()}


def _copy(pages: Pages) -> Pages:
    return dict(pages)


def _concerns(ticket: Ticket, person: Person, shown: Shown) -> bool:
    requirement = ticket.ruling.requirement
    if person.names & ticket.ask.excluded or inbox.has_decided(ticket, person):
        return True
    held = person.roles.union(*(one.roles for one in shown.taken))
    if requirement is None:
        return ticket.run is not None and bool(person.roles)
    return any(item.role in held for item in requirement.roles)
