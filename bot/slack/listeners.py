"""Which listener answers which payload, and when each is acknowledged.

Lives here: the registration with Bolt and the one frame around every listener: parse, work, ack,
answer. Must not live here: the work. Law: ack after commit or after two seconds, whichever comes
first; whatever happens, the person who acted gets an answer and Bolt sees no exception.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import limits, names
from bot.slack.actions import Clicks
from bot.slack.client import CallFailedError
from bot.slack.commands import Commands
from bot.slack.desk import Desk, shielded, told
from bot.slack.home import Home
from bot.slack.payloads import Click, Command, HomeOpened, Submission, read
from bot.slack.said import Said
from bot.slack.views import FormAnswer, Views, field_error, working
from governance.errors import PlacetError
from governance.principal import PersonId

_log = logging.getLogger("placet.slack")
_Body = Mapping[str, object]
_OnClick = Callable[[Click], Awaitable[Said | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Everything that Bolt dispatches to."""

    desk: Desk
    clicks: Clicks
    views: Views
    commands: Commands
    home: Home
    team_id: str

    def on_clicks(self) -> Mapping[str, _OnClick]:
        """The listener of each action id; their keys are ``names.ACTIONS``."""
        return {
            names.APPROVE: self.views.vote_in_details,
            names.APPROVE_WITH_COMMENT: self.clicks.approve_with_comment,
            names.REJECT: self.clicks.reject,
            names.DETAILS: self.views.open_details,
            names.STOP: self.clicks.stop,
            names.TOOK_EFFECT: self.clicks.took_effect,
            names.NO_EFFECT: self.clicks.no_effect,
            names.NEXT_PAGE: self.views.turn,
            names.PREVIOUS_PAGE: self.views.turn,
        }

    def register(self, bolt: AsyncApp) -> None:
        """Tell Bolt."""
        for action_id, listener in self.on_clicks().items():
            bolt.action(action_id)(self._framed(listener))
        bolt.view(names.BALLOT_VIEW)(self._on_submission)
        bolt.command(names.COMMAND)(self._on_command)
        bolt.event("app_home_opened")(self._on_home)
        bolt.event("user_change")(self._on_user_change)
        bolt.event("subteam_members_changed")(self._on_groups)
        bolt.event("subteam_updated")(self._on_groups)

    def _framed(self, listener: _OnClick) -> Callable[[AsyncAck, _Body], Awaitable[None]]:
        async def on_click(ack: AsyncAck, body: _Body) -> None:
            task = self.desk.background.start(shielded(self._click(listener, body), told))
            await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
            await ack()
            self.desk.background.start(self._after_click(task, body))

        return on_click

    async def _click(self, listener: _OnClick, body: _Body) -> Said | None:
        return await listener(read(Click, body))

    async def _after_click(self, task: "asyncio.Task[Said | None]", body: _Body) -> None:
        said = await task
        url = body.get("response_url")
        if said is not None and isinstance(url, str):
            await self.desk.respond(url, said)
        try:
            await self.clicks.retire_orphan(read(Click, body))
        except PlacetError:
            return  # a button that is none of ours; the person was told already

    async def _on_submission(self, ack: AsyncAck, body: _Body) -> None:
        task = self.desk.background.start(shielded(self._submission(body), field_error))
        done, _ = await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
        if done:
            await ack(**task.result().to_ack())  # type: ignore[arg-type]  # Slack's own fields
            return
        await ack(response_action="update", view=working())
        self.desk.background.start(self._finish_late(task, body))

    async def _submission(self, body: _Body) -> FormAnswer:
        return await self.views.submit_ballot(read(Submission, body))

    async def _finish_late(self, task: "asyncio.Task[FormAnswer]", body: _Body) -> None:
        answer = await task
        await self.views.finish_late(read(Submission, body).view.id, answer)

    async def _on_command(self, ack: AsyncAck, body: _Body) -> None:
        task = self.desk.background.start(shielded(self._command(body), told))
        done, _ = await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
        said = task.result() if done else None
        if said is not None:
            await ack(text=said.text, blocks=list(said.blocks), response_type="ephemeral")
            return
        await ack()
        self.desk.background.start(self._command_late(task, body))

    async def _command(self, body: _Body) -> Said | None:
        return await self.commands.run(read(Command, body))

    async def _command_late(self, task: "asyncio.Task[Said | None]", body: _Body) -> None:
        said, url = await task, body.get("response_url")
        if said is not None and isinstance(url, str):
            await self.desk.respond(url, said)

    async def _on_home(self, event: _Body) -> None:
        try:
            await self.home.opened(read(HomeOpened, event))
        except (PlacetError, CallFailedError) as error:
            code = error.code if isinstance(error, PlacetError) else str(error)
            _log.warning("a home tab was not published: %s", code)

    async def _on_user_change(self, event: _Body) -> None:
        user = event.get("user")
        user_id = user.get("id") if isinstance(user, dict) else None
        if self.desk.directory is not None and isinstance(user_id, str):
            self.desk.directory.forget(PersonId(f"slack:{self.team_id}/{user_id}"))

    async def _on_groups(self, event: _Body) -> None:
        if self.desk.directory is not None and event:
            self.desk.directory.forget_groups()
