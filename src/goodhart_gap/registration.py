"""Tell transformers about our checkpoints as soon as it is there, and not before.

`import goodhart_gap` must stay light: most of the workflow's jobs need neither transformers nor
torch. So nothing is imported here. If transformers is loaded already, the quantizer is registered
at once; otherwise an import hook waits for `transformers.quantizers.auto`, which every way of
loading a model goes through, and registers it then.

The finder and the loader are plain classes: `importlib.abc` would double the time of the import.
The quantizer is imported by name, on purpose out of sight of `provenance.code_digest`: a script
whose result depends on it imports `goodhart_gap.runtime` itself.
"""

import importlib
import importlib.machinery
import sys
from typing import Any

AWAITED = "transformers.quantizers.auto"

QUANTIZER = "goodhart_gap.runtime.quantizer"


def install() -> None:
    """Register the quantizer now if transformers' own are loaded, else as soon as they are."""
    if AWAITED in sys.modules:
        importlib.import_module(QUANTIZER)
    elif not any(isinstance(finder, _Awaiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Awaiting())


class _Awaiting:
    """Finds the awaited module as all others would, once, and adds a step to its loading."""

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != AWAITED:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = _Registering(spec.loader)
            spec.loader = loader
        return spec


class _Registering:
    """Loads a module as its own loader does, then imports the quantizer."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        importlib.import_module(QUANTIZER)
