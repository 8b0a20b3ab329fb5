"""What an operator sets, from the environment.

Lives here: every setting with its meaning, default and check; ``docs/settings.md`` is held to it.
Must not live here: policy (a bundle), people (its directory). Law: a setting that is missing or
wrong is an error at start that names it; there is none that turns enforcement off.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from governance.errors import Code, InvalidInput

PREFIX = "PLACET_"
EMULATED = "emulated"
"""Part of every token that the workspace emulator makes; never accepted for a real workspace."""


class SlackMode(StrEnum):
    """How Slack reaches us."""

    OFF = "off"
    HTTP = "http"
    SOCKET = "socket"


class Language(StrEnum):
    """What channels are spoken to in; each has its catalogue in ``bot/slack/locale``."""

    ENGLISH = "en"
    GERMAN = "de"


def _folders(value: object) -> object:
    if isinstance(value, str):
        pairs = [item.partition("=") for item in value.split(",") if item.strip()]
        return {name.strip(): folder.strip() for name, _, folder in pairs}
    return value


class Settings(BaseModel):
    """All settings; each field is the environment variable ``PLACET_<NAME>``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str = Field("default", description="The tenant that this deployment serves.")
    database: str = Field(
        "sqlite:///var/placet.db",
        description="Where the ledger is: sqlite:///PATH or postgresql://USER@HOST/NAME.",
        repr=False,
    )
    policies: Path | None = Field(
        None, description="Folder or file of the policy bundle; the shipped default when unset."
    )
    bundle_keys: Path | None = Field(
        None,
        description="Public keys (PEM, P-256) that may vouch for a bundle: a folder or one file.",
    )
    require_signed_bundle: bool = Field(
        False, description="Refuse a bundle that none of the bundle keys has signed."
    )
    keys: Path = Field(
        Path("var/keys"),
        description="Folder of webhook secrets and, unless PLACET_SIGNER names another place, of "
        "the signing keys (made, 0700).",
    )
    signer: str = Field(
        "",
        description="Where the signing keys are: file:/FOLDER, "
        "pkcs11:token=LABEL;object=PREFIX?module-path=FILE, transit+https://HOST/MOUNT/PREFIX or "
        "awskms:///PREFIX?region=REGION; PLACET_KEYS when empty.",
    )
    signer_secret_file: Path | None = Field(
        None, description="File with the PIN of a PKCS#11 token or the token of a transit server."
    )
    signer_secret: SecretStr | None = Field(
        None, description="That PIN or token itself; a file is better."
    )
    checkpoints: Path = Field(
        Path("var/checkpoints.txt"),
        description="File outside the database to which signed checkpoints are appended.",
    )
    origin: str = Field(
        "placet.local/log",
        pattern=r"^[^\s+]{1,128}$",
        description="The log's name in its checkpoints, without spaces and plus signs; never "
        "change it.",
    )
    witnesses: Path | None = Field(
        None, description="File of witnesses' verifier keys; their cosignatures are kept."
    )
    idempotency_store: str = Field(
        "ledger",
        description="ledger, or a Redis server that answers repeated requests early: "
        "redis://HOST:PORT/NUMBER, rediss://... or unix:///PATH. The ledger decides either way.",
        repr=False,
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on.")
    port: int = Field(8081, ge=0, le=65535, description="Port that the service listens on.")
    requests_per_s: int = Field(
        500,
        ge=0,
        le=1_000_000,
        description="Requests a second that one credential may send over HTTP, ten times as many "
        "at once; each process counts for itself. 0: no bound.",
    )
    checkpoint_every_s: int = Field(
        600, ge=1, le=86_400, description="Seconds between signed checkpoints."
    )
    segments: Path = Field(
        Path("var/segments"),
        description="Folder of the sealed segments of the log, which placet audit seal fills.",
    )
    seal_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Once a day, seal what is older than so many days; 0: only by command.",
    )
    detach_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Once a day, take sealed segments out of the database that ended so many days "
        "ago and need not be kept any longer; their files are the only copy then. 0: only by "
        "command.",
    )
    slack_mode: SlackMode = Field(SlackMode.OFF, description="off, http or socket.")
    slack_bot_token: SecretStr | None = Field(None, description="The app's bot token (xoxb-...).")
    slack_signing_secret: SecretStr | None = Field(
        None, description="The app's signing secret; needed in http mode."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="App-level token (xapp-...) with connections:write; for socket mode."
    )
    slack_team: str = Field("", description="The workspace's id (T...); others are refused.")
    slack_app_id: str = Field("", description="The app's id (A...); others are refused.")
    slack_approvals_channel: str = Field("", description="Channel id for approval cards.")
    slack_audit_channel: str = Field("", description="Channel id for the audit log.")
    language: Language = Field(
        Language.ENGLISH,
        description="Language of cards and messages in channels: en or de; what one person sees "
        "is in the language of their Slack account.",
    )
    trace_url: str = Field(
        "",
        pattern=r"^(https?://[!-~]{1,400}\{trace_id\}[!-~]{0,100})?$",
        description="Address of a trace for the link on cards, with {trace_id} in its place, such "
        "as https://traces.example.com/trace/{trace_id}; no link when empty.",
    )
    slack_stats_channel: str = Field(
        "", description="Channel id for the weekly figures; none are posted when unset."
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", description="Base address of Slack's Web API."
    )
    scim_url: str = Field(
        "", description="Base address of the company's directory (SCIM 2.0), for directory_groups."
    )
    scim_token_file: Path | None = Field(
        None, description="File with the bearer token for that directory."
    )
    scim_token: SecretStr | None = Field(None, description="That token itself; a file is better.")
    folders: Annotated[dict[str, Path], BeforeValidator(_folders)] = Field(
        default_factory=dict,
        description="Folders that registered actions may name: NAME=PATH, comma-separated.",
    )
    executor_name: str = Field("executor-1", description="This executor's name in the log.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.slack_mode is SlackMode.OFF:
            return self
        needed = {
            "slack_bot_token": self.slack_bot_token,
            "slack_team": self.slack_team,
            "slack_app_id": self.slack_app_id,
            "slack_approvals_channel": self.slack_approvals_channel,
            "slack_audit_channel": self.slack_audit_channel,
        }
        if self.slack_mode is SlackMode.HTTP:
            needed["slack_signing_secret"] = self.slack_signing_secret
        else:
            needed["slack_app_token"] = self.slack_app_token
        missing = [f"{PREFIX}{name.upper()}" for name, value in needed.items() if not _said(value)]
        if missing:
            raise ValueError(f"slack_mode {self.slack_mode} also needs {', '.join(missing)}")
        is_slack = "//slack.com/" in self.slack_api_url
        if is_slack and EMULATED in _text(self.slack_bot_token):
            raise ValueError("an emulated token does not go to slack.com")
        return self


def _text(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def _said(value: SecretStr | str | None) -> bool:
    return bool(_text(value).strip())


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read every ``PLACET_*`` variable.

    Raises:
        InvalidInput: ``invalid_settings``: an unknown variable, or a value that cannot be; the
            message names the variables and never shows a value.
    """
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in _FOREIGN
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{_name(item['loc'])}: {_sentence(item['type'], item['msg'])}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise InvalidInput(Code.INVALID_SETTINGS, "; ".join(problems)) from None


_FOREIGN = {"PLACET_REQUIRE_ALL"}
"""Variables of the test run that share the prefix."""


def _name(location: tuple[int | str, ...]) -> str:
    return f"{PREFIX}{str(location[0]).upper()}" if location else "settings"


def _sentence(kind: str, message: str) -> str:
    return "no such setting" if kind == "extra_forbidden" else message.removeprefix("Value error, ")
