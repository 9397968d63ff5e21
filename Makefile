# The two commands of the README: `make reproduce` and `make test`. Each sets up what it needs.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
VENV := .venv
INSTALL := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-compile
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.PHONY: reproduce published report validate-graders test test-long check check-form check-types docs lock hub clean bench bench-sampling bench-quality rehearsal

reproduce: $(VENV)/installed
	@$(IN_VENV) python -m goodhart_gap.locks
	$(IN_VENV) snakemake --cores $(CORES) all

# The published experiments, from their tables of facts: seconds, without a model.
published: $(VENV)/installed
	$(IN_VENV) snakemake --cores $(CORES) published

# One file to open in a browser, offline: documents, tables and figures of the published experiments,
# with captions and the graph that made them. Snakemake never awaits the sizes of inputs when it
# writes a report, and Python would warn of each.
report: published
	PYTHONWARNINGS=ignore::RuntimeWarning $(IN_VENV) snakemake --cores $(CORES) --report report.html published

# How well the graders judge: the acceptance suite and the gold set, ours and the original's.
validate-graders: $(VENV)/installed
	$(IN_VENV) snakemake --cores 1 --forcerun validate_graders -- results/smollm2-n100/tables/graders.csv

# Files in their order: those of the workflow, which take minutes each, come first, and the many short
# ones after them keep both workers busy to the end. Threads wait as they do in jobs
# (rules/common.smk), since two workers have the same cores.
test: check
	$(IN_VENV) GOMP_SPINCOUNT=5000 pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" --durations=25

# The tests that take minutes each: the rehearsal of the 72B experiment with faults in every stage.
test-long: $(VENV)/installed
	$(IN_VENV) pytest -m long

# Types take longest, so the rest runs beside them.
check: $(VENV)/installed
	@$(MAKE) --no-print-directory --jobs 2 check-form check-types

check-form: $(VENV)/installed
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) snakefmt --check Snakefile rules
	$(IN_VENV) snakemake --lint

check-types: $(VENV)/installed
	$(IN_VENV) mypy

# What is generated of the documentation: config reference, JSON schemas, graders, rule graph.
docs: $(VENV)/installed
	$(IN_VENV) python -m goodhart_gap.config.reference
	$(IN_VENV) python -m goodhart_gap.provenance.schema
	$(IN_VENV) python -m goodhart_gap.evaluation.graders_page
	$(IN_VENV) python -m goodhart_gap.config.rule_graph

# The 72B experiment's own graph on a thin random model, through S3 and Slurm, with faults.
rehearsal: $(VENV)/installed
	rm -rf .cache/rehearsal
	$(IN_VENV) python -m tests.integration.rehearsal .cache/rehearsal

# Every stage of the default experiment against other ways to do its work, and against what the
# machine can do: benchmarks/RESULTS.md. Nothing else should run; on two cores it takes about 45 minutes
# if they multiply bfloat16, and 80 if they do not.
# Threads wait as they do in jobs (rules/common.smk).
bench: $(VENV)/installed
	$(IN_VENV) python -m benchmarks.growth
	$(IN_VENV) GOMP_SPINCOUNT=5000 python -m benchmarks.stages --cores $(CORES)

bench-sampling: $(VENV)/installed
	$(IN_VENV) snakemake --cores $(CORES) results/models/smollm2-135m/base/fingerprint.json
	$(IN_VENV) python benchmarks/sampling.py --base results/models/smollm2-135m/base

bench-quality: $(VENV)/installed
	$(IN_VENV) snakemake --cores $(CORES) results/models/smollm2-135m/uniform-4bit/fidelity.csv
	$(IN_VENV) python -m benchmarks.quality --base results/models/smollm2-135m/base \
	  --calibration results/models/smollm2-135m/calibration --page benchmarks/QUALITY.md

# A fresh resolution of pyproject.toml; torch's local build tag (+cpu) is left out, so that the
# same lock installs on machines that have another build of the same release.
lock:
	rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet torch==2.13.0
	.cache/lock/bin/python -m pip install --quiet ".[dev]"
	{ echo "# Made by 'make lock' from pyproject.toml; do not edit."; \
	  .cache/lock/bin/python -m pip freeze --all --exclude goodhart-gap --exclude pip \
	  | sed 's/+cpu$$//'; } > requirements.lock
	.cache/lock/bin/python -m pip install --quiet --constraint requirements.lock ".[hub]"
	{ echo "# Made by 'make lock': what the extra \`hub\` of pyproject.toml adds to requirements.lock; do not edit."; \
	  .cache/lock/bin/python -m pip freeze --all --exclude goodhart-gap --exclude pip \
	  | sed 's/+cpu$$//' | grep -vxFf requirements.lock; } > requirements-hub.lock
	rm -rf .cache/lock build
	{ echo "# Made by 'make lock': both locks, for 'snakemake --software-deployment-method conda'."; \
	  echo "name: goodhart-gap"; \
	  echo "channels: [conda-forge, nodefaults]"; \
	  echo "dependencies:"; echo "  - python=3.11"; echo "  - pip"; echo "  - pip:"; \
	  sed -n 's/^[^#].*/      - &/p' requirements.lock requirements-hub.lock; } > environment.yaml

# What streams a calibration data set from the hub: 170 MB that nothing else needs.
hub: $(VENV)/hub

clean:
	rm -rf $(VENV) results logs benchmarks/results .snakemake .cache

# torch comes first and by its exact version, so that nothing else can draw in another build. The
# lock is complete, so pip need not resolve it again, and a recent pip reads it three times faster
# than the one Python 3.11 brings. All cores compile, all but tests and torch's file for Python 3.12:
# what is compiled while a job runs counts as the job's memory, and where Python is told to write no
# bytecode (as in many containers), every job would compile ours again. As with pip, a file that does
# not compile is named and stops nothing.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or later is needed, and $(PYTHON) is " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11.") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) pip==26.3
	$(INSTALL) torch==2.13.0
	$(INSTALL) --no-deps --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	-$(VENV)/bin/python -m compileall -q -j 0 -x '/tests?/|/py312_' $(VENV)/lib src
	@touch $@

$(VENV)/hub: $(VENV)/installed requirements-hub.lock
	$(INSTALL) --no-deps --requirement requirements-hub.lock
	@touch $@
