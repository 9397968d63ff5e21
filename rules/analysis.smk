"""From outcomes (scored here, or read from a record) to tables, comparisons, and figures."""


include: "functions/analysis.smk"


# A rule for each recorded experiment: one job writes all of its outcome files, whose names share no
# wildcards.
for RECORDED in PUBLISHED:

    rule:
        name:
            f"import_{RECORDED}"
        input:
            record=CONFIG.experiments[RECORDED].record,
        output:
            outcomes=outcomes_of(RECORDED),
        log:
            f"<logs>/import_outcomes/{RECORDED}.log",
        benchmark:
            f"<benchmarks>/import_outcomes/{RECORDED}.jsonl"
        localrule: True
        conda:
            "../environment.yaml"
        threads: 1
        resources:
            mem_mb=200,
            runtime=5,
        params:
            experiment=RECORDED,
            model=CONFIG.experiments[RECORDED].model,
            design=design_of(RECORDED),
            code=code_digest("import_outcomes"),
        message:
            "Read the outcomes of {params.experiment} from its record"
        shell:
            "python scripts/import_outcomes.py --record {input.record}"
            " --experiment {params.experiment:q} --model {params.model:q}"
            " --design {params.design:q} --outcomes {output.outcomes} > {log} 2>&1"


rule aggregate:
    input:
        outcomes=outcome_files,
    output:
        table="<results>/{experiment}/tables/outcomes.csv",
        quadrants="<results>/{experiment}/tables/quadrants.csv",
        rates=report(
            "<results>/{experiment}/tables/rates.csv",
            caption="captions/rates.rst",
            category="{experiment}",
            subcategory="Tables",
            labels={"what": "Rates (CSV)"},
        ),
        by_task="<results>/{experiment}/tables/by_task.csv",
        by_category="<results>/{experiment}/tables/by_category.csv",
        responses="<results>/{experiment}/tables/responses.csv",
        coverage="<results>/{experiment}/tables/coverage.csv",
        seeds="<results>/{experiment}/tables/seeds.csv",
        seed_variance="<results>/{experiment}/tables/seed_variance.csv",
    log:
        "<logs>/aggregate/{experiment}.log",
    benchmark:
        "<benchmarks>/aggregate/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        design=experiment_design,
        confidence=confidence,
        code=code_digest("aggregate"),
    message:
        "Count the outcomes of {wildcards.experiment}"
    shell:
        "python scripts/aggregate.py --outcomes {input.outcomes} --design {params.design:q}"
        " --confidence {params.confidence} --table {output.table} --quadrants {output.quadrants}"
        " --rates {output.rates} --by-task {output.by_task} --by-category {output.by_category}"
        " --responses {output.responses} --coverage {output.coverage} --seeds {output.seeds}"
        " --seed-variance {output.seed_variance} > {log} 2>&1"


rule test_hypotheses:
    input:
        table=rules.aggregate.output.table,
        rates=rules.aggregate.output.rates,
        graders=graders_of,
    output:
        comparisons=report(
            "<results>/{experiment}/tables/comparisons.csv",
            caption="captions/comparisons.rst",
            category="{experiment}",
            subcategory="Tables",
            labels={"what": "Changes against the baseline (CSV)"},
        ),
        categories="<results>/{experiment}/tables/categories.csv",
        influence="<results>/{experiment}/tables/influence.csv",
        transitions="<results>/{experiment}/tables/transitions.csv",
        moves="<results>/{experiment}/tables/moves.csv",
        flips="<results>/{experiment}/tables/flips.csv",
        gate="<results>/{experiment}/tables/gate.csv",
        corrected="<results>/{experiment}/tables/corrected.csv",
    log:
        "<logs>/test_hypotheses/{experiment}.log",
    benchmark:
        "<benchmarks>/test_hypotheses/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        design=experiment_design,
        statistics=statistics_settings,
        graders=grader_options,
        code=code_digest("test_hypotheses"),
    message:
        "Compare the conditions of {wildcards.experiment} with its baseline"
    shell:
        "python scripts/test_hypotheses.py --table {input.table} --rates {input.rates}"
        " --design {params.design:q} --statistics {params.statistics:q} {params.graders}"
        " --comparisons {output.comparisons} --categories {output.categories}"
        " --influence {output.influence} --transitions {output.transitions}"
        " --moves {output.moves} --flips {output.flips} --gate {output.gate}"
        " --corrected {output.corrected} > {log} 2>&1"


rule simulate_power:
    input:
        table=rules.aggregate.output.table,
    output:
        power="<results>/{experiment}/tables/power.csv",
    log:
        "<logs>/simulate_power/{experiment}.log",
    benchmark:
        "<benchmarks>/simulate_power/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        design=experiment_design,
        statistics=statistics_settings,
        code=code_digest("simulate_power"),
    message:
        "Simulate larger experiments than {wildcards.experiment}"
    shell:
        "python scripts/simulate_power.py --table {input.table} --design {params.design:q}"
        " --statistics {params.statistics:q} --power {output.power} > {log} 2>&1"


rule draw_figures:
    input:
        quadrants=rules.aggregate.output.quadrants,
        by_task=rules.aggregate.output.by_task,
        by_category=rules.aggregate.output.by_category,
        comparisons=rules.test_hypotheses.output.comparisons,
        transitions=rules.test_hypotheses.output.transitions,
        flips=rules.test_hypotheses.output.flips,
        power=rules.simulate_power.output.power,
    output:
        quadrants=report(
            "<results>/{experiment}/figures/quadrants.svg",
            caption="captions/quadrants.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Quadrants"},
        ),
        tasks=report(
            "<results>/{experiment}/figures/tasks.svg",
            caption="captions/tasks.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Tasks, explained and solved"},
        ),
        differences=report(
            "<results>/{experiment}/figures/differences.svg",
            caption="captions/differences.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Changes against the baseline"},
        ),
        flow=report(
            "<results>/{experiment}/figures/flow.svg",
            caption="captions/flow.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Moves between quadrants"},
        ),
        flips=report(
            "<results>/{experiment}/figures/flips.svg",
            caption="captions/flips.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Flips and the noise floor"},
        ),
        power=report(
            "<results>/{experiment}/figures/power.svg",
            caption="captions/power.rst",
            category="{experiment}",
            subcategory="Figures",
            labels={"what": "Power of larger experiments"},
        ),
    log:
        "<logs>/draw_figures/{experiment}.log",
    benchmark:
        "<benchmarks>/draw_figures/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        baseline=baseline_of,
        margin=equivalence_margin,
        confidence=confidence,
        power_target=power_target,
        code=code_digest("draw_figures"),
    message:
        "Draw the figures of {wildcards.experiment}"
    shell:
        "python scripts/draw_figures.py --quadrants {input.quadrants} --by-task {input.by_task}"
        " --by-category {input.by_category} --comparisons {input.comparisons}"
        " --flips {input.flips} --transitions {input.transitions} --baseline {params.baseline:q}"
        " --margin {params.margin} --confidence {params.confidence}"
        " --power {input.power} --power-target {params.power_target}"
        " --power-figure {output.power} --quadrants-figure {output.quadrants}"
        " --tasks-figure {output.tasks} --differences-figure {output.differences}"
        " --flips-figure {output.flips} --flow-figure {output.flow} > {log} 2>&1"
