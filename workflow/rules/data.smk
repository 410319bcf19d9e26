# From where images come to the form that training reads.


rule fetch:
    output:
        "results/data/{dataset}/sources/{source}",
    log:
        "results/logs/fetch/{dataset}/{source}.log",
    localrule: True
    conda:
        "../../envs/training.yaml"
    params:
        content=lambda wildcards: as_json(
            content_of(plan.configuration.datasets[wildcards.dataset])
        ),
        # Snakemake does not compare what takes output: another place of the same file is no change.
        entry=lambda wildcards, output: as_json(
            plan.configuration.datasets[wildcards.dataset]
        ),
    message:
        "Bring {wildcards.source} of {wildcards.dataset} here"
    shell:
        "python -m spatialdep.commands.fetch --dataset {wildcards.dataset} --entry {params.entry:q} "
        "--source {wildcards.source} --output {output:q} > {log:q} 2>&1"


rule verify:
    input:
        as_job(plan.verify, "dataset"),
        unaltered_sources,
        sources=lambda wildcards: plan.sources(wildcards.dataset),
    output:
        verified="results/data/{dataset}/verified.json",
        sources="results/data/{dataset}/sources.json",
        stamp="results/data/{dataset}/verified.stamp.json",
    log:
        "results/logs/verify/{dataset}.log",
    conda:
        "../../envs/training.yaml"
    resources:
        **asks.prepare(megabytes_of),
    params:
        provenance=provenance(plan.verify, "dataset"),
        entry=lambda wildcards: as_json(
            content_of(plan.configuration.datasets[wildcards.dataset])
        ),
    message:
        "Check the sources of {wildcards.dataset}"
    shell:
        "python -m spatialdep.commands.verify --dataset {wildcards.dataset} --entry {params.entry:q} "
        "--output {output.verified:q} > {log:q} 2>&1"


rule prepare:
    input:
        as_job(plan.prepare, "dataset"),
        sources=lambda wildcards: plan.sources(wildcards.dataset),
        verified="results/data/{dataset}/verified.json",
    # The images themselves lie beside these, in a form that depends on the kind; the stamp vouches
    # for them.
    output:
        dataset="results/data/{dataset}/dataset.json",
        stamp="results/data/{dataset}/stamp.json",
    log:
        "results/logs/prepare/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(
            name for name in plan.configuration.datasets if not plan.is_sharded(name)
        ),
    conda:
        "../../envs/training.yaml"
    resources:
        **asks.prepare(megabytes_of),
    params:
        provenance=provenance(plan.prepare, "dataset"),
        entry=lambda wildcards: as_json(
            content_of(plan.configuration.datasets[wildcards.dataset])
        ),
    message:
        "Prepare {wildcards.dataset}"
    shell:
        "python -m spatialdep.commands.prepare --dataset {wildcards.dataset} "
        "--entry {params.entry:q} --verified {input.verified:q} "
        "--output results/data/{wildcards.dataset} > {log:q} 2>&1"
