"""Figures show the expected lines, points and labels, mark what is missing, and repeat exactly."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from simulation import experiment, make_grid, simulate, views_of

from spatialdep.errors import UserError
from spatialdep.plugins import declarations, load
from spatialdep.reporting import style
from spatialdep.reporting.examples import Examples

SHUFFLES = ["spatial_shuffle", {"name": "patch_shuffle", "patch": 2}]


def accuracy(view):
    lost = view.evaluated.last_k + 2 * len(view.evaluated.units)
    return 72.0 - 1.5 * lost - (3 if view.run != view.evaluated else 0)


def draw(kind, results, title=None, **options) -> Figure:
    plugin = load("reporting.figures", kind)
    schema = plugin.DECLARATION["options"]
    usual = {name: each["default"] for name, each in schema.items() if "default" in each}
    plugin.table(results, {**usual, **options})
    return plugin.draw(results, {**usual, **options}, title)


def marked(figure: Figure, gid: str) -> list:
    """Return the artists whose gid begins so."""
    return figure.findobj(lambda artist: str(artist.get_gid() or "").startswith(gid))


def texts(figure: Figure) -> list[str]:
    return [found.get_text() for found in figure.findobj(lambda each: hasattr(each, "get_text"))]


def points(figure: Figure, gid: str) -> np.ndarray:
    return np.concatenate([line.get_xydata() for line in marked(figure, gid)])


def test_accuracy_has_a_line_a_method_the_baseline_and_a_second_axis():
    results = simulate(make_grid({"a": experiment(last_k=[0, 2, 4, 7])}), accuracy, number=500)
    figure = draw("accuracy_over_last_k", results)
    assert len(marked(figure, "line ")) == 2
    assert len(marked(figure, "baseline")) == 1
    for operation in ("spatial_shuffle", "gap_fc"):
        mean = (
            results.runs[
                (results.runs["operation"] == operation) & (results.runs["checkpoint"] == "last")
            ]
            .groupby("last_k")["top1"]
            .mean()
        )
        shown = points(figure, f"points {operation}")
        assert sorted(shown[:, 0]) == [2, 4, 7]
        assert dict(shown) == pytest.approx(dict(mean))
    said = texts(figure)
    for label in ("spatial shuffle", "GAP + FC", "baseline", "VGG-16 on CIFAR-100",
                  "Share of layers (%)", "Top-1 test accuracy (%)"):  # fmt: skip
        assert label in said
    assert any("paper recipe, 300 epochs\n3 seeds" in text for text in said)


def test_best_epoch_and_top5_are_drawn_on_request():
    results = simulate(make_grid({"a": experiment()}), accuracy, number=500)
    last, best = (
        points(draw("accuracy_over_last_k", results, checkpoint=name), "points gap_fc")
        for name in ("last", "best")
    )
    assert (best[:, 1] >= last[:, 1]).all()
    assert (best[:, 1] > last[:, 1]).any()
    top5 = draw("accuracy_over_last_k", results, metric="top5")
    assert (points(top5, "points gap_fc")[:, 1] == 100).all()
    assert "Top-5 test accuracy (%)" in texts(top5)


def test_missing_settings_interrupt_the_line_and_are_marked():
    results = simulate(
        make_grid({"a": experiment(last_k=[0, 2, 4, 7, 10])}),
        accuracy,
        number=500,
        lost=lambda view: (
            view.run.operation == "gap_fc"
            and (view.run.last_k == 4 or (view.run.last_k == 7 and view.run.seed == 2))
        ),
    )
    figure = draw("accuracy_over_last_k", results)
    line = next(each for each in marked(figure, "line gap_fc")).get_xydata()
    assert line[:, 0].tolist() == [0, 2, 4, 7, 10]
    assert np.isnan(line[:, 1]).tolist() == [False, False, True, False, False]
    cross = marked(figure, "missing")
    assert [list(each.get_xdata()) for each in cross] == [[4]]
    hollow = [
        each for each in marked(figure, "points gap_fc") if each.get_markerfacecolor() == "white"
    ]
    assert np.concatenate([each.get_xdata() for each in hollow]).tolist() == [7]
    assert any("not run yet" in text for text in texts(figure))
    whole = next(each for each in marked(figure, "line spatial_shuffle"))
    assert np.isfinite(whole.get_ydata()).all()


def test_recipes_and_widths_are_never_mixed_in_one_panel():
    grid = make_grid({"a": experiment(), "b": experiment(recipe="fast", width=0.25)})
    figure = draw("accuracy_over_last_k", simulate(grid, accuracy, number=500))
    said = texts(figure)
    assert len(marked(figure, "baseline")) == 2
    assert any(text.startswith("fast recipe, 300 epochs, width 0.25") for text in said)
    assert any(text.startswith("paper recipe, 300 epochs\n") for text in said)


def test_drops_of_all_networks_are_in_one_figure():
    experiments = {
        name: experiment(architecture=name, last_k=[0, *ks])
        for name, ks in (("vgg16", (4, 7)), ("resnet50", (5, 9)))
    }
    figure = draw("drop_over_percent", simulate(make_grid(experiments), accuracy, number=500))
    assert len(marked(figure, "line ")) == 4
    shares = points(figure, "points spatial_shuffle")[:, 0]
    assert sorted(shares) == pytest.approx([100 * k for k in (5 / 17, 4 / 13, 9 / 17, 7 / 13)])
    said = " ".join(texts(figure))
    for label in ("VGG-16 on CIFAR-100", "ResNet-50 on CIFAR-100", "spatial shuffle", "GAP + FC"):
        assert label in said


def test_single_layers_are_in_the_networks_order_and_the_last_is_last_1():
    grid = make_grid({"a": experiment(units="each", operations=["spatial_shuffle"], seeds=[0, 1])})
    last = [view for view in views_of(grid) if view.run.last_k == 1]
    assert last, "a unit that is the last one is specified as last 1"
    results = simulate(grid, accuracy, number=300, lost=lambda view: view.run.units == ("conv31",))
    figure = draw("single_layer_sweep", results)
    lines = [each for each in marked(figure, "points ") if hasattr(each, "get_xdata")]
    shown = sorted(x for each in lines for x in each.get_xdata())
    assert shown == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert [list(each.get_xdata()) for each in marked(figure, "missing")] == [[4]]
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks[0] == "conv11"
    assert ticks[-1] == "conv53"


def test_nothing_missing_draws_as_well():
    grid = make_grid({"a": experiment(units=["conv31", "conv32"], operations=SHUFFLES, seeds=[0])})
    results = simulate(grid, accuracy, number=100)
    assert results.missing.empty
    for kind in ("single_layer_sweep", "patch_sizes", "training_curves", "class_changes"):
        assert not marked(draw(kind, results), "missing")


def test_patches_go_from_one_position_to_the_whole_map():
    grid = make_grid(
        {"a": experiment(operations=[*SHUFFLES, {"name": "patch_shuffle", "patch": 4}],
                         units=[["conv31", "conv32"]])}
    )  # fmt: skip
    figure = draw("patch_sizes", simulate(grid, accuracy, number=300))
    ticks = [tick.get_text().split("\n")[0] for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["1×1", "2×2", "4×4", "whole"]
    assert len(marked(figure, "line ")) == 1
    assert marked(figure, "line ")[0].get_xdata().tolist() == [0, 1, 2, 3]


def test_cross_matrix_has_a_cell_for_each_pair_and_a_dash_for_a_missing_one():
    grid = make_grid(
        {"a": experiment(operations=["spatial_shuffle", "joint_shuffle"], last_k=[4],
                         evaluate_under=["none", "spatial_shuffle", "joint_shuffle"])}
    )  # fmt: skip
    results = simulate(
        grid, accuracy, number=500,
        lost=lambda view: view.run.operation == "joint_shuffle" and view.id == "as_none",
    )  # fmt: skip
    figure = draw("cross_matrix", results)
    cells = [each.get_text() for each in marked(figure, "cell")]
    assert len(cells) == 9
    assert cells.count("–") == 1
    summary = load("reporting.figures", "cross_matrix").table(results, {"checkpoint": "last"}).data
    trained = summary[(summary["trained"] == "baseline") & (summary["tested"] == "baseline")]
    assert f"{trained['top1'].iloc[0]:.1f}" == cells[0]


def test_classes_at_both_ends_are_those_of_the_images():
    results = simulate(make_grid({"a": experiment(last_k=[7])}), accuracy)
    table = load("reporting.figures", "class_changes").table(results, {"checkpoint": "last"})
    own = table.data[table.data["operation"] == "gap_fc"]
    assert len(own) == 10
    assert own["drop"].is_monotonic_decreasing
    row = own.iloc[0]
    number = int(row["class"].split()[1])
    runs = results.runs[
        (results.runs["operation"] == "gap_fc") & (results.runs["checkpoint"] == "last")
    ]
    by_hand = []
    for run in runs["run"].unique():
        plain = run.replace("gap_fc/last7", "none/last0")
        mine = results.images.labels(run) == number
        before, after = (
            results.images.correct(each, "trained", "last")[mine].mean() for each in (plain, run)
        )
        by_hand.append(100 * (before - after))
    assert row["drop"] == pytest.approx(np.mean(by_hand), abs=1e-3)
    figure = draw("class_changes", results, classes=2)
    assert "6 classes between" in texts(figure)


def test_curves_have_a_line_for_each_k_and_the_baseline():
    results = simulate(make_grid({"a": experiment(last_k=[2, 4, 7])}), accuracy, number=300)
    figure = draw("training_curves", results)
    assert len(marked(figure, "line ")) == 2 * 4
    line = marked(figure, "line last 4")[0]
    assert line.get_xdata().tolist() == list(range(1, 21))


def test_examples_show_each_operation():
    names = ["none", "spatial_shuffle", "gap_fc"]
    pictures = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    examples = Examples(
        np.array(names), np.array(["{}"] * 3), pictures, pictures, np.array("cifar100")
    )
    figure = draw("operation_examples", examples)
    assert len(figure.findobj(lambda each: type(each).__name__ == "AxesImage")) == 6
    assert {"baseline", "spatial shuffle", "GAP + FC"} <= set(texts(figure))


def test_nothing_finished_is_said_in_a_sentence():
    results = simulate(
        make_grid({"a": experiment(seeds=[0])}),
        accuracy,
        number=100,
        lost=lambda view: view.run.operation != "gap_fc" or view.run.last_k != 4,
    )
    only_gap = type(results)(
        results.runs[:0], results.images, results.histories[:0], results.missing
    )
    for kind in declarations("reporting.figures"):
        if declarations("reporting.figures")[kind].get("reads") == "examples":
            continue
        with pytest.raises(UserError, match="finished"):
            draw(kind, only_gap)


def test_files_are_the_same_each_time_and_hold_text(tmp_path):
    results = simulate(make_grid({"a": experiment()}), accuracy, number=300)
    for folder in ("one", "two"):
        style.save(draw("accuracy_over_last_k", results), tmp_path / folder / "figure")
    for extension in style.FORMATS:
        one, two = (tmp_path / folder / f"figure.{extension}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    svg = (tmp_path / "one" / "figure.svg").read_text()
    assert re.search(r"<text[^>]*>\s*(?:<tspan[^>]*>)?spatial shuffle", svg)
    pdf = (tmp_path / "one" / "figure.pdf").read_bytes()
    assert b"/FontType 42" not in pdf or b"/Type3" not in pdf
    assert b"/Subtype /Type3" not in pdf
    assert (tmp_path / "one" / "figure.png").read_bytes()[:4] == b"\x89PNG"


def test_lines_differ_in_grey_by_marker_and_dashes_as_well():
    found = list(style.looks([f"operation {number}" for number in range(9)]).values())
    assert len({(look.marker, str(look.dashes), look.color) for look in found}) == 9
    assert len({look.marker for look in found[:7]}) == 7
    grey = sorted(float(np.dot(to_rgb(look.color), (0.299, 0.587, 0.114))) for look in found[:7])
    assert grey[-1] < 0.75, "legible on white"


def test_labels_move_apart_and_stay_inside():
    placed = style.spread([0.0, 0.02, 0.5, 0.99, 1.0], [0.1] * 5)
    assert np.diff(placed).min() >= 0.1 - 1e-9
    assert placed[0] >= 0
    assert placed[-1] <= 1 + 1e-9
    assert style.spread([0.2, 0.8], [0.1] * 2) == pytest.approx([0.2, 0.8])
    assert np.diff(style.spread([0.5, 0.5], [0.1, 0.3])) == pytest.approx(0.2)


def test_a_long_label_leaves_the_plot_its_room_and_the_other_labels_theirs():
    operations = ["spatial_shuffle", {"name": "spatial_shuffle", "downsampling": "pooled"}]
    results = simulate(make_grid({"a": experiment(operations=operations)}), accuracy)
    figure = draw("accuracy_over_last_k", results)
    axes = figure.axes[0]
    assert axes.bbox.width > 0.55 * figure.bbox.width
    boxes = sorted(
        (label.get_window_extent() for label in axes.texts if label.xy[0] == 1),
        key=lambda box: box.y0,
    )
    assert len(boxes) == 3
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


def test_every_kind_declares_options_with_descriptions():
    kinds = declarations("reporting.figures")
    assert len(kinds) == 8
    for declaration in kinds.values():
        assert declaration["summary"].endswith(".")
        assert all(option["description"] for option in declaration["options"].values())
    captions = Path(__file__).parents[2] / "workflow" / "report" / "figure.rst"
    assert all(f'"{kind}"' in captions.read_text() for kind in kinds)
