"""What is reached over HTTP: events in, readings out, flags, and the page."""
