# So that the workflow runs from the project's root, and where catalogues look for it.
include: "workflow/Snakefile"


# An included file does not set the target of the file that includes it.
workflow.default_target = "all"
