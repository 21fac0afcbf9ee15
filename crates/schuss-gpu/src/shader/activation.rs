//! Activations that no product computes.

use super::{Rows, each};
use schuss_kernels::padded;

/// Text of Y = f(X); `text` declares `act`.
pub(crate) fn activation(row_words: usize, text: &str, input: Rows, output: Rows) -> String {
    let body = format!("{} = act({});", output.number("row", "col"), input.number("row", "col"));
    of_rows(row_words, text, output, &body)
}

/// Text of Dˣ = Dʸ f′(X); `text` declares `act_gradient`, `to` is Dˣ and `from` Dʸ.
pub(crate) fn activation_gradient(
    row_words: usize,
    text: &str,
    [input, output]: [Rows; 2],
    from: Rows,
    to: Rows,
) -> String {
    let [x, y, dy] = [input, output, from].map(|rows| rows.number("row", "col"));
    let body = format!("{} = act_gradient({x}, {y}, {dy});", to.number("row", "col"));
    of_rows(row_words, text, to, &body)
}

/// An element-wise shader over the numbers of some rows, without their padding.
fn of_rows(row_words: usize, functions: &str, rows: Rows, body: &str) -> String {
    let stride = padded(rows.width);
    let body = format!(
        "    let row = index / {stride}u;
    let col = index % {stride}u;
    if (col >= {width}u || has_ended()) {{ return; }}
    {body}",
        width = rows.width,
    );
    each(row_words, functions, &format!("(rows() * {stride}u)"), &body)
}
