"""The layer that an ASGI application is put in to have its requests counted."""

from crossfade.core.asgi import App, Message, ObservedRequests, Receive, Send

from .core import Core
from .reporter import EVERY, Reporter


class TrackedASGI:
    """``TrackedASGI(app, tracker, service="web")``: from then on the server's ``systemMetrics`` are the application's.

    Counted are HTTP requests, from the call to the last byte of the answer. A status of 500 or more is an error, and
    so is an application that raises; a client that leaves is none. A stream of events is not counted.
    """

    def __init__(self, app: App, tracker: Core, *, service: str = "", report_every: float = EVERY) -> None:
        """``service``: a name for this part of the application. ``report_every`` is in seconds.

        Raises ValueError for what cannot be meant.
        """
        self._reporter = Reporter(tracker, service=service, every=report_every)
        self._app = ObservedRequests(app, self._reporter.record)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if not self._reporter.running:
            self._reporter.start()
        await self._app(scope, receive, send)
