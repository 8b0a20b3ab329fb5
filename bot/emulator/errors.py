"""The two ways the emulator refuses: as Slack refuses an app, and as a misuse by a test.

Lives here: the exception types. Not here: any decision about when to raise them.
Law: an `ApiRefusal` becomes `{"ok": false, "error": code}`; a `MisuseError` never reaches the app.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.emulator.values import JsonObject


class ApiRefusal(Exception):
    """A Web API call answered `ok: false`."""

    def __init__(self, code: str, *, messages: Iterable[str] = (), **extra: str) -> None:
        super().__init__(code)
        self.code = code
        self.messages = tuple(messages)
        self.extra = extra

    def body(self) -> JsonObject:
        """Build the answer as Slack words it."""
        answer: JsonObject = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            answer["response_metadata"] = {"messages": list(self.messages)}
        return answer


class MisuseError(LookupError):
    """A person act named something that is not there to be acted on."""
