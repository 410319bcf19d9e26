# One job a setting and seed.


rule train:
    input:
        as_job(plan.train, "run"),
        gpu_or_permission,
        dataset=lambda wildcards: f"results/data/{plan.runs[wildcards.run].dataset}/dataset.json",
    output:
        weights="results/runs/{run}/weights.safetensors",
        best="results/runs/{run}/best.safetensors",
        history="results/runs/{run}/history.csv",
        run="results/runs/{run}/run.json",
        stamp="results/runs/{run}/stamp.json",
    log:
        "results/logs/train/{run}.log",
    cache: True
    group:
        asks.group()
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        **asks.train(),
        decoders=decoders(),
    # Snakemake does not record what takes output: it would record what was planned, but a job that
    # waited in a queue goes by what it finds when it starts. Its stamp tells.
    params:
        provenance=provenance(plan.train, "run"),
        launcher=launcher,
        arguments=lambda wildcards, output: shlex.join(
            to_arguments(plan.runs[wildcards.run])
        ),
    message:
        "Train {wildcards.run}"
    shell:
        # exec, so that a signal before the time limit meets the training and not the shell.
        "data=$(python -m spatialdep.commands.stage --data $(dirname {input.dataset:q}) 2> {log:q}) "
        '&& exec python {params.launcher} -m spatialdep.commands.train --data "$data" '
        "--output results/runs/{wildcards.run} --checkpoints results/checkpoints/{wildcards.run} "
        "--threads {threads} --workers {resources.decoders} {params.arguments} >> {log:q} 2>&1"
