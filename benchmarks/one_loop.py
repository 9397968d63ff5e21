"""Jobs of a finished run once more, one after another in this process: no graph, no start-up.

    python benchmarks/one_loop.py jobs.json    # in the folder of the run

jobs.json lists {"script", "words"}: what each job's command line was, by its manifest. Outputs are
made again where they are.
"""

import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text()):
        script = Path("scripts") / f"{job['script']}.py"
        sys.argv = [str(script), *job["words"]]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
