"""The command line: a thin client of the server, and the server's own start."""
