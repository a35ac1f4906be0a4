"""Counter-based random numbers: every draw is a pure function of (seed, purpose, replicate, patient).

No state is carried from one draw to the next, so a patient's numbers do not depend on who else is simulated, in what order, on how many cores or after
how many restarts. The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): the key comes from the seed and
the purpose, the counter from the replicate, the patient and the block of draws.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normals", "philox4x32", "uniforms"]

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox4x32(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Return ten rounds of Philox for counters of shape (4, ...), 32-bit words held in 64 bits (Salmon 2011, section 4.3)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (second >> _SHIFT) ^ c1 ^ np.uint64(k0),
            second & _LOW,
            (first >> _SHIFT) ^ c3 ^ np.uint64(k1),
            first & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3])


def uniforms(seed: int, purpose: str, replicate: int, patients: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return uniform numbers in the open interval (0, 1), shape (n_patients, count).

    `patients` holds the patients' numbers; the first columns do not change when `count` grows.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    key = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little"))
    blocks = (count + 1) // 2
    number = np.asarray(patients, dtype=np.uint64)[:, None]
    counter = np.empty((4, number.shape[0], blocks), dtype=np.uint64)
    counter[0], counter[1] = number & _LOW, number >> _SHIFT
    counter[2], counter[3] = np.uint64(replicate), np.arange(blocks, dtype=np.uint64)
    words = philox4x32(counter, key)
    draws = np.stack([(words[0] << _SHIFT) | words[1], (words[2] << _SHIFT) | words[3]], axis=-1).reshape(
        len(number), 2 * blocks
    )
    # 52 bits and half a step: never 0, never 1
    return ((draws[:, :count] >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normals(seed: int, purpose: str, replicate: int, patients: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return standard normal numbers, shape (n_patients, count), by inversion of `uniforms`."""
    from scipy.special import ndtri

    result: NDArray[np.float64] = ndtri(uniforms(seed, purpose, replicate, patients, count))
    return result
