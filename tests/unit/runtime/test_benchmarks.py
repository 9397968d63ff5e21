"""The GPU benchmarks run at toy size on the CPU, so that they work where there is a GPU."""

from benchmarks import gpu_block, gpu_linear


def test_every_way_is_measured_and_right() -> None:
    options = ["--toy", "--device", "cpu", "--batches", "1", "8", "--ranks", "16", "--repeats", "2"]
    first, *found = gpu_linear.main(options)
    assert first["copy_bytes_per_s"] > 0
    assert first["product_per_s"] > 0
    assert {row["way"] for row in found} == {"packed", "int4 alone", "dense", "dequantize"}
    assert len(found) == 2 * 2 * 4
    for row in found:
        assert row["seconds"] > 0
        assert row["error"] is None or row["error"] < 0.05, row


def test_verdicts_name_the_worst_shape() -> None:
    def row(outputs: int, way: str, seconds: float, share: float) -> dict:
        return {
            "outputs": outputs,
            "inputs": 8,
            "rank": 4,
            "batch": 1,
            "way": way,
            "seconds": seconds,
            "of_copy_bandwidth": share,
        }

    found = [
        row(1, "packed", 1.0, 0.8),
        row(1, "dense", 3.0, 0.9),
        row(1, "dequantize", 30.0, 0.1),
        row(2, "packed", 1.0, 0.6),
        row(2, "dense", 4.0, 0.9),
        row(2, "dequantize", 21.0, 0.1),
    ]
    assert gpu_linear.verdicts(found) == [
        "bandwidth: 0.60 at worst (2x8, rank 4), target 0.7: MISSED",
        "over dense: 3.00 at worst (1x8, rank 4), target 2.5: met",
        "over dequantize: 21.00 at worst (2x8, rank 4), target 20.0: met",
    ]


def test_a_block_is_compressed_and_projected() -> None:
    found = gpu_block.main(["--toy", "--device", "cpu", "--tokens", "256"])
    assert "projection" in found["what"]
    whats = [row["what"] for row in found["rows"]]
    assert len(whats) == 4 + 7
    assert all(row["relative_error"] < 0.2 for row in found["rows"] if "relative_error" in row)
    chained = found["of_which_hessians"] + found["of_which_forward_estimated"]
    weights = found["block_seconds"] - chained
    assert abs(found["projected_hours"] * 3600 / 80 - (chained + weights / 2)) < 1e-9
