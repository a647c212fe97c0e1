"""Whether a request that changes something comes from a page of ours, and not from another site's.

A browser sends a cookie along whoever made the page. So what a cookie allows needs a token too, which stands in our
pages alone, and the browser's word for where the request comes from, if it gives one.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from crossfade.access import secret

from .context import AppRequest
from .errors import HTTPError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER, FIELD = "x-csrf-token", "csrf"
FORM_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


def same_site(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that the request comes from this very site; true when it says nothing.

    Browsers that tell neither are old: their users have the token alone, which is enough by itself.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    if (origin := headers.get("origin")) is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False


async def fields(request: AppRequest) -> dict[str, str]:
    """A plain form's fields, each once; none of anything else. Raises HTTPError 400 for one that is no text."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        return {}
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS,
                              errors="strict"))
    except ValueError:
        raise HTTPError(400, "bad_request", "this is no form of ours") from None


async def check(request: AppRequest, cookie: str) -> None:
    """Raises HTTPError 403 unless the request is from a page that was made for the holder of this cookie."""
    if not same_site(request.headers):
        raise HTTPError(403, "cross_site", "this request comes from another site")
    token = request.headers.get(HEADER) or (await fields(request)).get(FIELD, "")
    if not cookie or not secret.is_form_token(token, cookie):
        raise HTTPError(403, "csrf", "this form is too old: load the page again",
                        f"a request with a session's cookie needs the page's token, as the field {FIELD} or the "
                        f"header {HEADER}")
