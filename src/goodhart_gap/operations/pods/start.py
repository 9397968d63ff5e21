"""What a pod does from its start to its end, as one shell script.

The pod stops itself when the run has ended, failed, or spent its time: the launcher may be gone by
then. The script travels in a variable, encoded, because RunPod's queries quote nothing.
"""

import base64
import shlex

from goodhart_gap.operations.pods.settings import PodSettings

VARIABLE = "GOODHART_START"
COMMAND = f"bash -c 'echo ${VARIABLE} | base64 -d | bash'"

SCRIPT = """\
set -uo pipefail
mkdir -p {volume} && cd {volume}
export HF_HOME={volume}/huggingface TMPDIR={volume}/tmp
mkdir -p "$TMPDIR"
log={volume}/pod.log
: > "$log"
report=(python -m goodhart_gap.operations.pods.report --log "$log" --prefix {prefix})
finish() {{
  code=$?
  # Only `all` copies small results by itself. A run whose results are not on S3 has not ended well.
  if [ -d {results} ]; then
    python -m goodhart_gap.cli mirror {results} {prefix} >> "$log" 2>&1 || code=$((code ? code : 1))
  fi
  # What it is copying now must not arrive after the whole log.
  kill "${{reporter:-}}" 2> /dev/null && wait "$reporter" 2> /dev/null
  "${{report[@]}}" --end "$code"
  runpodctl stop pod "$RUNPOD_POD_ID"
}}
trap finish EXIT
{{
  if [ ! -d workflow ]; then git clone --quiet {repository} workflow; fi \\
    && cd workflow && git fetch --quiet && git checkout --quiet {commit} || exit 1
  if ! python -c 'import goodhart_gap, snakemake' 2> /dev/null; then
    # The lock holds what S3 needs. Installing the package again would replace the editable install
    # by a copy, beside which no scripts lie.
    make .venv/installed || exit 1
  fi
}} >> "$log" 2>&1
if [ -d .venv ]; then export PATH="$PWD/.venv/bin:$PATH"; fi
"${{report[@]}}" --follow &
reporter=$!
python -m goodhart_gap.locks >> "$log" 2>&1
timeout --signal=TERM --kill-after=600 {seconds} snakemake --workflow-profile profiles/runpod \\
  --resources gpu={gpus} --configfile {configfile} --config {storage} -- {targets} >> "$log" 2>&1
"""


def start_script(settings: PodSettings, results: str, gpus: int, seconds: int) -> str:
    """Return the script.

    results: the folder they go to, which is copied at the end; seconds: after which the run is
    ended, since its money is spent.
    """
    quoted = {
        "volume": settings.volume_path,
        "results": results,
        "prefix": settings.prefix,
        "repository": settings.repository,
        "commit": settings.commit,
        "configfile": settings.configfile,
        "storage": f"storage={{prefix: {settings.prefix}}}",
    }
    return SCRIPT.format(
        **{key: shlex.quote(value) for key, value in quoted.items()},
        targets=shlex.join(settings.targets),
        gpus=gpus,
        seconds=seconds,
    )


def encoded(script: str) -> str:
    """Return a script as the value of VARIABLE."""
    return base64.b64encode(script.encode()).decode()
