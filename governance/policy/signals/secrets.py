"""What a raw secret looks like in text.

Lives here: one table of patterns, for requests (``scan``) and outputs (``bot.scan``) alike.
Must not live here: personal data (``bot.scan``), what follows from a find (``scan``, the
verdict on outputs, the edges' refusals). Law: a pattern names what it finds and costs a bounded
amount for each character, whatever the text.
"""

import re
from dataclasses import dataclass

REFERENCE = "secret://"
"""How a request names a secret without carrying it."""
_MIN_CHARS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """One kind of secret.

    ``regex`` spans all of it; ``probe`` only says that it is there, at less cost; ``hints`` are
    pieces in lower case, of which every text that holds such a secret has at least one.
    """

    id: str
    regex: re.Pattern[str]
    probe: re.Pattern[str]
    hints: tuple[str, ...]


def _rule(name: str, regex: str, *hints: str, probe: str = "") -> SecretRule:
    whole = re.compile(regex)
    return SecretRule(
        id=name, regex=whole, probe=re.compile(probe) if probe else whole, hints=hints
    )


_NAMED = (
    r"(?:password|passwd|secret|api_?key|access_?key|token)"
    r"[\"']?\s{0,5}[:=]\s{0,5}[\"']?[^\s\"',;]{6,500}"
)
SECRET_RULES = (
    _rule(
        "private_key",
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:(?!-----END)[\s\S]){0,65536}+(?:-----END)?",
        "private key-----",
        probe=r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----",
    ),
    _rule("aws_access_key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "akia", "asia"),
    _rule(
        "github_token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})\b",
        *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    _rule("gitlab_token", r"\bglpat-[\w-]{20,64}\b", "glpat-"),
    _rule(
        "slack_token",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}\b",
        *("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"),
    ),
    _rule("slack_app_token", r"\bxapp-[A-Za-z0-9-]{10,255}\b", "xapp-"),
    _rule(
        "slack_webhook",
        r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,120}",
        "://hooks.slack.com",
    ),
    _rule(
        "stripe_key",
        r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}\b",
        *("k_live_", "k_test_"),
    ),
    _rule("google_api_key", r"\bAIza[\w-]{35}\b", "aiza"),
    _rule("model_api_key", r"\bsk-(?:ant-|proj-)?[\w-]{20,255}\b", "sk-"),
    _rule("placet_token", r"\bplt_[A-Za-z0-9]{4,40}_[\w-]{16,255}\b", "plt_"),
    _rule("webhook_secret", r"\bwhsec_[A-Za-z0-9+/=]{16,255}", "whsec_"),
    _rule(
        "jwt",
        r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{16,2000}",
        ".eyj",
        # From the one place that only such a token has: no stretch is looked at twice.
        probe=r"(?<=[\w-]{8})\.eyJ[\w-]{8,4000}+\.[\w-]{16}",
    ),
    _rule(
        "url_password",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,100}:[^\s@/]{3,200}@",
        "://",
        probe=r"(?<=[a-z0-9+.-]{2})://[^\s:/@]{1,100}+:[^\s@/]{3,200}+@",
    ),
    _rule(
        "bearer",
        r"(?i)\bauthorization\s{0,5}[:=]\s{0,5}(?:bearer|basic)\s{1,5}[\w.~+/=-]{8,2000}",
        "authorization",
    ),
    _rule(
        "named_secret",
        r"(?i)\b[\w.-]{0,40}" + _NAMED,
        *("password", "passwd", "secret", "key", "token"),
        probe="(?i)" + _NAMED,
    ),
)
_NAMES = (
    "password passwd passphrase api_key apikey access_key accesskey secret_key secretkey "
    "secret_access_key aws_secret_access_key client_secret clientsecret private_key privatekey "
    "access_token accesstoken auth_token authtoken bearer_token refresh_token"
)
_SECRET_NAMES = frozenset(_NAMES.split())
"""Names of an argument whose value is a secret, in lower case and with ``_`` for ``-``."""
HINTS = tuple(
    dict.fromkeys((*(hint for rule in SECRET_RULES for hint in rule.hints), "passphrase"))
)
"""Without one of these pieces a text, in lower case, holds no secret and is no such name."""


def find_secret(text: str) -> str:
    """The first rule by which ``text`` holds a raw secret; empty for none.

    What holds a reference (``secret://name``) is none.
    """
    lowered = text.lower()
    for rule in SECRET_RULES:
        if not any(hint in lowered for hint in rule.hints):
            continue
        if any(REFERENCE not in match.group() for match in rule.probe.finditer(text)):
            return rule.id
    return ""


def is_named_secret(name: str, value: str) -> bool:
    """Whether an argument's name says that ``value`` is a secret, and it is no reference."""
    plain = name.lower().replace("-", "_")
    said = value.strip()
    return plain in _SECRET_NAMES and len(said) >= _MIN_CHARS and not said.startswith(REFERENCE)
