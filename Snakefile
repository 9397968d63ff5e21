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
configfile: "config/sweeps.yaml"
configfile: "config/config.yaml"


# The first page of report.html.
report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/start.smk"
include: "rules/resources.smk"
include: "rules/models.smk"
include: "rules/calibration.smk"
include: "rules/compression.smk"
include: "rules/budget.smk"
include: "rules/reuse.smk"
include: "rules/exports.smk"
include: "rules/imports.smk"
include: "rules/evaluation.smk"
include: "rules/analysis.smk"
include: "rules/documents.smk"
include: "rules/sweeps.smk"
include: "rules/operations.smk"


if CONFIG.storage:

    include: "rules/storage.smk"


# Seconds of work on small files: not worth a place in a cluster's queue.
localrules:
    all,
    published,
    fingerprint_model,
    allocate,
    allocate_reuse,
    assemble_reuse,
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
    tabulate_sweep,
    rank_blocks,
    write_ablation,
    write_bits,
    write_sensitivity,


# Both forms of a document are asked for: Snakemake does not notice on its own that one is missing.
FORMS = ["md", "html"]


rule all:
    default_target: True
    input:
        collect("<results>/{experiment}/ANALYSIS.{form}", experiment=CONFIG.build, form=FORMS),
        collect("<results>/mirror/{folder}.json", folder=MIRRORED if CONFIG.storage else []),


rule published:
    input:
        collect(
            "<results>/{experiment}/{document}.{form}",
            experiment=PUBLISHED,
            document=["ANALYSIS", "QUADRANTS"],
            form=FORMS,
        ),
        collect("<results>/published/AUDIT.{form}", form=FORMS),
        collect("<results>/{experiment}/paper.pdf", experiment=PUBLISHED[:1]),


# Which blocks carry what a model can do, how many have to stay, at how many bits: sweeps that reuse
# compressed shards. `snakemake sensitivity ablation bits`.
rule sensitivity:
    input:
        collect(
            "<results>/{experiment}/SENSITIVITY.{form}",
            experiment=CONFIG.sweeps.sensitivity,
            form=FORMS,
        ),


rule ablation:
    input:
        collect(
            "<results>/{experiment}/ABLATION.{form}", experiment=CONFIG.sweeps.ablation, form=FORMS
        ),
        collect(
            "<results>/{experiment}/ANALYSIS.{form}", experiment=CONFIG.sweeps.ablation, form=FORMS
        ),
        collect("<results>/published/AUDIT.{form}", form=FORMS),


rule bits:
    input:
        collect("<results>/{experiment}/BITS.{form}", experiment=CONFIG.sweeps.bits, form=FORMS),
        collect("<results>/{experiment}/ANALYSIS.{form}", experiment=CONFIG.sweeps.bits, form=FORMS),
        collect("<results>/published/AUDIT.{form}", form=FORMS),
