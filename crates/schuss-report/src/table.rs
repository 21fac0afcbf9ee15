//! The result as plain text for a terminal of 100 columns.

use crate::tables::{Table, tables};
use comfy_table::{CellAlignment, ContentArrangement};
use schuss::study::record::Summary;

const WIDTH: u16 = 100;

/// One rule, below the head; the places are those of `comfy_table::presets`.
const RULES: &str = "     ──            ";

/// The tables of a run: results, time, memory, figures of the lecture where there are any.
pub fn render(summary: &Summary) -> String {
    tables(summary).iter().map(plain).collect::<Vec<_>>().join("\n")
}

fn plain(table: &Table) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_preset(RULES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(table.head.iter().map(|word| visible(word)));
    for row in &table.rows {
        grid.add_row(row.iter().map(|word| visible(word)));
    }
    for (i, column) in grid.column_iter_mut().enumerate() {
        let figures = i >= table.names && table.rows.iter().all(|row| row[i].chars().count() < 30);
        column.set_cell_alignment(if figures { CellAlignment::Right } else { CellAlignment::Left });
    }
    let lines: Vec<String> = grid.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n{}\n{}\n", visible(&table.title), lines.join("\n"), wrap(&visible(&table.note)))
}

/// Without anything a terminal would take for a command.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks a note into lines that fit.
fn wrap(note: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in note.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() + 3 <= usize::from(WIDTH) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines.join("\n")
}
