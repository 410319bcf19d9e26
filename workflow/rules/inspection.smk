# Questions about the plan; they make no files.


rule why:
    log:
        "results/logs/why.log",
    localrule: True
    conda:
        "../../envs/planning.yaml"
    params:
        configuration=as_json(config),
    message:
        "Why each job would run"
    shell:
        "python -m spatialdep.commands.why --configuration {params.configuration:q} 2>&1 | tee {log:q}"


rule status:
    log:
        "results/logs/status.log",
    localrule: True
    conda:
        "../../envs/planning.yaml"
    params:
        configuration=as_json(config),
    message:
        "How far the jobs are"
    shell:
        "python -m spatialdep.commands.status --configuration {params.configuration:q} 2> {log:q}"
