"""Which listener answers which payload, and when each is acknowledged.

Lives here: the registration with Bolt and the one frame around every listener: parse, work, ack,
answer. Must not live here: the work. Law: ack after commit or after two seconds, whichever comes
first; whatever happens, the person who acted gets an answer and Bolt sees no exception.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import names
from bot.slack.changes import Changes
from bot.slack.commands.break_glass import BreakGlass
from bot.slack.commands.commands import Commands
from bot.slack.commands.lending import Lending
from bot.slack.commands.picking import Picking
from bot.slack.commands.shortcuts import Shortcuts
from bot.slack.desk import Desk, shielded, told
from bot.slack.home.bulk import Bulk
from bot.slack.home.home import Home
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block
from bot.slack.once import Once
from bot.slack.payloads import (
    Click,
    Command,
    HomeOpened,
    Shortcut,
    Submission,
    Suggestion,
    read,
)
from bot.slack.said import Said
from bot.slack.sending.client import CallFailedError
from bot.slack.voting.actions import Clicks
from bot.slack.voting.acts import Acts
from bot.slack.voting.reading import Reading
from bot.slack.voting.receipts import Receipts
from bot.slack.voting.views import FormAnswer, Views, field_error, working
from governance.errors import PlacetError

_log = logging.getLogger("placet.slack")
_Body = Mapping[str, object]
_OnClick = Callable[[Click], Awaitable[Said | None]]
_OnForm = Callable[[Submission], Awaitable[FormAnswer]]
_OnShortcut = Callable[[Shortcut], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Everything that Bolt dispatches to."""

    desk: Desk
    once: Once
    clicks: Clicks
    acts: Acts
    views: Views
    reading: Reading
    receipts: Receipts
    commands: Commands
    home: Home
    bulk: Bulk
    lending: Lending
    glass: BreakGlass
    picking: Picking
    shortcuts: Shortcuts
    changes: Changes

    def on_clicks(self) -> Mapping[str, _OnClick]:
        """The listener of each action id; their keys are ``names.ACTIONS``."""
        return {
            names.APPROVE: self.views.vote_in_details,
            names.APPROVE_WITH_COMMENT: self.clicks.approve_with_comment,
            names.REJECT: self.clicks.reject,
            names.DETAILS: self.reading.open,
            names.WITHDRAW: self.acts.withdraw,
            names.STOP: self.acts.stop,
            names.TOOK_EFFECT: self.acts.ask,
            names.NO_EFFECT: self.acts.ask,
            names.RELEASE_OUTPUT: self.acts.ask,
            names.DISCARD_OUTPUT: self.acts.ask,
            names.NEXT_PAGE: self.reading.turn,
            names.PREVIOUS_PAGE: self.reading.turn,
            names.FIRST_PAGE: self.reading.turn,
            names.SEND_FILE: self.reading.send_file,
            names.FILE_READ: self.reading.file_read,
            names.RECEIPT: self.receipts.send,
            names.HOME_MORE: self.home.turn,
            names.HOME_FIRST: self.home.turn,
            names.BULK: self.bulk.open,
            names.BULK_REFRESH: self.bulk.refresh,
            names.DELEGATE: self.lending.open,
            names.END_DELEGATION: self.lending.end,
        }

    def on_forms(self) -> Mapping[str, _OnForm]:
        """The listener of each form that is submitted, by its callback id."""
        return {
            names.BALLOT_VIEW: self.views.submit_ballot,
            names.DEED_VIEW: self.views.submit_deed,
            names.BULK_VIEW: self.bulk.submit,
            names.DELEGATE_VIEW: self.lending.submit,
            names.EMERGENCY_VIEW: self.glass.submit,
            names.PICK_VIEW: self.commands.picked,
        }

    def on_shortcuts(self) -> Mapping[str, _OnShortcut]:
        """The listener of each shortcut, by its callback id."""
        return {
            names.SHORTCUT_INBOX: self.shortcuts.inbox,
            names.SHORTCUT_DETAILS: self.shortcuts.details,
        }

    def register(self, bolt: AsyncApp) -> None:
        """Tell Bolt."""
        heard = self.desk.speakers.heard
        for action_id, listener in self.on_clicks().items():
            is_deed = action_id in names.DEEDS
            bolt.action(action_id)(heard(self._framed(listener, is_deed=is_deed)))
        for callback_id, submitted in self.on_forms().items():
            is_deed = callback_id != names.PICK_VIEW
            bolt.view(callback_id)(heard(self._form_framed(submitted, is_deed=is_deed)))
        for callback_id, chosen in self.on_shortcuts().items():
            bolt.shortcut(callback_id)(heard(self._shortcut_framed(chosen)))
        bolt.options(names.PICK_TICKET)(heard(self._on_options))
        bolt.command(names.COMMAND)(heard(self._on_command))
        bolt.event("app_home_opened")(self._event_framed(self._on_home))
        self.changes.register(bolt)

    def _framed(
        self, listener: _OnClick, *, is_deed: bool
    ) -> Callable[[AsyncAck, _Body], Awaitable[None]]:
        async def on_click(ack: AsyncAck, body: _Body) -> None:
            work = self._click(listener, body, is_deed=is_deed)
            task = self.desk.background.start(shielded(work, told))
            await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
            await ack()
            self.desk.background.start(self._after_click(task, body))

        return on_click

    async def _click(self, listener: _OnClick, body: _Body, *, is_deed: bool) -> Said | None:
        async def work() -> Said | None:
            return await listener(read(Click, body))

        return await self.once.act(body, work, repeated=None) if is_deed else await work()

    async def _after_click(self, task: "asyncio.Task[Said | None]", body: _Body) -> None:
        said = await task
        url = body.get("response_url")
        if said is not None and isinstance(url, str):
            await self.desk.respond(url, said)
        try:
            await self.clicks.bring_forward(read(Click, body))
            await self.clicks.retire_orphan(read(Click, body))
        except PlacetError:
            return  # a button that is none of ours; the person was told already

    def _event_framed(
        self, listener: Callable[[_Body], Coroutine[None, None, None]]
    ) -> Callable[[_Body], Awaitable[None]]:
        async def on_event(event: _Body) -> None:
            task = self.desk.background.start(listener(event))
            await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)

        return on_event

    def _form_framed(
        self, listener: _OnForm, *, is_deed: bool
    ) -> Callable[[AsyncAck, _Body], Awaitable[None]]:
        async def on_submission(ack: AsyncAck, body: _Body) -> None:
            work = self._submit(listener, body, is_deed=is_deed)
            task = self.desk.background.start(shielded(work, field_error))
            done, _ = await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
            if done:
                await ack(**task.result().to_ack())  # type: ignore[arg-type]  # Slack's own fields
                return
            await ack(response_action="update", view=working())
            self.desk.background.start(self._finish_late(task, body))

        return on_submission

    def _shortcut_framed(
        self, listener: _OnShortcut
    ) -> Callable[[AsyncAck, _Body], Awaitable[None]]:
        async def on_shortcut(ack: AsyncAck, body: _Body) -> None:
            async def work() -> Said | None:
                await listener(read(Shortcut, body))
                return None

            self.desk.background.start(shielded(work(), told))
            await ack()  # it opens a modal, which says whatever there is to say

        return on_shortcut

    async def _on_options(self, ack: AsyncAck, body: _Body) -> None:
        async def work() -> list[Block]:
            return await self.picking.options(read(Suggestion, body))

        def none_(_error: PlacetError | None) -> list[Block]:
            return []

        task = self.desk.background.start(shielded(work(), none_))
        done, _ = await asyncio.wait({task}, timeout=limits.ACK_BUDGET_S)
        await ack(options=task.result() if done else [])

    async def _submit(self, listener: _OnForm, body: _Body, *, is_deed: bool) -> FormAnswer:
        async def work() -> FormAnswer:
            return await listener(read(Submission, body))

        return await self.once.act(body, work, repeated=FormAnswer()) if is_deed else await work()

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
        command = read(Command, body)
        first = next(iter(command.text.split()), "").lower()
        is_deed = first not in names.READING

        async def work() -> Said | None:
            return await self.commands.run(command)

        return await self.once.act(body, work, repeated=None) if is_deed else await work()

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
