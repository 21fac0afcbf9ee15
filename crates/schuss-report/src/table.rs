//! Results as plain text, for a terminal of any width.

use crate::tables::{Table, exhibits, tables};
use crate::verdict;
use comfy_table::{CellAlignment, ContentArrangement};
use schuss::record::Summary;

/// Table preset with one rule, below the head; positions are those of `comfy_table::presets`.
const RULES: &str = "     ──            ";
/// Blank columns around a cell and before the next one.
const PADDING: usize = 3;
/// Minimum length of a cell that may be wrapped between words, in characters.
const PROSE: usize = 30;
/// Number of rows above which details appear only in the report.
const MANY: usize = 12;

/// Tables to show of a run with several trials; one trial has few, which are all shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The verdict, and exhibits.
    Verdict,
    /// All tables but long ones with one row per trial.
    All,
}

/// Renders the tables of a run in `width` columns: verdict, results, time, memory, figures of the lecture if there are
/// any. Tables that are not shown are named.
pub fn render(summary: &Summary, width: usize, extent: Extent) -> String {
    let is_long = |table: &Table| (table.folded || table.detail) && table.rows.len() > MANY;
    let verdict = verdict::tables(summary);
    let only_verdict = extent == Extent::Verdict && !verdict.is_empty();
    let (left_out, shown): (Vec<Table>, Vec<Table>) =
        tables(summary).into_iter().partition(|table| only_verdict || is_long(table));
    let shown = verdict.into_iter().chain(shown).chain(exhibits(summary));
    let mut text = shown.map(|table| plain(&table, width)).collect::<Vec<_>>().join("\n");
    if !left_out.is_empty() {
        let titles: Vec<&str> = left_out.iter().map(|table| table.title.as_str()).collect();
        let place = if only_verdict { "With -v, and in the report" } else { "In the report, trial by trial" };
        text += &format!("\n{}\n", wrap(&format!("{place}: {}.", titles.join("; ")), "", width));
    }
    text
}

/// Renders a run for a terminal: the first sentence of the verdict, the tables, then the other sentences.
pub fn overview(summary: &Summary, width: usize, extent: Extent) -> String {
    let sentences = verdict::verdict(summary);
    let (lead, others) =
        sentences.split_first().map_or((None, &[][..]), |(lead, others)| (Some(lead), others));
    let lead = lead.map(|lead| visible(lead));
    let tables = Some(render(summary, width, extent)).filter(|tables| !tables.is_empty());
    let others = others.iter().map(|sentence| visible(sentence)).collect::<Vec<_>>().join("\n");
    let parts = lead.into_iter().chain(tables).chain(Some(others).filter(|others| !others.is_empty()));
    parts.map(|part| part.trim_end().to_owned() + "\n").collect::<Vec<_>>().join("\n")
}

/// Width of a column without wrapping, and its minimum width.
struct Column {
    natural: usize,
    least: usize,
}

impl Column {
    fn of(table: &Table, index: usize) -> Self {
        let cells = table.rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
        let (head, whole) = (longest(&table.head[index]), table.head[index].chars().count());
        let may_break = index < table.names || cells >= PROSE;
        let pieces = table.rows.iter().map(|row| longest(&row[index])).max().unwrap_or(0);
        Self { natural: cells.max(whole), least: if may_break { pieces } else { cells }.max(head) }
    }
}

/// Renders a table, its columns split into blocks that fit the width; each block begins with the names.
fn plain(table: &Table, width: usize) -> String {
    let columns: Vec<Column> = (0..table.head.len()).map(|index| Column::of(table, index)).collect();
    let blocks = blocks(&columns, table.names, width);
    let grids: Vec<String> = blocks.iter().map(|block| grid(table, &columns, block, width)).collect();
    let title = wrap(&visible(&table.title), "", width);
    format!("{title}\n{}\n{}\n", grids.join("\n\n"), wrap(&visible(&table.note), "  ", width))
}

