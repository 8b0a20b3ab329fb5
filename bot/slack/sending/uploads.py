"""Files that the app sends, to one person or into a channel.

Lives here: opening a person's direct messages and uploading. Must not live here: what a file holds
(``full_view``, pictures), any message beside it (``publisher``). Law: nothing is uploaded but what
the caller gives; a failure is classified as every other call's.
"""

from collections.abc import Sequence
from typing import Protocol

from slack_sdk.errors import SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.sending.client import CALL_FAILURES, TransientError, failure_of


class Upload(Protocol):
    """One file; ``alt`` says what a picture shows."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def title(self) -> str:
        """What people see above it."""
        ...

    @property
    def alt(self) -> str:
        """What whoever does not see it is told."""
        ...

    @property
    def png(self) -> bytes:
        """Its bytes."""
        ...


class Uploads:
    """Sends files in one workspace."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def direct_channel(self, user: str) -> str:
        """The channel of the app's direct messages with ``user``.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        try:
            answer = await self._client.conversations_open(users=user)
        except CALL_FAILURES as error:
            raise failure_of("conversations.open", error) from error
        channel = answer.get("channel")
        found = channel.get("id") if isinstance(channel, dict) else None
        if not isinstance(found, str):
            raise TransientError("conversations.open", "no_channel")
        return found

    async def send_many(self, channel: str, pictures: Sequence[Upload]) -> None:
        """Upload several pictures into ``channel`` as one message.

        Raises:
            CallFailedError: as ``client`` classifies; nothing is seen of them then.
        """
        files = [
            {"filename": one.name, "title": one.title, "content": one.png, "alt_txt": one.alt}
            for one in pictures
        ]
        try:
            await self._client.files_upload_v2(channel=channel, file_uploads=files)
        except SlackRequestError as error:  # the storage refused; its answer names the file
            raise TransientError("files.upload", "not_stored", is_uncertain=True) from error
        except CALL_FAILURES as error:
            raise failure_of("files.completeUploadExternal", error) from error

    async def send(
        self, channel: str, *, name: str, title: str, content: bytes, alt_text: str = ""
    ) -> None:
        """Upload one file into ``channel``; ``alt_text`` says what a picture shows.

        Raises:
            CallFailedError: as ``client`` classifies; no half of a file is ever seen.
        """
        try:
            await self._client.files_upload_v2(
                channel=channel, filename=name, title=title, content=content, alt_txt=alt_text
            )
        except SlackRequestError as error:  # the storage refused; its answer names the file
            raise TransientError("files.upload", "not_stored", is_uncertain=True) from error
        except CALL_FAILURES as error:
            raise failure_of("files.completeUploadExternal", error) from error
