"""Compression: decide what is compressed how, compress shard by shard, join and check."""


include: "functions/compression.smk"


rule allocate:
    input:
        fingerprints=fingerprints_of_block_shards,
    output:
        allocation="<results>/models/{model}/{condition}/allocation.json",
    log:
        "<logs>/allocate/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/allocate/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=UNIFORM_CONDITIONS,
    priority: EARLY
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=allocation_settings,
        code=code_digest("allocate"),
    message:
        "Allocating bits for {wildcards.condition} of {wildcards.model}"
    shell:
        "python scripts/allocate.py --fingerprints {input.fingerprints} --model {wildcards.model}"
        " --condition {wildcards.condition} --allocation {output.allocation}"
        " --settings {params.settings:q} > {log} 2>&1"


rule compress_shard:
    input:
        base=large("<results>/models/{model}/base/{shard}.safetensors"),
        fingerprint="<results>/models/{model}/base/{shard}.fingerprint.json",
        hessians=travelling("<results>/models/{model}/calibration/hessians/{shard}.safetensors"),
        allocation=rules.allocate.output.allocation,
    output:
        compressed=large("<results>/models/{model}/{condition}/{shard}.safetensors"),
    log:
        "<logs>/compress_shard/{model}/{condition}/{shard}.log",
    benchmark:
        "<benchmarks>/compress_shard/{model}/{condition}/{shard}.jsonl"
    wildcard_constraints:
        shard=BLOCK_SHARD_PATTERN,
        condition=COMPRESSED_CONDITIONS,
    priority: FIRST
    conda:
        "../environment.yaml"
    threads: compress_threads
    resources:
        mem_mb=memory_of("compress_shard", small_mb=4000),
        runtime=minutes_of("compress_shard", small=240),
        disk_mb=disk_of("compress_shard"),
    params:
        code=code_digest("compress_shard"),
    message:
        "Compressing {wildcards.shard} of {wildcards.model} as {wildcards.condition}"
    shell:
        "python scripts/compress_shard.py --base {input.base} --fingerprint {input.fingerprint}"
        " --hessians {input.hessians} --allocation {input.allocation} --threads {threads}"
        " --compressed {output.compressed} 2>&1 | tee {log}"


rule assemble:
    input:
        shards=compressed_shards,
        embeddings=large("<results>/models/{model}/base/embeddings.safetensors"),
        base_config="<results>/models/{model}/base/config.json",
        fingerprint="<results>/models/{model}/base/fingerprint.json",
        allocation=rules.allocate.output.allocation,
        companions=collect("<results>/models/{{model}}/base/{name}", name=COMPANIONS),
    output:
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        config="<results>/models/{model}/{condition}/config.json",
        fidelity="<results>/models/{model}/{condition}/fidelity.csv",
        companions=collect("<results>/models/{{model}}/{{condition}}/{name}", name=COMPANIONS),
    log:
        "<logs>/assemble/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/assemble/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=COMPRESSED_CONDITIONS,
    priority: EARLY
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=condition_settings,
        code=code_digest("assemble"),
    message:
        "Assembling {wildcards.condition} of {wildcards.model}"
    shell:
        "python scripts/assemble.py --shards {input.shards} --embeddings {input.embeddings}"
        " --base-config {input.base_config} --fingerprint {input.fingerprint}"
        " --allocation {input.allocation} --condition {wildcards.condition} --index {output.index}"
        " --config {output.config} --fidelity {output.fidelity} --companions {input.companions}"
        " --copies {output.companions} --settings {params.settings:q} > {log} 2>&1"
