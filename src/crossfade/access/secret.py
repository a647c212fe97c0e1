"""Secrets that only a browser keeps: here is no more of them than a hash."""

import hashlib
import hmac
import secrets

BYTES = 32
LONGEST = 100
"""Characters beyond which something is no secret of ours."""


def make() -> str:
    """256 random bits, as text that can stand in a cookie and in an address."""
    return secrets.token_urlsafe(BYTES)


def digest(secret: str) -> str:
    """Under which it is kept. A quick hash will do: nobody can guess 256 bits."""
    return hashlib.sha256(secret[:LONGEST + 1].encode(errors="surrogatepass")).hexdigest()


def form_token(secret: str) -> str:
    """What a form must bring along beside the cookie with the secret: nobody else can work it out, nor turn it back."""
    return hmac.new(secret.encode(errors="surrogatepass"), b"crossfade form", hashlib.sha256).hexdigest()


def is_form_token(candidate: str, secret: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(candidate.encode(errors="surrogatepass"), form_token(secret).encode())
