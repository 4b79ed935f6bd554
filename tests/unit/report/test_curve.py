"""Loss curves on a terminal."""

from muster.report.curve import loss_curve


def test_a_falling_loss_is_drawn_falling() -> None:
    drawn = loss_curve([(0, 5.0), (10, 4.0), (20, 1.0)], "loss")
    rows = [row for row in drawn.splitlines() if "│" in row or "┤" in row]
    first_dot = next(index for index, row in enumerate(rows) if row.split("┤")[-1].split("│")[-1].strip() or "⠑" in row)
    assert first_dot == 0
    assert "5.00" in drawn
    assert "1.00" in drawn
    assert "\x1b" not in drawn


def test_one_point_is_no_curve() -> None:
    assert loss_curve([(0, 5.0)], "loss") == ""
