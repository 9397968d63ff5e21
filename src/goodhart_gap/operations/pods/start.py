"""What a pod does from its start to its end, as one shell script.

The pod stops itself when the run has ended, failed, or spent its time: the launcher may be gone by
then. The script travels in a variable, encoded, because RunPod's queries quote nothing.
"""

import base64
import shlex

from goodhart_gap.operations.pods.settings import PodSettings

VARIABLE = "GOODHART_START"
COMMAND = f"bash -c 'echo ${VARIABLE} | base64 -d | bash'"

LONGEST_RESERVE_S = 900
"""The most of a pod's time that is kept for its end."""

SCRIPT = """\
set -uo pipefail
# SECONDS counts from here. The run, set-up included, ends early enough for what runs to finish and
# for what is finished to be copied. A limit of 0 would be none.
left() {{ echo $((SECONDS < $1 ? $1 - SECONDS : 1)); }}
limited() {{ timeout --kill-after=10 "$(left {run_s})" "$@"; }}
mkdir -p {volume} && cd {volume}
export HF_HOME={volume}/huggingface TMPDIR={volume}/tmp
mkdir -p "$TMPDIR"
log={volume}/pod.log
: > "$log"
report=(python -m goodhart_gap.operations.pods.report --log "$log" --prefix {prefix})
finish() {{
  code=$?
  if ((SECONDS >= {run_s})); then
    echo "The pod's time is spent but for the end: the run was ended." >> "$log"
  fi
  # What it is copying now must not arrive after what is copied here.
  kill "${{reporter:-}}" 2> /dev/null && wait "$reporter" 2> /dev/null
  # Only `all` copies small results by itself. A run whose results are not on S3 has not ended well.
  if [ -d {results} ]; then
    timeout --kill-after=10 "$(left {seconds})" \\
      python -m goodhart_gap.cli mirror {results} {prefix} >> "$log" 2>&1 \\
      || code=$((code ? code : 1))
  fi
  timeout --kill-after=10 "$((60 + $(left {seconds})))" "${{report[@]}}" --end "$code"
  # A pod that is not stopped is billed on.
  until runpodctl stop pod "$RUNPOD_POD_ID"; do sleep 30; done
}}
trap finish EXIT
{{
  if [ ! -d workflow ]; then limited git clone --quiet {repository} workflow; fi \\
    && cd workflow && limited git fetch --quiet && git checkout --quiet {commit} || exit 1
  if ! python -c 'import goodhart_gap, snakemake' 2> /dev/null; then
    # The locks hold what S3 and data sets need. Installing the package again would replace the
    # editable install by a copy, beside which no scripts lie.
    limited make hub || exit 1
  fi
}} >> "$log" 2>&1
if [ -d .venv ]; then export PATH="$PWD/.venv/bin:$PATH"; fi
"${{report[@]}}" --results {results} --follow >> "$log" 2>&1 &
reporter=$!
python -m goodhart_gap.locks >> "$log" 2>&1
# A container may use less than the machine has, which is what Snakemake would count.
run=(--workflow-profile profiles/runpod --cores {cores} --resources gpu={gpus} mem_mb={memory_mb}
  --configfile {configfile} --config {storage} -- {targets})
# What an earlier pod left on S3 is taken as made. Where that cannot be told, nothing runs: it would
# all be made, and paid, again.
limited python -m goodhart_gap.cli adopt {results} --empty -- "${{run[@]}}" >> "$log" 2>&1 || exit 1
# In the foreground, so that the signal reaches snakemake alone: it lets running jobs finish.
timeout --foreground --signal=TERM --kill-after={grace_s} "$(left {run_s})" \\
  snakemake "${{run[@]}}" >> "$log" 2>&1
"""


def reserve_s(seconds: int) -> int:
    """Return how many of a pod's seconds are kept for its end: a tenth, and 15 minutes at most."""
    return min(LONGEST_RESERVE_S, seconds // 10)


def start_script(settings: PodSettings, results: str, gpus: int, seconds: int) -> str:
    """Return the script.

    results: the folder they go to, which is copied at the end; seconds: what the pod is paid for,
    from its start to its end. In the reserve, jobs get two thirds to finish, copies the rest.
    """
    reserve = reserve_s(seconds)
    quoted = {
        "volume": settings.volume_path,
        "results": results,
        "prefix": settings.prefix,
        "repository": settings.repository,
        "commit": settings.commit,
        "configfile": settings.configfile,
        "storage": settings.storage,
    }
    return SCRIPT.format(
        **{key: shlex.quote(value) for key, value in quoted.items()},
        targets=shlex.join(settings.targets),
        gpus=gpus,
        cores=settings.vcpus,
        memory_mb=1000 * settings.memory_gb,
        seconds=seconds,
        run_s=seconds - reserve,
        grace_s=max(1, 2 * reserve // 3),
    )


def encoded(script: str) -> str:
    """Return a script as the value of VARIABLE."""
    return base64.b64encode(script.encode()).decode()
