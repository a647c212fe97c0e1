"""An application that tracks with Segment's or Rudder's client as it was published: no line of it is changed.

What it shall call comes on standard input, what became of it goes to standard output, and its log to standard error.
"""

import importlib
import json
import logging
import sys

MODULES = {"segment": "segment.analytics", "rudder": "rudderstack.analytics"}


def main() -> None:
    job = json.load(sys.stdin)
    logging.basicConfig(level=job["log"])
    errors: list[dict[str, object]] = []

    def on_error(error: Exception, batch: list[dict[str, object]]) -> None:
        errors.append({"status": getattr(error, "status", None), "code": getattr(error, "code", None),
                       "text": str(error), "ids": [message["messageId"] for message in batch]})

    client = importlib.import_module(MODULES[job["client"]]).Client(
        job["key"], host=job["url"], on_error=on_error, **job["options"])
    results = [getattr(client, name)(**arguments) for name, arguments in job["calls"]]
    client.shutdown()
    json.dump({"ids": [message["messageId"] for _, message in results], "queued": [taken for taken, _ in results],
               "errors": errors}, sys.stdout)


if __name__ == "__main__":
    main()
