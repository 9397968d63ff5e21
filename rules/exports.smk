"""Exports: compressed checkpoints in the formats of other tools, each checked against ours.

snakemake results/models/smollm2-135m/uniform-4bit/exports/dense/agreement.json
"""


include: "functions/exports.smk"


rule export_dense:
    input:
        shards=export_weights,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        base_config="<results>/models/{model}/base/config.json",
        companions=collect("<results>/models/{{model}}/base/{name}", name=COMPANIONS),
    output:
        weights="<results>/models/{model}/{condition}/exports/dense/model.safetensors",
        config="<results>/models/{model}/{condition}/exports/dense/config.json",
        copies=collect(
            "<results>/models/{{model}}/{{condition}}/exports/dense/{name}", name=COMPANIONS
        ),
    log:
        "<logs>/export_dense/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/export_dense/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=EXPORTABLE,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("export_dense", small_mb=4000),
        runtime=minutes_of("export_dense", small=120),
        disk_mb=disk_of("export_dense"),
    params:
        code=code_digest("export_dense"),
    message:
        "Writing {wildcards.condition} of {wildcards.model} with dense weights"
    shell:
        "python scripts/export_dense.py --shards {input.shards} --index {input.index}"
        " --base-config {input.base_config} --companions {input.companions}"
        " --weights {output.weights} --config {output.config} --copies {output.copies} 2>&1 | tee {log}"


rule export_compressed_tensors:
    input:
        shards=export_weights,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        base_config="<results>/models/{model}/base/config.json",
        fingerprint="<results>/models/{model}/base/fingerprint.json",
        companions=collect("<results>/models/{{model}}/base/{name}", name=COMPANIONS),
    output:
        weights="<results>/models/{model}/{condition}/exports/compressed-tensors/model.safetensors",
        config="<results>/models/{model}/{condition}/exports/compressed-tensors/config.json",
        adapter="<results>/models/{model}/{condition}/exports/compressed-tensors/adapter/adapter_model.safetensors",
        adapter_config=(
            "<results>/models/{model}/{condition}/exports/compressed-tensors/adapter/adapter_config.json"
        ),
        copies=collect(
            "<results>/models/{{model}}/{{condition}}/exports/compressed-tensors/{name}",
            name=COMPANIONS,
        ),
    log:
        "<logs>/export_compressed_tensors/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/export_compressed_tensors/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=EXPORTABLE,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("export_compressed_tensors", small_mb=4000),
        runtime=minutes_of("export_compressed_tensors", small=120),
        disk_mb=disk_of("export_compressed_tensors"),
    params:
        code=code_digest("export_compressed_tensors"),
    message:
        "Writing {wildcards.condition} of {wildcards.model} for compressed-tensors and PEFT"
    shell:
        "python scripts/export_compressed_tensors.py --shards {input.shards} --index {input.index}"
        " --base-config {input.base_config} --fingerprint {input.fingerprint}"
        " --companions {input.companions} --weights {output.weights} --config {output.config}"
        " --adapter {output.adapter} --adapter-config {output.adapter_config}"
        " --copies {output.copies} 2>&1 | tee {log}"


rule export_gguf:
    input:
        shards=export_weights,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        base_config="<results>/models/{model}/base/config.json",
        tokenizer=collect(
            "<results>/models/{{model}}/base/{name}",
            name=("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
        ),
    output:
        gguf="<results>/models/{model}/{condition}/exports/gguf/model.gguf",
    log:
        "<logs>/export_gguf/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/export_gguf/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=EXPORTABLE,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("export_gguf", small_mb=4000),
        runtime=minutes_of("export_gguf", small=120),
        disk_mb=disk_of("export_gguf"),
    params:
        code=code_digest("export_gguf"),
    message:
        "Writing {wildcards.condition} of {wildcards.model} as GGUF"
    shell:
        "python scripts/export_gguf.py --shards {input.shards} --index {input.index}"
        " --base-config {input.base_config} --tokenizer {input.tokenizer}"
        " --gguf {output.gguf} 2>&1 | tee {log}"


rule export_caldera:
    input:
        shards=export_weights,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        config="<results>/models/{model}/{condition}/config.json",
        companions=collect("<results>/models/{{model}}/base/{name}", name=COMPANIONS),
    output:
        weights="<results>/models/{model}/{condition}/exports/caldera/model.safetensors",
        copies=collect(
            "<results>/models/{{model}}/{{condition}}/exports/caldera/{name}",
            name=["config.json", *COMPANIONS],
        ),
    log:
        "<logs>/export_caldera/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/export_caldera/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=EXPORTABLE,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("export_caldera", small_mb=2000),
        runtime=minutes_of("export_caldera", small=120),
        disk_mb=disk_of("export_caldera"),
    params:
        code=code_digest("export_caldera"),
    message:
        "Writing {wildcards.condition} of {wildcards.model} as a folder that stands alone"
    shell:
        "python scripts/export_caldera.py --shards {input.shards} --index {input.index}"
        " --config {input.config} --companions {input.companions} --weights {output.weights}"
        " --copies {output.copies} 2>&1 | tee {log}"


rule check_export:
    input:
        shards=export_weights,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
        base_config="<results>/models/{model}/base/config.json",
        fingerprint="<results>/models/{model}/base/fingerprint.json",
        tokens="<results>/models/{model}/calibration/tokens.safetensors",
        exported=exported_files,
    output:
        agreement="<results>/models/{model}/{condition}/exports/{format}/agreement.json",
    log:
        "<logs>/check_export/{model}/{condition}/{format}.log",
    benchmark:
        "<benchmarks>/check_export/{model}/{condition}/{format}.jsonl"
    wildcard_constraints:
        condition=EXPORTABLE,
        format="|".join(EXPORTED),
    conda:
        "../environment.yaml"
    threads: 2
    resources:
        mem_mb=memory_of("check_export", small_mb=8000),
        runtime=minutes_of("check_export", small=60),
        disk_mb=disk_of("check_export"),
    params:
        code=code_digest("check_export"),
    message:
        "Comparing the {wildcards.format} export of {wildcards.condition} of {wildcards.model}"
    shell:
        "python scripts/check_export.py --shards {input.shards} --index {input.index}"
        " --base-config {input.base_config} --fingerprint {input.fingerprint}"
        " --tokens {input.tokens} --exported {input.exported} --format {wildcards.format}"
        " --agreement {output.agreement} 2>&1 | tee {log}"
