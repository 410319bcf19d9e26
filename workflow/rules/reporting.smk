# From the evaluations to what a reader looks at. What is below results/preview is made of the
# evaluations that are finished now, and marks what is missing.


rule collect:
    input:
        as_job(plan.collect, "preview", "figure"),
    output:
        runs="results/{preview}tables/{figure}/runs.csv",
        images="results/{preview}tables/{figure}/images.npz",
        histories="results/{preview}tables/{figure}/histories.csv",
        missing="results/{preview}tables/{figure}/missing.csv",
        provenance="results/{preview}tables/{figure}/provenance.csv",
        stamp="results/{preview}tables/{figure}/stamp.json",
    log:
        "results/logs/collect/{preview}{figure}.log",
    wildcard_constraints:
        figure=one_of(
            name
            for name in plan.configuration.figures
            if not plan.reads_examples(name)
        ),
    conda:
        "../../envs/reporting.yaml"
    resources:
        **asks.collect(lambda wildcards: len(plan.figure_runs([wildcards.figure]))),
    params:
        provenance=provenance(plan.collect, "preview", "figure"),
        name=lambda wildcards: wildcards.figure,
        grid=lambda wildcards: as_json(plan.figure_grid(wildcards.figure)),
        missing=lambda wildcards: (
            "--allow-missing --logs results/logs" if wildcards.preview else ""
        ),
    message:
        "Collect the runs of {wildcards.preview}{wildcards.figure}"
    shell:
        "python -m spatialdep.commands.collect --name {params.name} --grid {params.grid:q} "
        "{params.missing} --evaluations results/evaluations --out $(dirname {output.runs:q}) "
        "> {log:q} 2>&1"


use rule collect as collect_all with:
    input:
        as_job(plan.collect_all, "preview"),
    output:
        runs="results/{preview}tables/runs.csv",
        images="results/{preview}tables/images.npz",
        histories="results/{preview}tables/histories.csv",
        missing="results/{preview}tables/missing.csv",
        provenance="results/{preview}tables/provenance.csv",
        stamp="results/{preview}tables/stamp.json",
    log:
        "results/logs/collect_all/{preview}all.log",
    resources:
        **asks.collect(lambda wildcards: len(plan.views)),
    params:
        provenance=provenance(plan.collect_all, "preview"),
        name="all",
        grid=as_json(plan.target_grid()),
        missing=lambda wildcards: (
            "--allow-missing --logs results/logs" if wildcards.preview else ""
        ),
    message:
        "Collect all {wildcards.preview}runs"


rule table:
    input:
        as_job(plan.table, "preview", "figure"),
    output:
        csv="results/{preview}tables/{figure}.csv",
        markdown="results/{preview}tables/{figure}.md",
        latex="results/{preview}tables/{figure}.tex",
        html=report(
            "results/{preview}tables/{figure}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"figure": "{figure}"},
        ),
        stamp="results/{preview}tables/{figure}.stamp.json",
    log:
        "results/logs/table/{preview}{figure}.log",
    localrule: True
    conda:
        "../../envs/reporting.yaml"
    params:
        provenance=provenance(plan.table, "preview", "figure"),
        entry=lambda wildcards: as_json(plan.configuration.figures[wildcards.figure]),
    message:
        "Make the table of {wildcards.preview}{wildcards.figure}"
    shell:
        "python -m spatialdep.commands.table --name {wildcards.figure} --figure {params.entry:q} "
        "--tables results/{wildcards.preview}tables/{wildcards.figure} "
        "--out results/{wildcards.preview}tables/{wildcards.figure} > {log:q} 2>&1"


rule figure:
    input:
        as_job(plan.figure, "preview", "figure"),
    output:
        pdf="results/{preview}figures/{figure}.pdf",
        svg=report(
            "results/{preview}figures/{figure}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png="results/{preview}figures/{figure}.png",
        stamp="results/{preview}figures/{figure}.stamp.json",
    log:
        "results/logs/figure/{preview}{figure}.log",
    localrule: True
    conda:
        "../../envs/reporting.yaml"
    params:
        provenance=provenance(plan.figure, "preview", "figure"),
        entry=lambda wildcards: as_json(plan.configuration.figures[wildcards.figure]),
    message:
        "Draw {wildcards.preview}{wildcards.figure}"
    shell:
        "python -m spatialdep.commands.figure --name {wildcards.figure} --figure {params.entry:q} "
        "--tables results/{wildcards.preview}tables/{wildcards.figure} "
        "--out results/{wildcards.preview}figures/{wildcards.figure} > {log:q} 2>&1"


rule claims:
    input:
        as_job(plan.claims, "preview"),
        claims="config/claims.yaml",
    output:
        csv="results/{preview}tables/claims.csv",
        markdown="results/{preview}tables/claims.md",
        latex="results/{preview}tables/claims.tex",
        html=report(
            "results/{preview}tables/claims.html",
            caption="../report/claims.rst",
            category="Overview",
            labels={"page": "claims"},
        ),
        stamp="results/{preview}tables/claims.stamp.json",
    log:
        "results/logs/{preview}claims.log",
    localrule: True
    conda:
        "../../envs/reporting.yaml"
    params:
        provenance=provenance(plan.claims, "preview"),
    message:
        "Judge the claims by {wildcards.preview}results"
    shell:
        "python -m spatialdep.commands.claims --claims {input.claims:q} "
        "--tables results/{wildcards.preview}tables "
        "--out results/{wildcards.preview}tables/claims > {log:q} 2>&1"


rule examples:
    input:
        as_job(plan.examples, "preview", "figure"),
        dataset=lambda wildcards: (
            f"results/data/{plan.configuration.figures[wildcards.figure]['dataset']}/dataset.json"
        ),
    output:
        examples="results/{preview}tables/{figure}/examples.npz",
        stamp="results/{preview}tables/{figure}/stamp.json",
    log:
        "results/logs/examples/{preview}{figure}.log",
    wildcard_constraints:
        figure=one_of(
            name for name in plan.configuration.figures if plan.reads_examples(name)
        ),
    localrule: True
    conda:
        "../../envs/training.yaml"
    params:
        provenance=provenance(plan.examples, "preview", "figure"),
        entry=lambda wildcards: as_json(plan.configuration.figures[wildcards.figure]),
    message:
        "Apply the operations that {wildcards.preview}{wildcards.figure} shows"
    shell:
        "python -m spatialdep.commands.examples --name {wildcards.figure} "
        "--figure {params.entry:q} --data $(dirname {input.dataset:q}) "
        "--out results/{wildcards.preview}tables/{wildcards.figure} > {log:q} 2>&1"


rule overview:
    input:
        as_job(plan.overview, "preview"),
    output:
        html=report(
            "results/{preview}overview.html",
            caption="../report/overview.rst",
            category="Overview",
            labels={"page": "overview"},
        ),
        stamp="results/{preview}overview.stamp.json",
    log:
        "results/logs/{preview}overview.log",
    localrule: True
    conda:
        "../../envs/reporting.yaml"
    params:
        provenance=provenance(plan.overview, "preview"),
        entries=as_json(plan.target_entries()),
    message:
        "Put all {wildcards.preview}results onto one page"
    shell:
        "python -m spatialdep.commands.overview --claims config/claims.yaml "
        "--tables results/{wildcards.preview}tables --figures results/{wildcards.preview}figures "
        "--entries {params.entries:q} --out {output.html:q} > {log:q} 2>&1"


rule preview:
    input:
        shown("preview/"),
    localrule: True
    message:
        "Everything that can be shown of what is finished now: results/preview"
