"""Written in C: see _columns.c."""

def stream(path: bytes, /) -> object:
    """The file's lines as an Arrow C stream, in a capsule; the file is opened when the first is asked for.

    It ends with an error where a line is not plain, or the file cannot be read.
    """
