"""A linear layer whose weight is Q + L R, computed as x Q^T + (x R^T) L^T.

The weight is never formed: Q stays packed, and L R costs two thin products. Rotated weights are
multiplied in rotated coordinates: y = U^T (Q + L R) V x.

Between loading and use a layer is *prepared* for the device it is on, which picks the fastest way
its layout allows:

- `int4`: torch's own int4 kernels (`int4`), bfloat16;
- `triton`: our kernel on CUDA (`triton_kernel`), groupwise grids of 2, 3, 4 and 8 bits;
- `stored`: the stored codes as they are, some rows at a time (`stored`); works everywhere.
"""

from collections.abc import Callable, Mapping
from typing import Self

import torch
from torch import nn

from goodhart_gap.compression.format import ModuleRecord, restore
from goodhart_gap.compression.packing import pack, unpack
from goodhart_gap.compression.rotation import Rotation
from goodhart_gap.errors import GoodhartError
from goodhart_gap.runtime import factors, int4, stored

Tensors = Mapping[str, torch.Tensor]

OWN = ("codes", "residual_codes", "scales", "zeros", "scale")
"""Parts of Q, by the names of docs/FORMAT.md."""


class CalderaLinear(nn.Module):
    """A compressed linear layer. Buffers have the names of docs/FORMAT.md until it is prepared."""

    codes: torch.Tensor
    scales: torch.Tensor
    zeros: torch.Tensor
    scales_offsets: torch.Tensor
    """Scale and offset as `int4` takes them, once prepared so."""

    bias: nn.Parameter | None

    def __init__(self, record: ModuleRecord, parts: Tensors, bias: nn.Parameter | None) -> None:
        """`parts`: what is stored, by name; tensors on the meta device until they are loaded."""
        super().__init__()
        self.out_features, self.in_features = record.shape
        self.record = record
        self.way = "unprepared"
        self.bias = bias
        self.hold(parts)

    def hold(self, parts: Tensors) -> None:
        """Take what is stored, by name, before the layer is prepared.

        Parts of L and R go into modules `left` and `right`, so that they are called as in the file.
        """
        for name, tensor in parts.items():
            side, _, key = name.rpartition(".")
            if side and side not in self._modules:
                self.add_module(side, nn.Module())
            (self.get_submodule(side) if side else self).register_buffer(key, tensor)

    def parts(self) -> dict[str, torch.Tensor]:
        """Every tensor held besides the bias, by name."""
        return {name: buffer for name, buffer in self.named_buffers() if buffer is not None}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return x W^T + b for `inputs` [..., in_features]."""
        if self.way == "unprepared":
            raise GoodhartError("CalderaLinear: used before prepare(); load the model first.")
        values = inputs.reshape(-1, self.in_features)
        if self.record.settings.hadamard:
            values = Rotation(self.in_features, "in").apply(values.float()).to(inputs.dtype)
        result = self._product(values)
        if self.record.settings.hadamard:
            turned = Rotation(self.out_features, "out").invert(result.float())
            result = turned.to(inputs.dtype)
        if self.bias is not None:
            result = result + self.bias.to(result.dtype)
        return result.view(*inputs.shape[:-1], self.out_features)

    def prepare(self, dtype: torch.dtype, ways: tuple[str, ...] = ("int4", "triton")) -> Self:
        """Get ready to compute in `dtype` on the device the parts are on; return the layer.

        `ways`: the faster ways that may be taken where they can serve. A layer whose parts are on
        the meta device (offloaded) stays as it is stored.
        """
        if self.way != "unprepared":
            raise GoodhartError("CalderaLinear: prepared already.")
        self._dtype = dtype
        if self.codes.is_meta:
            self.way = "stored"
            return self
        self.way = self.way_for(dtype, ways)
        if self.way == "int4":
            zeros = self._zeros()
            self.codes = int4.pack(self.codes, self.in_features)
            self.scales_offsets = nn.Buffer(int4.scales_and_offsets(self.scales, zeros))
            del self.scales
            if zeros is not None:
                del self.zeros
        if self.record.rank:
            by_int4, left = self.way == "int4", self._side("left")
            right = factors.hold_right(self._side("right"), self.record, dtype, by_int4)
            self._replace("right", right)
            self._replace("left", factors.hold_left(left, self.record, dtype))
        return self

    def way_for(self, dtype: torch.dtype, ways: tuple[str, ...] = ("int4", "triton")) -> str:
        """Return the way that `prepare` takes for `dtype` on the device the parts are on."""
        settings = self.record.settings
        if settings.codebook != "scalar":
            return "stored"
        device = self.codes.device
        rows, columns = self.record.shape
        fits = int4.serves(rows, columns, settings.bits, settings.group_size, device)
        if "int4" in ways and dtype == int4.DTYPE and fits:
            return "int4"
        if "triton" in ways and device.type == "cuda":
            from goodhart_gap.runtime import triton_kernel

            if triton_kernel.available() and triton_kernel.serves(self.record):
                return "triton"
        return "stored"

    def restore(self) -> Self:
        """Undo `prepare`, so that the layer can be moved; factors held as numbers stay so."""
        if self.record.rank:
            for side in ("right", "left"):
                again = factors.stored_again(self._side(side), self.record)
                self._replace(side, {})
                self.hold({f"{side}.{name}": part for name, part in again.items()})
        if self.way == "int4":
            pairs = self.scales_offsets.float().transpose(0, 1)
            self.codes = int4.unpack(self.codes, self.out_features, self.in_features)
            self.scales = nn.Buffer(pairs[..., 0].to(torch.bfloat16).contiguous())
            if not self.record.settings.symmetric:
                shift = torch.nan_to_num(pairs[..., 1] / pairs[..., 0])
                zeros = torch.round(8 - shift).clamp_(0, 15)
                self.zeros = nn.Buffer(pack(zeros.to(torch.int64), 4))
            del self.scales_offsets
        self.way = "unprepared"
        return self

    def dense(self, dtype: torch.dtype, rounded: torch.dtype | None = None) -> nn.Linear:
        """Return an ordinary layer with the weight Q + L R in `dtype`, on the same device.

        `rounded`: the number format of the base checkpoint, to which the weight is rounded first.
        """
        if self.way != "unprepared":
            raise GoodhartError("CalderaLinear: prepared already; restore() it first.")
        device, parts = self.codes.device, self.parts()
        if self.record.settings.codebook != "scalar":
            # The tables of the other codebooks are on the CPU.
            parts = {name: part.cpu() for name, part in parts.items()}
        weight = restore(parts, self.record).dense().to(device, rounded or dtype).to(dtype)
        layer = nn.Linear(1, 1, bias=False, device="meta")
        layer.in_features, layer.out_features = self.in_features, self.out_features
        layer.weight = nn.Parameter(weight, requires_grad=False)
        if self.bias is not None:
            layer.bias = self.bias
        return layer

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        settings = self.record.settings
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, bits={settings.bits}, codebook={settings.codebook}, "
            f"rank={self.record.rank}, way={self.way}"
        )

    def _product(self, values: torch.Tensor) -> torch.Tensor:
        """x (Q + L R)^T of `values` [n, in_features]."""
        if not self.record.rank:
            return self._quantized(values)
        thin = factors.right_product(values, self._side("right"), self.record)
        left = factors.left_numbers(self._side("left"), self.record, values.dtype)
        return torch.addmm(self._quantized(values), thin, left)

    def _quantized(self, values: torch.Tensor) -> torch.Tensor:
        """x Q^T of `values` [n, in_features]."""
        if self.way == "int4":
            wide = values.to(int4.DTYPE)
            found = int4.product(
                wide, self.codes, self.scales_offsets, self.record.settings.group_size
            )
            return found.to(values.dtype)
        held = ((name, self._buffers.get(name)) for name in OWN)
        parts = {name: part for name, part in held if part is not None}
        if self.way == "triton" and values.is_cuda:
            from goodhart_gap.runtime import triton_kernel

            return triton_kernel.product(values, parts, self.record)
        return stored.product(values, parts, self.record)

    def _side(self, side: str) -> dict[str, torch.Tensor]:
        """What is held of a factor: in a module as stored, in the layer itself once prepared."""
        if side in self._modules:
            return dict(self.get_submodule(side).named_buffers())
        start = f"{side}_"
        return {
            name.removeprefix(start): part
            for name, part in self._buffers.items()
            if name.startswith(start) and part is not None
        }

    def _replace(self, side: str, held: Tensors) -> None:
        """Hold `held` of a factor in the layer itself, instead of what is held now."""
        if side in self._modules:
            del self._modules[side]
        for name in [name for name in self._buffers if name.startswith(f"{side}_")]:
            del self._buffers[name]
        for name, tensor in held.items():
            self.register_buffer(f"{side}_{name}", tensor)

    def _zeros(self) -> torch.Tensor | None:
        """Zero points [rows, groups] of an asymmetric grid."""
        if not hasattr(self, "zeros"):
            return None
        return unpack(self.zeros, self.record.settings.bits, self.scales.shape[1])

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """Prepare anew when `.to(device)` moves the layer: layouts differ between devices.

        Number formats stay under `.to(dtype)`, `.half()` and the like: what is stored means nothing
        in another one, and not even a round trip keeps a float32 scale in bfloat16.
        """
        before = self.codes.device
        after = fn(torch.empty(0, dtype=torch.bfloat16, device=before)).device
        moves = after.type != before.type and "meta" not in (after.type, before.type)
        prepared = self.way != "unprepared"
        if moves and prepared:
            self.restore()
        super()._apply(lambda tensor: _moved(tensor, fn(tensor)), recurse)
        return self.prepare(self._dtype) if moves and prepared else self


def _moved(tensor: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """Return `changed` if it has the number format of `tensor`, else `tensor` on its device."""
    return changed if changed.dtype == tensor.dtype else tensor.to(changed.device)
