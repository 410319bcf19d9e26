# One job a trained network and operation to look at it under.


rule evaluate:
    input:
        as_job(plan.evaluate, "run", "view"),
        dataset=lambda wildcards: f"results/data/{plan.runs[wildcards.run].dataset}/dataset.json",
    output:
        evaluation="results/evaluations/{run}/{view}/evaluation.json",
        correct="results/evaluations/{run}/{view}/correct.npz",
        stamp="results/evaluations/{run}/{view}/stamp.json",
    log:
        "results/logs/evaluate/{run}/{view}.log",
    group:
        asks.group()
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        **asks.evaluate(),
        decoders=decoders(),
    params:
        provenance=provenance(plan.evaluate, "run", "view"),
        arguments=lambda wildcards, output: plan.evaluation_arguments(
            wildcards.run, wildcards.view
        ),
    message:
        "Evaluate {wildcards.run} {wildcards.view}"
    shell:
        "data=$(python -m spatialdep.commands.stage --data $(dirname {input.dataset:q}) 2> {log:q}) "
        '&& exec python -m spatialdep.commands.evaluate --data "$data" '
        "--run results/runs/{wildcards.run} "
        "--out results/evaluations/{wildcards.run}/{wildcards.view} "
        "--workers {resources.decoders} {params.arguments} >> {log:q} 2>&1"
