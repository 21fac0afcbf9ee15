//! Building blocks of a page. External text is escaped here, and nowhere else.

use super::Detail;
use crate::{
    chart::palette,
    chart::svg::Svg,
    figures::Figure,
    tables::Table,
    text::{escape, plural, shorten},
};
use schuss::record::Sheet;
use std::fmt::Write as _;

/// Length that every sentence may have, in characters.
const SENTENCE: usize = 400;

/// Page under construction.
pub(super) struct Parts {
    pub(super) html: String,
    detail: Detail,
    /// Number of charts so far, for unique ids.
    charts: usize,
}

impl Parts {
    pub(super) fn new(detail: Detail) -> Self {
        Self { html: String::new(), detail, charts: 0 }
    }

    /// Appends trusted markup.
    pub(super) fn open(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Escapes and shortens a name or a spec.
    fn words(&self, text: &str) -> String {
        escape(&shorten(text, self.detail.text))
    }

    /// Escapes and shortens a sentence, to no less than [`SENTENCE`] characters.
    fn sentence(&self, text: &str) -> String {
        escape(&shorten(text, self.detail.text.max(SENTENCE)))
    }

    pub(super) fn section(&mut self, title: &str) {
        let _ = write!(self.html, "<section><h2>{}</h2>", escape(title));
    }

    pub(super) fn heading(&mut self, level: u8, title: &str) {
        let title = self.sentence(title);
        let _ = write!(self.html, "<h{level}>{title}</h{level}>");
    }

    pub(super) fn paragraph(&mut self, class: &str, text: &str) {
        let text = self.sentence(text);
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = write!(self.html, "<p{class}>{text}</p>");
    }

    pub(super) fn paragraphs(&mut self, class: &str, texts: &[String]) {
        let shown = texts.len().min(self.detail.rows);
        texts[..shown].iter().for_each(|text| self.paragraph(class, text));
        self.left_out(texts.len() - shown, "line");
    }

    /// Adds a command, wrapped only between words.
    pub(super) fn code(&mut self, text: &str) {
        let text = whole(&self.words(text), " ");
        let _ = write!(self.html, "<pre tabindex=\"0\"><code>{text}</code></pre>");
    }

    /// Adds facts in a row, none of them wrapped if it fits a line.
    pub(super) fn facts(&mut self, facts: &[String]) {
        let text = whole(&self.sentence(&facts.join(" ·\n")), "\n");
        let _ = write!(self.html, "<p class=\"facts\">{text}</p>");
    }

    /// Adds a note on items the page has no room for.
    pub(super) fn left_out(&mut self, number: usize, noun: &str) {
        if number > 0 {
            let place = match noun {
                "chart" => "the folder charts",
                "picture" => "the folder trials",
                _ => "summary.json",
            };
            let _ = write!(self.html, "<p class=\"note\">{} more in {place}.</p>", plural(number, noun));
        }
    }

    pub(super) fn definitions(&mut self, pairs: &[(&str, String)]) {
        self.open("<dl>");
        for (term, text) in pairs {
            let text = self.words(text);
            let _ = write!(self.html, "<dt>{term}</dt><dd>{text}</dd>");
        }
        self.open("</dl>");
    }

    pub(super) fn table(&mut self, table: &Table) {
        self.heading(3, &table.title);
        let _ = write!(
            self.html,
            "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><thead><tr>",
            escape(&table.title)
        );
        for (i, word) in table.head.iter().enumerate() {
            let class = class(table, i);
            let _ = write!(self.html, "<th scope=\"col\"{class}>{}</th>", escape(word));
        }
        self.open("</tr></thead><tbody>");
        let shown = table.rows.len().min(self.detail.rows);
        for row in &table.rows[..shown] {
            self.row(table, row);
        }
        self.open("</tbody></table></div>");
        self.left_out(table.rows.len() - shown, "row");
        self.paragraph("note", &table.note);
    }

    fn row(&mut self, table: &Table, row: &[String]) {
        self.open("<tr>");
        for (i, word) in row.iter().enumerate() {
            let word = self.words(word);
            let _ = match i {
                0 => write!(self.html, "<th scope=\"row\">{word}</th>"),
                _ => write!(self.html, "<td{}>{}</td>", class(table, i), whole_range(&word)),
            };
        }
        self.open("</tr>");
    }

    /// Adds a legend; `repeated` if the charts also name their series when they are wide enough.
    pub(super) fn legend(&mut self, series: &[(&str, usize)], repeated: bool) {
        self.open(if repeated { "<ul class=\"legend repeated\">" } else { "<ul class=\"legend\">" });
        for (name, style) in series {
            let mut svg = Svg::default();
            palette::swatch(&mut svg, *style, [1.0, 7.0]);
            let name = self.words(name);
            let _ = write!(
                self.html,
                "<li><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\">{}</svg>{name}</li>",
                svg.finish()
            );
        }
        self.open("</ul>");
    }

    /// Adds tabs to switch charts, implemented in CSS only; `style.css` refers to these names.
    pub(super) fn tabs(&mut self, names: &[&str]) {
        for (i, name) in names.iter().enumerate() {
            let checked = if i == 0 { " checked" } else { "" };
            let _ = write!(
                self.html,
                "<input type=\"radio\" name=\"along\" id=\"along-{name}\"{checked}><label for=\"along-{name}\">against {name}</label>"
            );
        }
    }

    /// Adds images in rows, each row with its name beside it.
    pub(super) fn sheet(&mut self, title: &str, sheet: &Sheet) {
        let title = self.words(title);
        let names: String = sheet.rows.iter().map(|name| format!("<span>{}</span>", escape(name))).collect();
        let _ = write!(
            self.html,
            "<figure class=\"sheet\"><figcaption><b>{title}</b></figcaption><div class=\"rows\">{names}</div>\
             <img alt=\"{title}: {}\" src=\"data:image/png;base64,{}\"></figure>",
            escape(&sheet.rows.join(", ")),
            base64(&sheet.png)
        );
    }

    pub(super) fn figure(&mut self, class: &str, figure: &Figure) {
        self.charts += 1;
        let title = shorten(&figure.title, self.detail.text);
        let caption = self.sentence(&figure.caption);
        let description = shorten(&figure.caption, SENTENCE);
        let svg = figure.drawing.inline(&format!("c{}", self.charts), &title, &description);
        let _ = write!(
            self.html,
            "<figure class=\"{class}\"><figcaption><b>{}</b> <span>{caption}</span></figcaption><div class=\"plot\">{svg}</div></figure>",
            escape(&title)
        );
    }
}

/// Marks the pieces of escaped text as unbreakable, if there is room.
fn whole(escaped: &str, gap: &str) -> String {
    let pieces = escaped.split(gap).map(|piece| format!("<span class=\"whole\">{piece}</span>"));
    pieces.collect::<Vec<_>>().join(gap)
}

/// Marks the range `[low, high]` of an escaped figure, if it has one, as unbreakable.
fn whole_range(escaped: &str) -> String {
    match escaped.split_once(" [") {
        Some((figure, range)) => format!("{figure} <span class=\"whole\">[{range}</span>"),
        None => escaped.to_owned(),
    }
}

/// Encodes bytes as Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(*chunk.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[place]) } else { '=' });
        }
    }
    text
}

/// Returns the CSS class of a column: figures are right-aligned, words left-aligned; figures and specs do not wrap.
fn class(table: &Table, column: usize) -> &'static str {
    let is_figure = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || "−–-".contains(c));
    let is_words = |row: &Vec<String>| row[column].chars().count() >= 30 && !is_figure(&row[column]);
    let fits_a_line = table.rows.iter().all(|row| row[column].chars().count() <= 40);
    match column < table.names {
        true if fits_a_line => " class=\"w\"",
        true => "",
        false if table.rows.iter().any(is_words) => "",
        false if table.rows.iter().any(|row| row[column].contains(" [")) => " class=\"n wraps\"",
        false => " class=\"n\"",
    }
}

/// Joins the non-empty pieces with commas.
pub(super) fn definition(pieces: &[&str]) -> String {
    let pieces: Vec<&str> = pieces.iter().copied().filter(|piece| !piece.is_empty()).collect();
    pieces.join(", ")
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 239, 190, 0]), "/+++AA==");
    }
}
