"""What a start need not wait for, and what it can be refused for, before the rules are read."""

import gc

from goodhart_gap.operations.watching import keep_watching

# A graph is objects that all live until the run ends; looking through them for garbage again and
# again takes a tenth of the time until the first job.
gc.freeze()
gc.set_threshold(100_000)


# Snakemake imports every plugin that is installed.
if "snakemake_executor_plugin_slurm" in sys.modules:
    keep_watching(sys.modules["snakemake_executor_plugin_slurm"].Executor)


def check_storage():
    """End with a sentence where S3 cannot be used: while the graph is built it would be a traceback.

    One or two requests. Before the first job, an object is written and removed, too.
    """
    if not CONFIG.storage or not workflow.is_main_process:
        return
    from goodhart_gap.operations.access import look_at_storage

    try:
        look_at_storage(CONFIG.storage.prefix, CONFIG.storage.patience_s)
    except GoodhartError as error:
        sys.exit(f"error: {error}")


check_storage()
