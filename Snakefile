"""Does compressing a language model change what it can do compared with what it can explain?

One graph of files, from a base checkpoint to a sentence in a report. Read it in this order: the
configuration (config/README.md), then rules/ from top to bottom of the list below.
"""

from snakemake.utils import min_version

min_version("9.27")


# What jobs cost is measured, not made: it lies with the logs, not among the programs of
# benchmarks/.
pathvars:
    benchmarks="logs/benchmarks",


configfile: "config/models.yaml"
configfile: "config/conditions.yaml"
configfile: "config/published.yaml"
configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/models.smk"
include: "rules/calibration.smk"
include: "rules/compression.smk"
include: "rules/reuse.smk"
include: "rules/evaluation.smk"
include: "rules/analysis.smk"
include: "rules/documents.smk"
include: "rules/operations.smk"


if CONFIG.storage:

    include: "rules/storage.smk"


# Seconds of work on small files: not worth a place in a cluster's queue.
localrules:
    all,
    published,
    fingerprint_model,
    allocate,
    freeze_prompts,
    freeze_tasks,
    score_responses,
    validate_graders,
    aggregate,
    draw_figures,
    write_analysis,
    write_quadrants,
    write_audit,
    write_paper,


rule all:
    default_target: True
    input:
        collect("<results>/{experiment}/ANALYSIS.md", experiment=CONFIG.build),
        collect("<results>/mirror/{folder}.json", folder=MIRRORED if CONFIG.storage else []),


rule published:
    input:
        collect("<results>/{experiment}/ANALYSIS.md", experiment=PUBLISHED),
        collect("<results>/{experiment}/QUADRANTS.md", experiment=PUBLISHED),
        "<results>/published/AUDIT.md",
        collect("<results>/{experiment}/paper.pdf", experiment=PUBLISHED[:1]),
