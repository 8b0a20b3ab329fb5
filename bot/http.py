"""What every HTTP door of ours agrees on.

Lives here: refusals that only HTTP knows, and what is said about an encoded body. Must not live
here: reading bodies, routes, answers. Law: no body is ever decompressed, at any door.
"""

from aiohttp import web

METHOD_NOT_ALLOWED = "method_not_allowed"
UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
BODY_TIMEOUT = "body_timeout"
TOO_MANY_REQUESTS = "too_many_requests"
INTERNAL_ERROR = "internal_error"


def is_encoded(request: web.BaseRequest) -> bool:
    """Whether the body is said to be compressed."""
    named = request.headers.getall("Content-Encoding", [])
    return bool(named) and any(value.strip().lower() != "identity" for value in named)
