"""Imports: checkpoints that others have compressed, as conditions of an experiment."""


include: "functions/imports.smk"


rule import_checkpoint:
    input:
        base_config="<results>/models/{model}/base/config.json",
        files=files_of_import,
    output:
        record="<results>/models/{model}/{condition}/import.json",
    log:
        "<logs>/import_checkpoint/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/import_checkpoint/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=IMPORTED_CONDITIONS,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        files=import_files_flag,
        settings=import_settings,
        code=code_digest("import_checkpoint"),
    message:
        "Recording {wildcards.condition} for {wildcards.model}"
    shell:
        "python scripts/import_checkpoint.py --base-config {input.base_config} {params.files}"
        " {input.files} --record {output.record} --import {params.settings:q} 2>&1 | tee {log}"
