"""Sweeps over blocks and bits: what each condition does to held-out text and tasks, as documents."""


include: "functions/sweeps.smk"


rule measure_divergence:
    input:
        config="<results>/models/{model}/base/config.json",
        fingerprint="<results>/models/{model}/base/fingerprint.json",
        tokens="<results>/models/{model}/calibration/tokens.safetensors",
        embeddings=large("<results>/models/{model}/base/embeddings.safetensors"),
        base=base_shards,
        shards=reused_shards,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
    output:
        divergence="<results>/models/{model}/{condition}/divergence.csv",
    log:
        "<logs>/measure_divergence/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/measure_divergence/{model}/{condition}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("measure_divergence", small_mb=4000),
        runtime=minutes_of("measure_divergence", small=60),
        disk_mb=disk_of("measure_divergence"),
        gpu=gpus_of("measure_divergence"),
    params:
        code=code_digest("measure_divergence"),
    message:
        "Measuring how far {wildcards.condition} of {wildcards.model} is from the base"
    shell:
        "python scripts/measure_divergence.py --config {input.config}"
        " --fingerprint {input.fingerprint} --tokens {input.tokens}"
        " --base {input.embeddings} {input.base} --shards {input.embeddings} {input.shards}"
        " --index {input.index} --threads {threads} --divergence {output.divergence}"
        " 2>&1 | tee {log}"


rule profile_blocks:
    input:
        config="<results>/models/{model}/base/config.json",
        tokens="<results>/models/{model}/calibration/tokens.safetensors",
        embeddings=large("<results>/models/{model}/base/embeddings.safetensors"),
        base=base_shards,
        shards=reused_shards,
        index="<results>/models/{model}/{condition}/model.safetensors.index.json",
    output:
        profile="<results>/models/{model}/{condition}/profile.csv",
    log:
        "<logs>/profile_blocks/{model}/{condition}.log",
    benchmark:
        "<benchmarks>/profile_blocks/{model}/{condition}.jsonl"
    wildcard_constraints:
        condition=COMPRESSED_CONDITIONS,
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=memory_of("profile_blocks", small_mb=4000),
        runtime=minutes_of("profile_blocks", small=120),
        disk_mb=disk_of("profile_blocks"),
        gpu=gpus_of("profile_blocks"),
    params:
        settings=profile_settings,
        code=code_digest("profile_blocks"),
    message:
        "Profiling the blocks of {wildcards.model} under {wildcards.condition}"
    shell:
        "python scripts/profile_blocks.py --config {input.config} --tokens {input.tokens}"
        " --embeddings {input.embeddings} --base {input.base} --shards {input.shards}"
        " --index {input.index} --threads {threads} --profile {output.profile}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule tabulate_sweep:
    input:
        table=rules.aggregate.output.table,
        comparisons=rules.test_hypotheses.output.comparisons,
        flips=rules.test_hypotheses.output.flips,
        rates=rules.aggregate.output.rates,
        configs=of_changed_conditions("config.json"),
        divergences=of_changed_conditions("divergence.csv"),
        allocations=of_changed_conditions("allocation.json"),
    output:
        sweep="<results>/{experiment}/tables/sweep.csv",
        answers="<results>/{experiment}/tables/answers.csv",
        budget="<results>/{experiment}/tables/budget.csv",
        controls="<results>/{experiment}/tables/controls.csv",
        reuse="<results>/{experiment}/tables/reuse.csv",
    log:
        "<logs>/tabulate_sweep/{experiment}.log",
    benchmark:
        "<benchmarks>/tabulate_sweep/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        facts=facts_of_sweep,
        code=code_digest("tabulate_sweep"),
    message:
        "Put what the conditions of {wildcards.experiment} cost and change into one table"
    shell:
        "python scripts/tabulate_sweep.py --table {input.table} --comparisons {input.comparisons}"
        " --flips {input.flips} --rates {input.rates} --configs {input.configs}"
        " --divergences {input.divergences} --allocations {input.allocations}"
        " --facts {params.facts:q} --sweep {output.sweep} --answers {output.answers}"
        " --budget {output.budget} --controls {output.controls} --reuse {output.reuse}"
        " 2>&1 | tee {log}"


