"""Where large files live on S3: copy all others there at the end of each stage."""


include: "functions/storage.smk"


localrules:
    mirror,


rule mirror:
    input:
        finished=last_of_folder,
    output:
        record="<results>/mirror/{folder}.json",
    log:
        "<logs>/mirror/{folder}.log",
    benchmark:
        "<benchmarks>/mirror/{folder}.jsonl"
    wildcard_constraints:
        folder="|".join(map(re.escape, MIRRORED)),
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=60,
    params:
        prefix=CONFIG.storage.prefix,
        patience=CONFIG.storage.patience_s,
        results=RESULTS,
        code=code_digest("mirror"),
    message:
        "Copying what is finished of {wildcards.folder} to {params.prefix}"
    shell:
        "python scripts/mirror.py --finished {input.finished} --prefix {params.prefix:q}"
        " --patience {params.patience} --results {params.results:q} --folder {wildcards.folder}"
        " --record {output.record} > {log} 2>&1"
