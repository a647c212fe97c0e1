"""What an application imports to send events; it needs none of the server's parts."""
