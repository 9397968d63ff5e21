"""Randomness that belongs to a response, not to the process that draws it.

A response is named by (seed, task, run, role). Its name keys a counter-based generator (Philox
4x64), and its k-th token uses the k-th number of that generator, so nothing else that is sampled at
the same time, before or after can change it. The condition is not part of the name: two conditions
see the same numbers, which is what makes their runs pairs.
"""

import hashlib
import json

import numpy as np


def uniforms(seed: int, task: str, run: int, role: str, count: int) -> np.ndarray:
    """Return `count` float64 numbers of [0, 1): one for every step of the named response.

    The first n numbers are the same for every `count` of at least n.
    """
    key = np.frombuffer(_key(seed, task, run, role)[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def request_seed(seed: int, task: str, run: int, role: str) -> int:
    """Return the seed, 63 bits, of an engine that draws by itself, keyed by the same name."""
    return int.from_bytes(_key(seed, task, run, role)[:8], "little") >> 1


def _key(seed: int, task: str, run: int, role: str) -> bytes:
    return hashlib.sha256(json.dumps([seed, task, run, role]).encode()).digest()
