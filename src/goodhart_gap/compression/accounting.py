"""What a compressed module takes on disk, by arithmetic alone. Needs no torch."""

from goodhart_gap.compression.matrix_settings import MatrixSettings

SCALE_BYTES = 2
MATRIX_SCALE_BYTES = 4
"""Bytes of the one scale of a matrix."""
FACTOR_BYTES = 2
"""Bytes of an entry of an unquantized factor."""


def packed_width(columns: int, bits: int) -> int:
    """Bytes of one packed row of `columns` codes."""
    return (columns * bits + 7) // 8


def grouped_bytes(rows: int, columns: int, bits: int, group_size: int, *, symmetric: bool) -> int:
    """Bytes of a groupwise quantized matrix: codes, scales, zero points."""
    groups = -(-columns // group_size)
    zeros = 0 if symmetric else packed_width(groups, bits)
    return rows * (packed_width(columns, bits) + SCALE_BYTES * groups + zeros)


def trellis_tile_rows(rows: int) -> int:
    """Rows of a tile of a trellis-coded matrix: at most 48; tiles in multiples of 8, or of 16.

    Each tile is a stream, and streams are searched side by side in sixteens.
    """
    least = 8 if rows <= 8 * 48 else 16
    tiles = least * -(-rows // (least * 48))
    return -(-rows // tiles)


def effective_rank(shape: tuple[int, int], settings: MatrixSettings) -> int:
    """Rank of L R that a module of `shape` gets."""
    return min(settings.rank, *shape) if settings.factored else 0


def stored_bytes(shape: tuple[int, int], settings: MatrixSettings) -> int:
    """Bytes that a module of `shape` (outputs, inputs) takes under `settings`."""
    rows, columns = shape
    if settings.codebook == "trellis":
        total = rows * packed_width(columns, settings.bits) + MATRIX_SCALE_BYTES
    elif settings.codebook == "e8":
        total = rows * settings.bits * -(-columns // 8) + MATRIX_SCALE_BYTES
    else:
        total = grouped_bytes(
            rows, columns, settings.bits, settings.group_size, symmetric=settings.symmetric
        )
    rank = effective_rank(shape, settings)
    for length in shape if rank else ():
        if settings.factor_bits == 16:
            total += FACTOR_BYTES * rank * length
        else:
            total += grouped_bytes(
                rank, length, settings.factor_bits, settings.group_size, symmetric=True
            )
    return total
