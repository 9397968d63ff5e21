"""The quick readers of GGUF files give what the library's own gives."""

from pathlib import Path

import gguf
import numpy
import pytest

from goodhart_gap.models.gguf_reading import QuickReader, WeightsReader, read_by, readers


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "some.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("some")
    writer.add_token_list(["a", "", "Grüße", "</s>"])
    writer.add_token_scores([0.5, -1.0, 2.0, 0.0])
    writer.add_context_length(64)
    values = numpy.arange(128, dtype=numpy.float32).reshape(2, 64)
    writer.add_tensor("token_embd.weight", values)
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", [QuickReader, WeightsReader])
def test_fields_and_tensors_are_those_of_the_library(
    path: Path, kind: type[gguf.GGUFReader]
) -> None:
    expected, found = gguf.GGUFReader(path), kind(path)
    assert list(found.fields) == list(expected.fields)
    for name, field in expected.fields.items():
        left_out = kind is WeightsReader and name == "tokenizer.ggml.tokens"
        assert found.fields[name].contents() == ([] if left_out else field.contents())
        assert found.fields[name].types == field.types
    for ours, theirs in zip(found.tensors, expected.tensors, strict=True):
        assert (ours.name, ours.tensor_type) == (theirs.name, theirs.tensor_type)
        numpy.testing.assert_array_equal(ours.data, theirs.data)


def failing_question(path: Path) -> None:
    assert gguf.GGUFReader(str(path)) is gguf.GGUFReader(str(path))
    raise ZeroDivisionError


def test_a_file_is_parsed_once_and_the_library_gets_its_reader_back(path: Path) -> None:
    before, found = gguf.GGUFReader, readers(QuickReader)
    with pytest.raises(ZeroDivisionError), read_by(found):
        failing_question(path)
    assert gguf.GGUFReader is before
