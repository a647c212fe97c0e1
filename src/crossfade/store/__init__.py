"""The data plane: raw events, their rollups, and which journal segments they came from."""
