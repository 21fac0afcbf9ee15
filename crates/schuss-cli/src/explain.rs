//! `schuss list` and `schuss explain`: available optimizers, losses, ..., from the documentation of the library.

use crate::terminal::Screen;
use schuss::optim::{Counterpart, Dialect};
use schuss::recipe::Table;
use schuss::spec::{About, Key};
use schuss::{Error, Result};
use serde_json::{Value, json};

/// Returns the kinds accepted by `schuss list`, in order.
pub(crate) fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = Table::all().iter().map(|table| table.kind).collect();
    kinds.dedup();
    kinds
}

/// Returns the choices of a kind, one line each: name and summary.
pub(crate) fn list(kind: &str, screen: &Screen) -> String {
    let tables = Table::all().into_iter().filter(|table| table.kind == kind);
    let rows: Vec<About> = tables.flat_map(|table| table.rows()).collect();
    let row = |about: &About| (about.name.to_owned(), about.line.trim().to_owned());
    columns(&rows.iter().map(row).collect::<Vec<_>>(), screen)
}

/// Returns the documentation of a spec, with the defaults of a dialect.
pub(crate) fn explain(spec: &str, dialect: &str, as_json: bool, screen: &Screen) -> Result<String> {
    let dialect: Dialect = dialect.parse()?;
    let found = schuss::recipe::about(spec, dialect)?;
    if as_json {
        let found: Vec<Value> = found.iter().map(|about| record(about, dialect)).collect();
        let text = serde_json::to_string_pretty(&found);
        return text.map(|text| text + "\n").map_err(|error| Error::failure(error.to_string()));
    }
    let pages: Vec<String> = found.iter().map(|about| page(about, dialect, screen)).collect();
    Ok(pages.join("\n"))
}

fn record(about: &About, dialect: Dialect) -> Value {
    let counterparts = counterparts(about).map(|row| {
        json!({ "dialect": row.dialect.to_string(), "name": row.original, "defaults": row.keys, "note": row.note })
    });
    json!({
        "name": about.name,
        "kind": about.noun,
        "line": about.line.trim(),
        "dialect": dialect.to_string(),
        "equation": about.equation(),
        "keys": about.keys,
        "text": about.text,
        "counterparts": counterparts.collect::<Vec<_>>(),
    })
}

fn page(about: &About, dialect: Dialect, screen: &Screen) -> String {
    let paragraphs = paragraphs(about.text);
    let (summary, sources) = paragraphs.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let equation: String = about.equation().iter().map(|line| format!("    {line}\n")).collect();
    let keys: Vec<(String, String)> = about.keys.iter().map(key).collect();
    let sources = sources.iter().map(|text| wrapped(text, 0, screen));
    let sections = [
        format!("{} ({})\n", about.name, about.noun),
        wrapped(summary, 0, screen),
        equation,
        columns(&keys, screen),
    ]
    .into_iter()
    .chain(sources)
    .chain([systems(about, dialect, screen)]);
    sections.filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Returns a key with its value, `eps=1e-7`, and its meaning.
fn key(key: &Key) -> (String, String) {
    let shown = |value: &str| if value.is_empty() { "(none)".to_owned() } else { value.to_owned() };
    let default =
        if key.value == key.default { String::new() } else { format!(" Default: {}.", shown(&key.default)) };
    (format!("    {}={}", key.name, shown(&key.value)), plain(key.doc) + &default)
}

/// Returns the rule's counterparts in other libraries, and how the chosen one accumulates microbatches.
fn systems(about: &About, dialect: Dialect, screen: &Screen) -> String {
    if counterparts(about).next().is_none() {
        return String::new();
    }
    let line = |(name, system): &(&str, Dialect)| (format!("    {name}"), has(*system, about.name));
    let rows: Vec<(String, String)> = Dialect::ALL.iter().map(line).collect();
    let sums = format!(
        "In schuss the gradient of an update is the mean over its samples, for any number of microbatches; {dialect} {}.",
        dialect.accumulation()
    );
    format!("{}\n{}", columns(&rows, screen), wrapped(&sums, 0, screen))
}

fn has(dialect: Dialect, rule: &str) -> String {
    match dialect.counterpart(rule) {
        Some(Counterpart { original, keys, note, .. }) => {
            let keys = if keys.is_empty() { "the same defaults" } else { keys };
            let note = if note.is_empty() { String::new() } else { format!("; {}", plain(note)) };
            let lr = if dialect.asks_for_lr() { "; lr must be given there" } else { "" };
            format!("{original}: {}{lr}{note}", keys.replace(',', " "))
        }
        None if dialect == Dialect::Torch => "the defaults of --dialect torch are schuss's own".to_owned(),
        None => "not compared; the defaults are schuss's own".to_owned(),
    }
}

fn counterparts(about: &About) -> impl Iterator<Item = &'static Counterpart> {
    let rule = (about.noun == "optimizer").then_some(about.name);
    Dialect::ALL.into_iter().filter_map(move |(_, dialect)| dialect.counterpart(rule?))
}

/// Returns the paragraphs of Markdown, one line each, without code blocks.
fn paragraphs(markdown: &str) -> Vec<String> {
    let prose = markdown.split("```").step_by(2).flat_map(|text| text.split("\n\n"));
    prose.map(plain).filter(|paragraph| !paragraph.is_empty()).collect()
}

/// Returns Markdown as one line of plain text, without link and code markup.
fn plain(markdown: &str) -> String {
    let words: Vec<&str> = markdown.split_whitespace().collect();
    words.join(" ").replace("[`", "").replace("`]", "").replace('`', "")
}

/// Formats two columns: labels, and texts wrapped within their own column.
fn columns(rows: &[(String, String)], screen: &Screen) -> String {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 2;
    let row = |(label, text): &(String, String)| {
        let text = wrapped(text, width, screen);
        format!("{label:width$}{}\n", text.trim())
    };
    rows.iter().map(row).collect()
}

/// Wraps a text to the width of the screen, each line indented by `indent` spaces.
fn wrapped(text: &str, indent: usize, screen: &Screen) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > screen.width {
            lines.push('\n');
            column = 0;
        }
        let gap = if column == 0 { indent } else { 1 };
        lines += &" ".repeat(gap);
        lines += word;
        column += gap + width;
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_marks_of_code_do_not_reach_the_terminal() {
        assert_eq!(
            plain("How a step of [`Muon`] depends\non `[in, out]`."),
            "How a step of Muon depends on [in, out]."
        );
        assert_eq!(paragraphs("a\nb\n\n```text\nx ← y\n```\n\nc"), ["a b", "c"]);
    }

    #[test]
    fn no_line_of_a_page_but_equations_is_wider_than_the_screen() {
        let screen = &Screen::of_width(60);
        for about in Table::all().iter().flat_map(Table::rows) {
            let page = page(&about, Dialect::Keras, screen);
            let equation = about.equation();
            let prose = page.lines().filter(|line| !equation.iter().any(|text| text == line.trim()));
            let long_words = |line: &&str| line.split_whitespace().all(|word| word.len() < 30);
            assert!(prose.filter(long_words).all(|line| line.chars().count() <= 60), "{page}");
        }
    }
}
