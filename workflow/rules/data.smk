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
        entry=lambda wildcards: as_json(plan.configuration.datasets[wildcards.dataset]),
    message:
        "Bring {wildcards.source} of {wildcards.dataset} here"
    shell:
        "python -m spatialdep.commands.fetch --dataset {wildcards.dataset} --entry {params.entry:q} "
        "--source {wildcards.source} --output {output:q} > {log:q} 2>&1"


# The sources are ancient, since checksums say what they hold: neither a new time stamp nor another
# place of the same archive makes anything anew.
rule verify:
    input:
        sources=lambda wildcards: ancient(plan.sources(wildcards.dataset)),
    output:
        "results/data/{dataset}/verified.json",
    log:
        "results/logs/verify/{dataset}.log",
    conda:
        "../../envs/training.yaml"
    resources:
        **asks.prepare(megabytes_of),
    params:
        entry=lambda wildcards: as_json(
            content_of(plan.configuration.datasets[wildcards.dataset])
        ),
    message:
        "Check the sources of {wildcards.dataset}"
    shell:
        "python -m spatialdep.commands.verify --dataset {wildcards.dataset} --entry {params.entry:q} "
        "--output {output:q} > {log:q} 2>&1"


rule prepare:
    input:
        as_job(plan.prepare, "dataset"),
        sources=lambda wildcards: ancient(plan.sources(wildcards.dataset)),
        verified=verified_of,
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
