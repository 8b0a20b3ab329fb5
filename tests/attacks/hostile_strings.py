"""Strings that agents might write to deceive whoever reads a card.

Lives here: the strings, by kind, in an order that never changes. Must not live here: what is
checked.
"""

import unicodedata

_MARKS = [
    "*{}*",
    "_{}_",
    "~{}~",
    "`{}`",
    "```{}```",
    "> {}",
    "&gt; {}",
    "# {}",
    "- {}",
    "1. {}",
    "[{}](http://evil.example)",
    "<http://evil.example|{}>",
    "![{}](http://evil.example/x.png)",
    "||{}||",
    "**{}**",
    "__{}__",
    "<b>{}</b>",
    "<script>{}</script>",
    "{}\n```\nApproved",
]
_MENTIONS = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<@U0ADMIN>",
    "<@U0ADMIN|you>",
    "<#C0GENERAL>",
    "<!subteam^S0ADMINS>",
    "<!date^1^{date}|now>",
    "@channel",
    "@here",
    "@everyone",
    "&lt;!channel&gt;",
    "<mailto:a@b.example|a>",
    "<tel:1|call>",
]
_LINKS = [
    "https://evil.example",
    "http://evil.example/?a=b&c=d",
    "www.evil.example",
    "evil.example",
    "javascript:alert(1)",
    "slack://open",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://good.example@evil.example",
    "https://evil.example/\u202eelpmaxe.doog",
]
_EMOJI = [":white_check_mark:", ":skull:", ":+1::skin-tone-2:", "\u2705 Approved by Anna"]
_BIDI = [
    f"a{char}b"
    for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
]
_HIDDEN = [
    f"a{char}b"
    for char in (
        "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b"
        "\u180e\u2800\u3164\uffa0\ufe0e\ufe0f\U000e0001\U000e0041\U000e0100\ue000\U000f0000\ufff9\ufffb"
    )
]
_SPACES = [
    f"a{char}b" for char in "\u00a0\u1680\u2000\u2003\u2009\u200a\u202f\u205f\u3000\u2028\u2029"
]
_CONTROLS = [f"a{chr(code)}b" for code in (0, 1, 7, 8, 11, 12, 13, 27, 127, 133, 155)]
_LOOKALIKES = [
    "p\u0430ypal",
    "\u0440\u0430ypal",
    "g\u043e\u043egle",
    "\u0391pple",
    "micr\u03bfsoft",
    "ex\u0430mple.com",
    "\u24d0dmin",
    "\uff41dmin",
    "admi\u0578",
]
_FLOODS = [
    "e" + "\u0301" * 200,
    "\u0335" * 300,
    "a\u20dd" * 100,
    "\U0001f468\u200d" * 50,
    "\n" * 500,
]
_HUGE = ["x" * 5_000, "\u202e" * 5_000, "\U0001f600" * 2_000, "<!channel>" * 500, "a " * 3_000]
_ESCAPES = [
    "\\u{202e}",
    "\\u202e",
    "\\n",
    "\\",
    '"',
    "'",
    "\\\\u{202e}",
    "\\u{202e x9}",
    "\\u{",
    "{}",
]
_FORGED = [
    "CUT HERE",
    "Approved. Nothing more to do.",
    "Votes: 4 of 4",
    "The agent says, unverified:",
    "\n\nDecide before: never",
    "placet: system says approve",
    '{"type":"actions"}',
    "Ticket t-1, revision 9, binding 000000000000",
    "Requested by: Anna (administrator)",
    "Risk: low, by rule safe",
    "<!channel|\u200bhello>",
    "`*_~mixed~_*` <@U1> :tada: http://x.example \u202e",
]
_EVERY_FORMAT_CHARACTER = [
    f"pay{chr(code)}pal"
    for code in range(0x80, 0x10FFFF)
    if unicodedata.category(chr(code)) == "Cf" and not 0xE0020 <= code <= 0xE007F
]
_TAGS = ["".join(chr(0xE0000 + ord(char)) for char in word) for word in ("approve", "all", "#")]
_EVERY_CONTROL = [f"{chr(code)}x" for code in (*range(32), *range(127, 160))]
_SELECTORS = [f"a{chr(code)}" for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE0110))]
_FALSE_LABELS = [
    f"<{scheme}evil.example/{path}|{label}>"
    for scheme in ("https://", "http://", "mailto:a@", "slack://channel?id=", "//")
    for path in ("", "login", "?a=1|b")
    for label in ("https://good.example", "Approve", "@anna", "")
] + [
    "[https://good.example](https://evil.example)",
    "[Approve](javascript:alert(1))",
    '[a]: http://evil.example "b"',
    "<https://evil.example>",
    "https://good.example\u2044@evil.example",
    "https://good.example\u3002evil.example",
    "https://\u0261ood.example",
    "xn--80ak6aa92e.example",
    "https://evil.example/#https://good.example",
    "ftp://evil.example",
    "tel:+1555",
    "evil.example/a_b_c*d*",
]
_FENCES = [
    f"{fence}{language}\n{body}\n{fence}"
    for fence in ("```", "````", "~~~", "`")
    for language in ("", "diff", "text")
    for body in ("Approved", "</pre><b>x</b>")
] + ["```", "a```b", "```a", "\n```\n", "`` ` ``", "</pre>", "</code></pre>", "<pre>", "\n\n    x"]
_HTML = [
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<style>*{display:none}</style>",
    "<a href=http://evil.example>x</a>",
    "<iframe src=//evil.example>",
    "<!-- hidden -->",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "&nbsp;&zwj;",
    "<font color=white>",
    "<span hidden>",
    "{{7*7}}",
    "${7*7}",
    "<%= 1 %>",
    "]]>",
]
_SLACK_MARKUP = [
    f"{before}{mark}{text}{mark}{after}"
    for mark in ("*", "_", "~", "`", "**", "__", "~~", "*_", "_*", "||")
    for text in ("Approved", "x y")
    for before, after in (("", ""), ("a ", " b"), ("(", ")"))
]
_MENTION_FORMS = [
    f"<{sign}{name}{label}>"
    for sign, name in (
        ("@", "U0OLGA"),
        ("@", "W0OLGA"),
        ("#", "C0APPROVE"),
        ("!subteam^", "S0REVIEW"),
        ("!", "channel"),
        ("!", "here"),
        ("!", "everyone"),
        ("!date^0^", "{time}"),
    )
    for label in ("", "|", "|anna", "|<!here>")
] + ["\uff20channel", "@\u200bhere", "<@U0OLGA", "@U0OLGA>", "<!channel\n>", "< !channel>"]
_RIGHT_TO_LEFT = [
    "transfer \u05d0 100 200",
    "\u05d0\u05d1\u05d2",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 1 2",
    "a \u0663\u0664 b",
    "file.\u05d0txt.exe",
    "\u07c0\u07c1",
    "\U00010800 1 2",
    "\U0001e900 1 2",
]
_CONFUSABLES = [
    word.replace(plain, odd, 1)
    for word in ("admin", "paypal", "prod", "root")
    for plain, odd in (
        ("a", "\u0430"),
        ("a", "\u0251"),
        ("o", "\u043e"),
        ("o", "\u03bf"),
        ("o", "\u0585"),
        ("p", "\u0440"),
        ("d", "\u0501"),
        ("i", "\u0456"),
        ("r", "\u0433"),
        ("t", "\u03c4"),
        ("m", "\u217f"),
        ("l", "\u217c"),
        ("n", "\u0578"),
        ("y", "\u0443"),
    )
    if plain in word
]
_MORE_FLOODS = [
    f"{letter}{mark * 60}z"
    for letter in ("e", " ", "\u0e01", "\u0627")
    for mark in ("\u0300", "\u0489", "\u0e49", "\u20e3", "\u0654", "\u1ab0", "\u0336")
]
_LONG_LINES = [
    "w" * 200,
    "\u2007" * 99,
    "-" * 900,
    "\t" * 50,
    "a\tb",
    "\ufdfd" * 9,
    "\U0001f469\u200d\U0001f4bb",
]
STRINGS = list(
    dict.fromkeys(
        [
            *(mark.replace("{}", "pay") for mark in _MARKS),
            *_MENTIONS,
            *_LINKS,
            *_EMOJI,
            *_BIDI,
            *_HIDDEN,
            *_SPACES,
            *_CONTROLS,
            *_LOOKALIKES,
            *_FLOODS,
            *_HUGE,
            *_ESCAPES,
            *_FORGED,
            *_EVERY_FORMAT_CHARACTER,
            *_TAGS,
            *_EVERY_CONTROL,
            *_SELECTORS,
            *_FALSE_LABELS,
            *_FENCES,
            *_HTML,
            *_SLACK_MARKUP,
            *_MENTION_FORMS,
            *_RIGHT_TO_LEFT,
            *_CONFUSABLES,
            *_MORE_FLOODS,
            *_LONG_LINES,
        ]
    )
)
"""Each once."""
