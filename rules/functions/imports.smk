"""Input and params functions of imports."""

import re

IMPORTED_CONDITIONS = (
    "|".join(re.escape(name) for name, each in CONFIG.conditions.items() if each.imported) or "(?!)"
)


def import_settings(wildcards):
    """JSON of ImportSettings."""
    return CONFIG.conditions[wildcards.condition].imported.model_dump_json()


def files_of_import(wildcards):
    """The files of a local import, so that a changed checkpoint is recorded again."""
    settings = CONFIG.conditions[wildcards.condition].imported
    if not settings.source.startswith("file:"):
        return []
    return sorted(str(path) for path in Path(settings.place).rglob("*") if path.is_file())


def import_files_flag(wildcards):
    """The option that passes the files of a local import."""
    return "--files" if files_of_import(wildcards) else ""
