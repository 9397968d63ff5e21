"""Our safetensors reader and writer agree with the safetensors library."""

from pathlib import Path

import numpy
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.tensor_files import TensorFileWriter, read_header


def test_the_library_reads_what_we_write_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {"b": numpy.arange(6, dtype="<f4").reshape(2, 3), "a": numpy.ones(5, dtype="<f4")}
    with TensorFileWriter(path, header_bytes=512) as file:
        for name, tensor in tensors.items():
            file.add(name, "F32", list(tensor.shape), tensor.tobytes())
        file.metadata["tokens"] = "12"
    loaded = load_file(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        numpy.testing.assert_array_equal(loaded[name], tensor)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"tokens": "12"}


def test_we_read_the_header_of_what_the_library_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": numpy.zeros((2, 3), dtype="<f2")}, path, metadata={"k": "v"})
    header = read_header(path)
    assert header.metadata == {"k": "v"}
    assert header.tensors["w"] == {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}
    assert header.start + 12 == path.stat().st_size


@pytest.mark.parametrize("kept_bytes", [0, 5, 40, -1])
def test_a_truncated_file_is_named(tmp_path: Path, kept_bytes: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": numpy.zeros((2, 3), dtype="<f2")}, path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(GoodhartError, match=r"x\.safetensors"):
        read_header(path)


def test_a_header_that_outgrows_its_room_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="header needs"),
        TensorFileWriter(tmp_path / "x.safetensors", header_bytes=16) as file,
    ):
        file.add("w", "F32", [1], b"\0\0\0\0")


def test_a_name_is_written_once(tmp_path: Path) -> None:
    with TensorFileWriter(tmp_path / "x.safetensors", header_bytes=128) as file:
        file.add("w", "F32", [1], b"\0\0\0\0")
        with pytest.raises(ValueError, match="w is in"):
            file.add("w", "F32", [1], b"\0\0\0\0")
