# Datasets of small images that are built in shards; a killed build goes on from those it has.


rule build_shard:
    input:
        as_job(plan.build_shard, "dataset", "shard", "shards"),
        sources=lambda wildcards: plan.sources(wildcards.dataset),
        verified="results/data/{dataset}/verified.json",
    output:
        shard="results/data/{dataset}/shards/{shard}-of-{shards}/shard.json",
        stamp="results/data/{dataset}/shards/{shard}-of-{shards}/stamp.json",
    log:
        "results/logs/build_shard/{dataset}/{shard}-of-{shards}.log",
    conda:
        "../../envs/training.yaml"
    resources:
        **asks.prepare(megabytes_of),
    params:
        provenance=provenance(plan.build_shard, "dataset", "shard", "shards"),
        entry=lambda wildcards: as_json(
            content_of(plan.configuration.datasets[wildcards.dataset])
        ),
    message:
        "Build shard {wildcards.shard} of {wildcards.shards} of {wildcards.dataset}"
    shell:
        "python -m spatialdep.commands.build_shard --dataset {wildcards.dataset} "
        "--entry {params.entry:q} --verified {input.verified:q} --workers {threads} "
        "--shard {wildcards.shard} --shards {wildcards.shards} --output $(dirname {output.shard:q}) "
        "> {log:q} 2>&1"


rule join_shards:
    input:
        as_job(plan.prepare, "dataset"),
        verified="results/data/{dataset}/verified.json",
    output:
        dataset="results/data/{dataset}/dataset.json",
        stamp="results/data/{dataset}/stamp.json",
    log:
        "results/logs/join_shards/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(
            name for name in plan.configuration.datasets if plan.is_sharded(name)
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
        shards=lambda wildcards: shlex.join(map(str, plan.shards(wildcards.dataset))),
    message:
        "Join the shards of {wildcards.dataset}"
    shell:
        "python -m spatialdep.commands.join_shards --dataset {wildcards.dataset} "
        "--entry {params.entry:q} --verified {input.verified:q} --shards {params.shards} "
        "--output results/data/{wildcards.dataset} > {log:q} 2>&1"


# Small-ImageNet, or any prepared arrays, in the files that other people's loaders read.
rule export_small_imagenet:
    input:
        as_job(plan.export_small_imagenet, "dataset"),
        dataset="results/data/{dataset}/dataset.json",
    output:
        batches=expand(
            "results/data/{{dataset}}/published/train_data_batch_{number}",
            number=range(1, 11),
        ),
        validation="results/data/{dataset}/published/val_data",
        stamp="results/data/{dataset}/published.stamp.json",
    log:
        "results/logs/export_small_imagenet/{dataset}.log",
    conda:
        "../../envs/training.yaml"
    resources:
        **asks.prepare(megabytes_of),
    params:
        provenance=provenance(plan.export_small_imagenet, "dataset"),
    message:
        "Write {wildcards.dataset} in the published form of Small-ImageNet"
    shell:
        "python -m spatialdep.commands.export_small_imagenet --prepared $(dirname {input.dataset:q}) "
        "--output results/data/{wildcards.dataset}/published > {log:q} 2>&1"
