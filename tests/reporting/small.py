"""The configuration of a small project with figures of several kinds."""

COMMON = {"dataset": "digits", "architecture": "vgg16", "recipe": "tiny", "width": 0.0625}
SMALL = {
    "datasets": {"digits": {"kind": "digits"}},
    "recipes": {
        "tiny": {"epochs": 1, "batch_size": 100, "augmentation": "none", "precision": "float32"}
    },
    "experiments": {
        "main": {
            **COMMON,
            "operations": ["spatial_shuffle", "gap_fc"],
            "last_k": [0, 4],
            "seeds": [0, 1],
        },
        "cross": {
            **COMMON,
            "operations": ["spatial_shuffle"],
            "last_k": [4],
            "evaluate_under": ["none", "spatial_shuffle"],
            "seeds": [0],
        },
    },
    "figures": {
        "accuracy": {"kind": "accuracy_over_last_k", "experiments": ["main"], "title": "A title"},
        "cross": {"kind": "cross_matrix", "experiments": ["cross"]},
        "classes": {"kind": "class_changes", "experiments": ["main"], "classes": 2},
        "operations": {"kind": "operation_examples", "dataset": "digits"},
    },
    "targets": ["accuracy", "cross", "classes", "operations"],
    "passes": 2,
}
