"""Slack's limits, as far as our messages and views come near them.

Lives here: numbers. Must not live here: anything that builds a block. Law: these are our own
numbers; the emulator has another table, so that a test can make the two contradict each other.
Source: Slack's Block Kit reference; the message total is a margin below a measured refusal.
"""

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_JSON_CHARS = 10_000
"""Characters of all blocks of one message as JSON; Slack refused about 13,200 characters."""
FALLBACK_CHARS = 2_000
HEADER_CHARS = 150
SECTION_CHARS = 3_000
BUTTON_TEXT_CHARS = 75
BUTTON_LABEL_CHARS = 75
BUTTON_VALUE_CHARS = 2_000
ACTION_ID_CHARS = 255
BLOCK_ID_CHARS = 255
CONFIRM_TITLE_CHARS = 100
CONFIRM_TEXT_CHARS = 300
CONFIRM_BUTTON_CHARS = 30
VIEW_TITLE_CHARS = 24
VIEW_METADATA_CHARS = 3_000
VIEW_BYTES = 250_000
INPUT_CHARS = 3_000
INPUT_LABEL_CHARS = 2_000
FIELD_ERROR_CHARS = 150
KNOWN_BUDGET_S = 0.5
"""What may be asked before it is known whose ticket an envelope is about; the work comes on top."""
LANGUAGE_BUDGET_S = 0.3
"""How long it may take to learn a person's language; with both others it stays under 3 s."""
ROLE_BUDGET_S = 1.0
"""What may be looked up before a form opens: its trigger lives for 3 s."""
ACK_BUDGET_S = 2.0
"""An acknowledgement leaves by then; Slack gives up after 3 s."""
