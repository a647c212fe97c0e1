"""Where to go after signing in: to a page of this server, and nowhere else."""

from urllib.parse import quote

from .context import AppRequest

HOME = "/"
LONGEST = 500


def local(path: str) -> str:
    """The path with its query, if it leads to a page of ours whatever a browser makes of it; else home."""
    strange = any(char <= " " or char == "\\" or char >= "\x7f" for char in path)
    if strange or len(path) > LONGEST or not path.startswith("/") or path.startswith("//"):
        return HOME
    return HOME if path.startswith("/login") else path


def back_to(request: AppRequest) -> str:
    """The address of the sign-in page for who asked for this page."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = local(path) if request.method == "GET" else HOME
    return "/login" if wanted == HOME else f"/login?next={quote(wanted, safe='/')}"
