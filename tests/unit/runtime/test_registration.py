"""`import goodhart_gap` is light, and transformers knows the quantizer whichever came first."""

import subprocess
import sys

import pytest

KNOWN = "from transformers.quantizers import auto; assert 'caldera' in auto.AUTO_QUANTIZER_MAPPING"


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
        f"import goodhart_gap; {KNOWN}",
        f"from transformers import AutoModelForCausalLM; import goodhart_gap; {KNOWN}",
        f"from transformers.quantizers import auto; import goodhart_gap; {KNOWN}",
    ],
    ids=["ours first", "transformers first", "its quantizers first"],
)
def test_the_quantizer_is_registered(program: str) -> None:
    run(program)


def test_the_hook_is_gone_when_it_has_done_its_work() -> None:
    run(
        f"import sys, goodhart_gap; {KNOWN}\n"
        "assert not [f for f in sys.meta_path if type(f).__module__ == 'goodhart_gap.registration']"
    )