/// Groups columns into blocks: the names, then as many others as fit the width.
fn blocks(columns: &[Column], names: usize, width: usize) -> Vec<Vec<usize>> {
    let room = |block: &[usize]| block.iter().map(|&index| columns[index].least + PADDING).sum::<usize>();
    let mut blocks: Vec<Vec<usize>> = vec![(0..names).collect()];
    for (index, column) in columns.iter().enumerate().skip(names) {
        let block = blocks.last().map_or(&[][..], |block| block);
        if block.len() > names && room(block) + column.least + PADDING > width {
            blocks.push((0..names).collect());
        }
        if let Some(block) = blocks.last_mut() {
            block.push(index);
        }
    }
    blocks
}

fn grid(table: &Table, columns: &[Column], block: &[usize], width: usize) -> String {
    let widths = widths(columns, block, width);
    let cells = |row: &[String]| -> Vec<String> {
        block.iter().zip(&widths).map(|(&index, &width)| broken(&visible(&row[index]), width)).collect()
    };
    let mut grid = comfy_table::Table::new();
    grid.load_preset(RULES)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(cells(&table.head));
    for row in &table.rows {
        grid.add_row(cells(row));
    }
    for (column, &index) in grid.column_iter_mut().zip(block) {
        let figures = index >= table.names && columns[index].natural < PROSE;
        column.set_cell_alignment(if figures { CellAlignment::Right } else { CellAlignment::Left });
    }
    grid.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Returns the column widths of a block: the minimum, plus more as long as there is room.
fn widths(columns: &[Column], block: &[usize], width: usize) -> Vec<usize> {
    let least: usize = block.iter().map(|&index| columns[index].least + PADDING).sum();
    let mut spare = width.saturating_sub(least);
    let given = |&index: &usize| {
        let more = spare.min(columns[index].natural - columns[index].least);
        spare -= more;
        columns[index].least + more
    };
    block.iter().map(given).collect()
}

/// Splits a text where a line may break: after a blank, a comma or `+`, never within a number.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive([' ', ',', '+']).collect()
}

/// Returns the length of the longest piece, in characters.
fn longest(text: &str) -> usize {
    pieces(text).iter().map(|piece| piece.trim_end().chars().count()).max().unwrap_or(0)
}

/// Breaks a text into lines of at most `width` characters, unless a piece is longer.
fn broken(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for piece in pieces(text) {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + piece.trim_end().chars().count() > width {
            lines.push(String::new());
        }
        lines.last_mut().into_iter().for_each(|line| line.push_str(piece));
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// Replaces control characters, which a terminal would take for commands.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Wraps a text to `width` columns.
fn wrap(text: &str, indent: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> Table {
        let head = ["recipe", "status", "train loss", "test loss", "accuracy %", "best % (epoch)"];
        let name = "batch:100 clip-global-norm:max_norm=1+adamw:lr=0.00012,beta1=0.95+ema:decay=0.999";
        let row = [name, "finished", "0.01234", "0.09876", "97.21", "97.40 (9) ↓"];
        Table {
            title: "Loss and accuracy".into(),
            note: "train loss: running, the mean over the last epoch of each update's loss before it".into(),
            names: 1,
            head: head.map(String::from).to_vec(),
            rows: vec![row.map(String::from).to_vec(); rows],
            folded: false,
            detail: false,
        }
    }

    #[test]
    fn tables_fit_the_width_and_no_number_is_broken() {
        for width in [60, 80, 100, 200] {
            let text = plain(&table(2), width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            for whole in ["max_norm=1", "lr=0.00012", "beta1=0.95", "decay=0.999", "97.40 (9)", "0.09876"] {
                assert!(text.contains(whole), "{whole} at {width}\n{text}");
            }
        }
    }

    #[test]
    fn wide_enough_a_row_is_one_line() {
        assert_eq!(plain(&table(40), 200).lines().count(), 40 + 4);
    }
}
