"""The statistics and documents start fast: none of them reaches torch."""

import subprocess
import sys
from pathlib import Path

import goodhart_gap.analysis

PACKAGE = Path(goodhart_gap.analysis.__file__).parent


def test_no_module_of_the_analysis_imports_torch():
    names = [
        "goodhart_gap.analysis." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    ]
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "sys.exit(','.join(sorted({'torch', 'transformers', 'snakemake'} & set(sys.modules))) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_recorded_facts_are_imported_without_pandas():
    code = (
        "import sys\nimport goodhart_gap.analysis.records\n"
        "sys.exit(','.join({'pandas', 'numpy', 'scipy'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
