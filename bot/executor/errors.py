"""The failures of the sandbox, each with a stable code.

Here: what the launcher and its parts raise. Not here: refusals about actions (`actions`) or
anything a person reads on a card. Law kept: every one of these means that nothing may be run
outside the sandbox instead; `started` says whether the program can have begun.
"""


class SandboxError(Exception):
    """A run that did not go the documented way.

    `started` is False only where it is proven that the program never began.
    """

    code = "sandbox_error"

    def __init__(self, message: str, *, started: bool = False) -> None:
        super().__init__(message)
        self.started = started


class SandboxUnavailable(SandboxError):
    """This machine cannot give the tier that was asked for; nothing was run."""

    code = "sandbox_unavailable"


class SandboxSetupFailed(SandboxError):
    """The walls could not be put up for this run; the program never began."""

    code = "sandbox_setup_failed"


class SpecRefused(SandboxError):
    """The description of the run asks for something that no tier gives."""

    code = "sandbox_spec_refused"


class OutputRefused(SandboxError):
    """A file left behind by the program is not a plain file of an accepted size."""

    code = "sandbox_output_refused"

    def __init__(self, message: str) -> None:
        super().__init__(message, started=True)
