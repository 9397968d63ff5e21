"""Local TCP ports that servers of tests are told, and bind later and again after each restart.

    first, second = claim_ports(2)

A port that was free a moment ago may be another process's when the server binds it. These cannot:
no system hands out numbers as low as these by itself (to clients, or to whoever asks for any port),
and a UDP socket of the same number, held until this process ends, keeps other tests away.
"""

import random
import socket

NUMBERS = range(10_000, 16_000)

_CLAIMS: list[socket.socket] = []


def claim_ports(count: int) -> list[int]:
    """Return local TCP ports that nothing listens on; they are this process's until it ends."""
    found: list[int] = []
    # Not the generator that tests may seed: two workers would try the same numbers.
    for port in random.SystemRandom().sample(NUMBERS, len(NUMBERS)):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            claim.close()
            continue
        _CLAIMS.append(claim)
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"fewer than {count} of the ports {NUMBERS} are free")