rule rank_blocks:
    input:
        profile=profile_of,
        sweep=rules.tabulate_sweep.output.sweep,
        sensitivity=sensitivity_of,
    output:
        blocks="<results>/{experiment}/tables/blocks.csv",
        agreement="<results>/{experiment}/tables/agreement.csv",
        shape="<results>/{experiment}/tables/shape.csv",
    log:
        "<logs>/rank_blocks/{experiment}.log",
    benchmark:
        "<benchmarks>/rank_blocks/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        facts=facts_of_profile,
        sensitivity=sensitivity_flag,
        code=code_digest("rank_blocks"),
    message:
        "Rank the blocks of {wildcards.experiment} by every measure"
    shell:
        "python scripts/rank_blocks.py --profile {input.profile} --sweep {input.sweep}"
        " {params.sensitivity} {input.sensitivity} --facts {params.facts:q} --blocks {output.blocks} --agreement {output.agreement}"
        " --shape {output.shape} > {log} 2>&1"


rule write_ablation:
    input:
        sweep=rules.tabulate_sweep.output.sweep,
        answers=rules.tabulate_sweep.output.answers,
        budget=rules.tabulate_sweep.output.budget,
        controls=rules.tabulate_sweep.output.controls,
        reuse=rules.tabulate_sweep.output.reuse,
        by_task=rules.aggregate.output.by_task,
        quadrants=rules.aggregate.output.quadrants,
        published_rates=published_table("rates"),
        published_comparisons=published_table("comparisons"),
    output:
        figure=report(
            "<results>/{experiment}/figures/ablation.svg",
            caption="captions/ablation.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Ablation"},
        ),
        document="<results>/{experiment}/ABLATION.md",
        page=report(
            "<results>/{experiment}/ABLATION.html",
            caption="captions/ablation.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Ablation"},
        ),
    log:
        "<logs>/write_ablation/{experiment}.log",
    benchmark:
        "<benchmarks>/write_ablation/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        published=published_options,
        facts=facts_of_sweep,
        code=code_digest("write_sweep"),
        kind="ablation",
    message:
        "Write the {params.kind} of {wildcards.experiment}"
    shell:
        "python scripts/write_sweep.py --kind {params.kind} --sweep {input.sweep}"
        " --answers {input.answers} --budget {input.budget} --controls {input.controls}"
        " --reuse {input.reuse} --by-task {input.by_task} --quadrants {input.quadrants}"
        " {params.published} --facts {params.facts:q} --figure {output.figure}"
        " --document {output.document} --page {output.page} > {log} 2>&1"


use rule write_ablation as write_bits with:
    output:
        figure=report(
            "<results>/{experiment}/figures/bits.svg",
            caption="captions/bits.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Bits"},
        ),
        document="<results>/{experiment}/BITS.md",
        page=report(
            "<results>/{experiment}/BITS.html",
            caption="captions/bits.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Bits"},
        ),
    log:
        "<logs>/write_bits/{experiment}.log",
    benchmark:
        "<benchmarks>/write_bits/{experiment}.jsonl"
    params:
        published=published_options,
        facts=facts_of_sweep,
        code=code_digest("write_sweep"),
        kind="bits",


rule write_sensitivity:
    input:
        blocks=rules.rank_blocks.output.blocks,
        agreement=rules.rank_blocks.output.agreement,
        shape=rules.rank_blocks.output.shape,
        sweep=rules.tabulate_sweep.output.sweep,
        reuse=rules.tabulate_sweep.output.reuse,
    output:
        figure=report(
            "<results>/{experiment}/figures/profile.svg",
            caption="captions/sensitivity.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Sensitivity of blocks"},
        ),
        document="<results>/{experiment}/SENSITIVITY.md",
        page=report(
            "<results>/{experiment}/SENSITIVITY.html",
            caption="captions/sensitivity.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Sensitivity of blocks"},
        ),
    log:
        "<logs>/write_sensitivity/{experiment}.log",
    benchmark:
        "<benchmarks>/write_sensitivity/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        facts=facts_of_profile,
        code=code_digest("write_sensitivity"),
    message:
        "Write the sensitivity of the blocks of {wildcards.experiment}"
    shell:
        "python scripts/write_sensitivity.py --blocks {input.blocks} --agreement {input.agreement}"
        " --shape {input.shape} --sweep {input.sweep} --reuse {input.reuse}"
        " --facts {params.facts:q} --figure {output.figure} --document {output.document}"
        " --page {output.page} > {log} 2>&1"
