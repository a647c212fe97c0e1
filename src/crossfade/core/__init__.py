"""Pure parts: words and decisions, without I/O, framework or hidden state."""
