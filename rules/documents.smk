"""From tables and figures to the documents people read."""


include: "functions/documents.smk"


rule write_analysis:
    input:
        **ANALYSIS_TABLES,
        pilot=pilot_rates,
        graders=graders_of,
        figures=rules.draw_figures.output,
        fingerprint=base_fingerprint,
    output:
        document="<results>/{experiment}/ANALYSIS.md",
        page=report(
            "<results>/{experiment}/ANALYSIS.html",
            caption="captions/analysis.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Analysis"},
        ),
    log:
        "<logs>/write_analysis/{experiment}.log",
    benchmark:
        "<benchmarks>/write_analysis/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        inputs=input_options,
        facts=experiment_facts,
        statistics=statistics_settings,
        code=code_digest("write_analysis"),
    message:
        "Write the analysis of {wildcards.experiment}"
    shell:
        "python scripts/write_analysis.py {params.inputs} --facts {params.facts:q}"
        " --statistics {params.statistics:q} --document {output.document} --page {output.page}"
        " > {log} 2>&1"


rule write_paper:
    input:
        **ANALYSIS_TABLES,
        pilot=pilot_rates,
        graders=graders_of,
        figures=rules.draw_figures.output,
        fingerprint=base_fingerprint,
        audit=audit_table("audit"),
        totals=audit_table("totals"),
        headline=audit_table("headline"),
    output:
        document=report(
            "<results>/{experiment}/paper.pdf",
            caption="captions/paper.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Paper (PDF)"},
        ),
    log:
        "<logs>/write_paper/{experiment}.log",
    benchmark:
        "<benchmarks>/write_paper/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        inputs=input_options,
        facts=experiment_facts,
        statistics=statistics_settings,
        code=code_digest("write_paper"),
    message:
        "Write the manuscript of {wildcards.experiment}"
    shell:
        "python scripts/write_paper.py {params.inputs} --facts {params.facts:q}"
        " --statistics {params.statistics:q} --document {output.document} > {log} 2>&1"


rule write_quadrants:
    input:
        by_task=rules.aggregate.output.by_task,
        moves=rules.test_hypotheses.output.moves,
        flips=rules.test_hypotheses.output.flips,
    output:
        document="<results>/{experiment}/QUADRANTS.md",
        page=report(
            "<results>/{experiment}/QUADRANTS.html",
            caption="captions/by_task.rst",
            category="{experiment}",
            subcategory="Documents",
            labels={"what": "Quadrants by task"},
        ),
    log:
        "<logs>/write_quadrants/{experiment}.log",
    benchmark:
        "<benchmarks>/write_quadrants/{experiment}.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        facts=experiment_facts,
        code=code_digest("write_quadrants"),
    message:
        "Write the quadrants of {wildcards.experiment} by task"
    shell:
        "python scripts/write_quadrants.py --by-task {input.by_task} --moves {input.moves}"
        " --flips {input.flips} --facts {params.facts:q} --document {output.document}"
        " --page {output.page} > {log} 2>&1"


rule audit_record:
    input:
        stated=STATED,
        tables=collect("<results>/{experiment}/tables/outcomes.csv", experiment=PUBLISHED),
    output:
        audit="<results>/published/tables/audit.csv",
        totals="<results>/published/tables/totals.csv",
        artefacts="<results>/published/tables/artefacts.csv",
        never_explained="<results>/published/tables/never_explained.csv",
        headline="<results>/published/tables/headline.csv",
    log:
        "<logs>/audit_record.log",
    benchmark:
        "<benchmarks>/audit_record.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        designs=audit_designs(),
        statistics=audit_statistics(),
        code=code_digest("audit_record"),
    message:
        "Recompute the figures the published documents state"
    shell:
        "python scripts/audit_record.py --stated {input.stated} --tables {input.tables}"
        " --designs {params.designs:q} --statistics {params.statistics:q} --audit {output.audit}"
        " --totals {output.totals} --artefacts {output.artefacts}"
        " --never-explained {output.never_explained} --headline {output.headline} > {log} 2>&1"


rule write_audit:
    input:
        audit=rules.audit_record.output.audit,
        totals=rules.audit_record.output.totals,
        artefacts=rules.audit_record.output.artefacts,
        never_explained=rules.audit_record.output.never_explained,
        headline=rules.audit_record.output.headline,
    output:
        document="<results>/published/AUDIT.md",
        page=report(
            "<results>/published/AUDIT.html",
            caption="captions/audit.rst",
            category="published",
            subcategory="Documents",
            labels={"what": "Audit of the published figures"},
        ),
    log:
        "<logs>/write_audit.log",
    benchmark:
        "<benchmarks>/write_audit.jsonl"
    conda:
        "../environment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        designs=audit_designs(),
        stated=STATED,
        code=code_digest("write_audit"),
    message:
        "Write the audit of the published figures"
    shell:
        "python scripts/write_audit.py --audit {input.audit} --totals {input.totals}"
        " --artefacts {input.artefacts} --never-explained {input.never_explained}"
        " --headline {input.headline} --designs {params.designs:q} --stated-file {params.stated}"
        " --document {output.document} --page {output.page} > {log} 2>&1"
