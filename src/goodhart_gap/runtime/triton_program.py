"""The Triton program of `triton_kernel`; importing this needs Triton."""
# mypy: disable-error-code="no-untyped-def, misc"

import triton
import triton.language as tl


@triton.jit
def multiply(
    inputs,
    codes,
    scales,
    zeros,
    result,
    count,
    rows,
    columns,
    width,
    groups,
    zero_width,
    BITS: tl.constexpr,
    EACH: tl.constexpr,
    BYTES: tl.constexpr,
    GROUP: tl.constexpr,
    CENTRED: tl.constexpr,
    INPUTS: tl.constexpr,
    ROWS: tl.constexpr,
    TILE: tl.constexpr,
):
    """One program: ROWS rows of the matrix times INPUTS inputs, TILE words at a time."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    entry = tl.program_id(1) * INPUTS + tl.arange(0, INPUTS)
    own = row[:, None] < rows
    top = (1 << BITS) - 1
    total = tl.zeros((INPUTS, ROWS), dtype=tl.float32)
    for first in range(0, tl.cdiv(columns, EACH), TILE):
        word = first + tl.arange(0, TILE)
        start = codes + row[:, None].to(tl.int64) * width + word[None, :] * BYTES
        bits = tl.zeros((ROWS, TILE), dtype=tl.int32)
        for place in tl.static_range(BYTES):
            inside = own & (word[None, :] * BYTES + place < width)
            part = tl.load(start + place, mask=inside, other=0)
            bits = bits | (part.to(tl.int32) << (8 * place))
        group = word * EACH // GROUP
        known = own & (group[None, :] < groups)
        scale = tl.load(scales + row[:, None] * groups + group[None, :], mask=known, other=0.0).to(
            tl.float32
        )
        if CENTRED:
            zero = tl.full((ROWS, TILE), top / 2, dtype=tl.float32)
        else:
            position = group[None, :] * BITS
            place_of = zeros + row[:, None] * zero_width + position // 8
            pair = tl.load(place_of, mask=known, other=0).to(tl.int32)
            if 8 % BITS != 0:
                second = known & (position // 8 + 1 < zero_width)
                pair = pair | (tl.load(place_of + 1, mask=second, other=0).to(tl.int32) << 8)
            zero = ((pair >> (position % 8)) & top).to(tl.float32)
        for place in tl.static_range(EACH):
            column = word * EACH + place
            code = ((bits >> (place * BITS)) & top).to(tl.float32)
            weight = (code - zero) * scale
            valid = (entry[:, None] < count) & (column[None, :] < columns)
            value = tl.load(
                inputs + entry[:, None] * columns + column[None, :], mask=valid, other=0.0
            )
            if INPUTS >= 16:
                total = tl.dot(
                    value,
                    tl.trans(weight.to(value.dtype)),
                    total,
                )
            else:
                spread = value.to(tl.float32)[:, None, :] * weight[None, :, :]
                total += tl.sum(spread, axis=2)
    target = result + entry[:, None] * rows + row[None, :]
    kept = (entry[:, None] < count) & (row[None, :] < rows)
    tl.store(target, total.to(result.dtype.element_ty), mask=kept)
