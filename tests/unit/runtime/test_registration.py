"""`import goodhart_gap` is light, and transformers knows the quantizer whichever came first."""

import subprocess
import sys

import pytest

KNOWN = "from transformers.quantizers import auto; assert 'caldera' in auto.AUTO_QUANTIZER_MAPPING"

GONE = (
    "import sys; found = {type(finder).__module__ for finder in sys.meta_path}; "
    "assert 'goodhart_gap.registration' not in found"
)


def run(program: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    run(
        "import sys, goodhart_gap\n"
        "heavy = {'torch', 'transformers', 'numpy', 'goodhart_gap.runtime', 'importlib.abc'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )


@pytest.mark.parametrize(
    "program",
    [
        f"import goodhart_gap; from transformers import AutoModelForCausalLM; {KNOWN}; {GONE}",
        f"from transformers.quantizers import auto; import goodhart_gap; {KNOWN}; {GONE}",
    ],
    ids=["ours first", "transformers first"],
)
def test_the_quantizer_is_registered_and_the_hook_gone(program: str) -> None:
    run(program)
