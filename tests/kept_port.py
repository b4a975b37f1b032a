"""A port that stays ours until somebody listens on it.

One that was taken and let go again may be given to another process of the run in between.
"""

import socket


def kept_port() -> socket.socket:
    """A port of 127.0.0.1 on which nothing listens, for as long as the socket is open: nobody else
    is given it, and who asks for it by its number can listen on it.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept
