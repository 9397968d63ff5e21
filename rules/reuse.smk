"""Conditions whose modules lie in the compressed shards of others: an assembly, no compression."""


include: "functions/reuse.smk"


rule allocate_reuse:
    input:
        fingerprints=fingerprints_of_block_shards,
        reused=allocations_of_reused,
    output:
        allocation="<results>/models/{model}/{condition}/allocation.json",
    log:
        "<logs>/allocate_reuse/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/allocate_reuse/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=REUSING_CONDITIONS,
    priority: EARLY
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=allocation_settings,
        code=code_digest("allocate_reuse"),
    message:
        "Saying where the modules of {wildcards.condition} of {wildcards.model} come from"
    shell:
        "python scripts/allocate_reuse.py --fingerprints {input.fingerprints}"
        " --reused {input.reused} --model {wildcards.model} --condition {wildcards.condition}"
        " --allocation {output.allocation} --settings {params.settings:q} > {log} 2>&1"


rule assemble_reuse:
    input:
        shards=reused_shards,
        embeddings=large("<results>/models/{model}/base/embeddings.safetensors"),
        base_config="<results>/models/{model}/base/config.json",
        fingerprint="<results>/models/{model}/base/fingerprint.json",
        allocation=rules.allocate_reuse.output.allocation,
        reused=allocations_of_reused,
        companions=collect("<results>/models/{{model}}/base/{name}", name=COMPANIONS),
    output:
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        config="<results>/models/{model}/{condition}/config.json",
        fidelity="<results>/models/{model}/{condition}/fidelity.csv",
        companions=collect("<results>/models/{{model}}/{{condition}}/{name}", name=COMPANIONS),
    log:
        "<logs>/assemble_reuse/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/assemble_reuse/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=REUSING_CONDITIONS,
    priority: EARLY
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=condition_settings,
        code=code_digest("assemble_reuse"),
    message:
        "Assembling {wildcards.condition} of {wildcards.model} from shards that exist"
    shell:
        "python scripts/assemble_reuse.py --shards {input.shards} --embeddings {input.embeddings}"
        " --base-config {input.base_config} --fingerprint {input.fingerprint}"
        " --allocation {input.allocation} --reused {input.reused}"
        " --condition {wildcards.condition} --index {output.index} --config {output.config}"
        " --fidelity {output.fidelity} --companions {input.companions}"
        " --copies {output.companions} --settings {params.settings:q} > {log} 2>&1"
