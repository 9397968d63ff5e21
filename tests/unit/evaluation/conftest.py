import os
from pathlib import Path

import pytest

from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import Task

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def original() -> dict[str, Task]:
    tasks = read_task_set(ROOT / "config/tasks/original-20.yaml")
    return {task.id: task for task in tasks}


@pytest.fixture(scope="session")
def published() -> Path:
    folder = Path(os.environ.get("GOODHART_PUBLISHED", ROOT.parent / "shared/published"))
    if not folder.is_dir():
        pytest.skip(f"no published record at {folder}; set GOODHART_PUBLISHED")
    return folder
