//! `schuss data show`, `schuss data pack` and `schuss data fetch`.

use crate::compare::warn;
use crate::terminal::{Screen, Tile, bar, deliver, fit, percent};
use indicatif::{ProgressBar, ProgressStyle};
use schuss::data::split::mixing;
use schuss::data::stream::order::Order;
use schuss::data::{self, Dataset, Normalisation, Range, Shape, Split, Survey};
use schuss::loss::Targets;
use schuss::recipe::{ChoiceKey, Workload};
use schuss::{Cause, Error, Result, files};
use schuss_data::format::table::ColumnKind;
use schuss_data::text::{bytes, grouped, parse_bytes, printable};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Maximum number of classes listed.
const CLASSES_LISTED: usize = 100;
/// Maximum number of classes with drawn samples.
const CLASSES_DRAWN: usize = 20;
/// Samples drawn per class.
const SAMPLES_DRAWN: usize = 2;
/// Images per row.
const PER_ROW: usize = 5;
/// Maximum number of table columns listed.
const COLUMNS: usize = 40;
/// Terminal columns of a class's name and of its bar.
const NAME: usize = 12;
const BAR: usize = 16;

/// Describes a data set, and how well `order` mixes its classes, within `memory` if that is limited.
///
/// # Errors
/// Errors of loading and reading the data, or a failure if `out` cannot be written.
pub(crate) fn show(
    workload: &Workload,
    targets: Option<Targets>,
    order: Order,
    memory: Option<&str>,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let data = workload.load_to_show(memory.map(parse_bytes).transpose()?, targets)?;
    let surveys = data::survey(&data)?;
    let text = facts(&data, workload.choices.get(ChoiceKey::Missing).is_none())?
        + &splits(&data, &surveys)
        + &columns(&data, &surveys)
        + &balance(&data, &surveys, screen.table_width())
        + &wrong(&data, &surveys, order)?;
    deliver(out, &(text + &samples(&data, screen)?)).map(drop)
}

/// Returns name, origin, shape and notes; `filled` if missing cells were filled in without being asked to.
fn facts(data: &Dataset, filled: bool) -> Result<String> {
    let shape = match data.shape {
        Shape::Image(image) => format!("{} x {} x {}: ", image.channels, image.height, image.width),
        Shape::Flat(_) => String::new(),
    };
    let noun = if data.shape.image().is_some() { "images" } else { "rows  " };
    let held_out = data
        .held_out
        .iter()
        .map(|held| format!("held out     {} (seed {})\n", held.drawn.join(", "), held.seed));
    let note = |note: &str| format!("note         {}\n", printable(note));
    let filled = filled && data.notes.iter().any(|note| note.starts_with("missing cells"));
    let refused = "missing cells are refused in training without --missing mean or --missing drop";
    let notes = data.notes.iter().map(|text| note(text)).chain(filled.then(|| note(refused)));
    Ok(format!(
        "data         {}\norigin       {}\nfingerprint  {}\nmemory       {}\n\
         {noun}       {shape}{} numbers each, {}\n{}\n",
        printable(&data.name),
        printable(&data.origin),
        data.fingerprint()?,
        bytes(data.bytes() as u64),
        grouped(data.shape.features() as u64),
        data.target_words(),
        held_out.chain(notes).collect::<String>(),
    ))
}

/// Returns counts and ranges per split; mean and standard deviation of pixels as fractions of 255.
fn splits(data: &Dataset, surveys: &[Survey]) -> String {
    let pixels = data.normalisation == Normalisation::Unit;
    let (noun, unit) = if pixels { ("pixels", "/255") } else { ("range", "") };
    let mut text = format!(
        "{:<10} {:>11} {noun:>16} {:>9} {:>9}\n",
        "split",
        "samples",
        format!("mean{unit}"),
        format!("sd{unit}")
    );
    for survey in surveys {
        let count = grouped(survey.samples);
        let one = if pixels { 255.0 } else { 1.0 };
        let _ = writeln!(text, "{:<10} {count:>11} {}", survey.split, row(&survey.numbers, one));
        for (number, range) in survey.targets.iter().enumerate() {
            let _ = writeln!(text, "{:<22} {}", format!("  label {}", number + 1), row(range, 1.0));
        }
    }
    text + "\n"
}

/// Returns the columns of a table; numeric ones with their range in the training split.
fn columns(data: &Dataset, surveys: &[Survey]) -> String {
    let (Some(table), Some(train)) = (&data.table, surveys.first()) else { return String::new() };
    let mut text = format!("{:<22} {:>16} {:>9} {:>9}\n", "column", "range", "mean", "sd");
    let mut first = 0;
    for column in table.columns.iter().take(COLUMNS) {
        let held = match (&column.kind, train.features.get(first)) {
            (ColumnKind::Number { .. }, Some(range)) => row(range, 1.0),
            (ColumnKind::Number { .. }, None) => String::new(),
            (ColumnKind::Category { .. }, _) => format!("{:>16}", format!("{} words", column.width())),
        };
        let _ = writeln!(text, "{} {held}", fit(&column.name, 22));
        first += column.width();
    }
    text + &more(table.columns.len(), COLUMNS) + "\n"
}

/// Returns a line with the number of items not listed.
fn more(all: usize, listed: usize) -> String {
    let more = all.saturating_sub(listed);
    if more > 0 { format!("and {} more\n", grouped(more as u64)) } else { String::new() }
}

fn row(range: &Range, one: f64) -> String {
    let apart = range.highest - range.lowest;
    let ends = format!("{}..{}", among(range.lowest, apart), among(range.highest, apart));
    format!("{ends:>16} {:>9} {:>9}", among(range.mean() / one, apart / one), short(range.deviation() / one))
}

/// Formats a number with enough digits to distinguish it from others that differ by at most `apart`.
fn among(x: f64, apart: f64) -> String {
    const CLOSE: f64 = 1e-3;
    if apart == 0.0 || apart > CLOSE * x.abs() {
        return short(x);
    }
    let decimals = (2.0 - apart.log10().floor()).clamp(0.0, 12.0) as usize;
    let fine = format!("{x:.decimals$}");
    if fine.contains('.') { fine.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fine }
}

/// Formats a number in few characters.
fn short(x: f64) -> String {
    let size = x.abs();
    if x.fract() == 0.0 && size < 1e6 {
        format!("{x}")
    } else if (1e-3..1e5).contains(&size) {
        format!("{x:.4}")
    } else {
        format!("{x:.3e}")
    }
}

/// Returns the samples per class, with bars relative to the largest class of the split; empty without classes.
fn balance(data: &Dataset, surveys: &[Survey], width: usize) -> String {
    let ends = [surveys.first(), surveys.last()];
    let ([Some(train), Some(test)], false) = (ends, data.classes.is_empty()) else { return String::new() };
    let numbers = 8 + 1 + 8 + 2;
    let bar = (width.saturating_sub(NAME + 1 + 2 * (numbers + 1)) / 2).min(BAR);
    let half = numbers + bar;
    let mut text = format!("{} {:<half$}  {}\n", fit("class", NAME), "   train", "   test");
    for (class, name) in data.classes.iter().enumerate().take(CLASSES_LISTED) {
        let [train, test] = [train, test].map(|survey| class_bar(&survey.classes, class, bar));
        let _ = writeln!(text, "{} {train}  {}", fit(name, NAME), test.trim_end());
    }
    text + &more(data.classes.len(), CLASSES_LISTED) + "\n"
}

fn class_bar(counts: &[u64], class: usize, width: usize) -> String {
    let (count, total) = (counts[class] as f64, counts.iter().sum::<u64>().max(1) as f64);
    let largest = counts.iter().max().map_or(1.0, |&largest| largest.max(1) as f64);
    let samples = grouped(counts[class]);
    format!("{samples:>8} {:>8}  {}", percent(count / total), bar(count / largest, width))
}

/// Returns possible problems, one line each.
fn wrong(data: &Dataset, surveys: &[Survey], order: Order) -> Result<String> {
    let counts: Vec<Vec<u64>> = surveys.iter().map(|survey| survey.classes.clone()).collect();
    let mut lines = data.strange_classes(&counts);
    for Survey { split, duplicates, contradictions, shared, samples, compared, .. } in surveys {
        let of =
            if compared < samples { format!(" of the first {}", grouped(*compared)) } else { String::new() };
        let counts = [
            (duplicates, ["repeats an earlier one, label included", "repeat earlier ones, labels included"]),
            (
                contradictions,
                ["repeats an earlier one with another label", "repeat earlier ones with other labels"],
            ),
            (shared, ["is in an earlier split too", "are in an earlier split too"]),
        ];
        for (count, [one, many]) in counts.into_iter().filter(|(count, _)| **count > 0) {
            lines.push(match count {
                1 => format!("{split}: 1 sample{of} {one}"),
                count => format!("{split}: {} samples{of} {many}", grouped(*count)),
            });
        }
    }
    if let Some(train) = surveys.first().filter(|train| train.constant > 0) {
        let all = grouped(data.shape.features() as u64);
        lines.push(format!("train: {} of {all} features are constant", grouped(train.constant as u64)));
    }
    if let Some(mixing) = mixing::measure(data.train.store(), order, 1)? {
        let how = format!(
            "in the order {order}, classes are mixed well: batches are {:.1} times as far from the overall class shares as after a perfect shuffle",
            mixing.ratio()
        );
        lines.push(mixing.warning(order).unwrap_or(how));
    }
    let text: String = lines.iter().map(|line| format!("{}\n", printable(line))).collect();
    Ok(if text.is_empty() { text } else { text + "\n" })
}

/// Draws the first training samples of each class.
fn samples(data: &Dataset, screen: &Screen) -> Result<String> {
    let Some(shape) = data.shape.image() else { return Ok(String::new()) };
    let first = first_of_each(&data.train, data.classes.len())?;
    let drawn = data.classes.len().min(CLASSES_DRAWN);
    let mut text = format!(
        "the first training images of {}\n\n",
        match data.classes.len() {
            all if all == drawn => "each class".to_owned(),
            all => format!("{drawn} of {all} classes"),
        }
    );
    let classes: Vec<usize> = (0..drawn).collect();
    for classes in classes.chunks(PER_ROW) {
        for nth in 0..SAMPLES_DRAWN {
            let found = classes.iter().filter_map(|&class| Some((class, *first[class].get(nth)?)));
            let tile = |(class, index): (usize, u64)| -> Result<Tile> {
                let caption = vec![data.classes[class].clone(), format!("#{index}")];
                Ok(Tile::new(data.train.read(&[index])?.pixels(0), shape, caption))
            };
            text += &screen.draw(&found.map(tile).collect::<Result<Vec<_>>>()?, PER_ROW);
        }
    }
    Ok(text)
}

/// Returns the indices of the first samples of each class.
fn first_of_each(split: &Split, classes: usize) -> Result<Vec<Vec<u64>>> {
    let mut found = vec![vec![]; classes];
    split.each_block(|first, block| {
        for (&class, index) in block.classes().iter().zip(first..) {
            match found.get_mut(class as usize) {
                Some(found) if found.len() < SAMPLES_DRAWN => found.push(index),
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Writes a data set to a pack, and its number of samples and bytes to `out`.
///
/// # Errors
/// Errors of loading and reading the data, a usage error if the file exists, a failure if it cannot be written.
pub(crate) fn pack(
    workload: &Workload,
    targets: Option<Targets>,
    to: &Path,
    memory: Option<&str>,
    out: &mut dyn Write,
) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(Error::usage("the file already exists")
            .because(Cause::AlreadyExists)
            .at(to.display())
            .advise("choose another name"));
    }
    let memory = memory.map(parse_bytes).transpose()?;
    let data = workload.load(memory, targets)?;
    warn(&data)?;
    let contents = data.contents(memory.unwrap_or(PACK_MEMORY) / 2)?;
    let loaders = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failure = None;
    let written = files::write_by(to, None, |file| {
        data::format::pack::write(&contents, loaders, file).map_err(|error| {
            let reported = std::io::Error::other(error.what.clone());
            failure = Some(error);
            reported
        })
    });
    failure.map_or(written, Err)?;
    let samples: u64 = data.splits().map(|(_, split)| split.len() as u64).sum();
    let line = format!("{}: {} samples, {}\n", to.display(), grouped(samples), bytes(contents.bytes()?));
    deliver(out, &line).map(drop)
}

/// Default memory for shuffling blocks, in bytes.
const PACK_MEMORY: u64 = 1 << 30;

/// Downloads a published data set and prints its folder; `mirrors` replace the built-in ones.
///
/// # Errors
/// Errors of [`data::fetch`], or a failure if `out` cannot be written.
pub(crate) fn fetch(name: &str, mirrors: &[String], out: &mut dyn Write) -> Result<()> {
    let mirrors = Some(mirrors).filter(|mirrors| !mirrors.is_empty());
    let mut files = Downloads::new(std::io::stderr().is_terminal());
    let folder = data::fetch(name, mirrors, &mut |file, got, total| files.progress(file, got, total));
    files.bar.finish_and_clear();
    deliver(out, &format!("{}\n", folder?.display())).map(drop)
}

/// Progress of downloads on stderr: a bar on a terminal, otherwise one line per attempt at a file.
struct Downloads {
    terminal: bool,
    file: String,
    got: u64,
    bar: ProgressBar,
}

impl Downloads {
    fn new(terminal: bool) -> Self {
        Self { terminal, file: String::new(), got: 0, bar: ProgressBar::hidden() }
    }

    /// Records `got` bytes received; fewer than before mean that another mirror is being tried.
    fn progress(&mut self, file: &str, got: u64, total: Option<u64>) {
        if file != self.file || got < self.got {
            file.clone_into(&mut self.file);
            self.begin(total);
        }
        self.got = got;
        self.bar.set_position(got);
    }

    fn begin(&mut self, total: Option<u64>) {
        if !self.terminal {
            let size = total.map_or_else(String::new, |total| format!(" ({})", bytes(total)));
            let _ = writeln!(std::io::stderr(), "downloading {}{size}", self.file);
            return;
        }
        self.bar.finish_and_clear();
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
        );
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        self.bar = bar.with_style(style).with_prefix(self.file.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::Reading;
    use schuss::data::{ImageShape, Samples};

    #[test]
    fn show_tells_counts_balance_and_fingerprint_and_draws_every_class() {
        let spec = "digits:train=300,test=50";
        let mut shown = Vec::new();
        let (workload, screen) = (Reading::default().workload(spec), Screen::detect());
        show(&workload, None, Order::Sequential, None, &screen, &mut shown).unwrap();
        let text = String::from_utf8(shown).unwrap();
        let data = data::load(spec).unwrap();
        assert!(text.contains(&data.fingerprint().unwrap()) && text.contains("1 x 28 x 28: 784 numbers"));
        let third = data.train.class_counts(10).unwrap()[3];
        let row = text.lines().find(|line| line.starts_with("3  ")).unwrap();
        assert!(row.contains(&format!(" {third} ")) && row.contains(&percent(third as f64 / 300.0)), "{row}");
        for class in 0..10 {
            let classes = data.train.resident().unwrap().classes();
            let first = classes.iter().position(|&label| label == class).unwrap();
            assert!(text.contains(&format!("#{first}")), "{class} was not drawn");
        }
    }

    #[test]
    fn a_class_without_images_is_shown_as_such() {
        let black: Split = Samples::images(vec![0; 8], vec![0, 0], 4).unwrap().into();
        let data = Dataset {
            shape: ImageShape { channels: 1, height: 2, width: 2 }.into(),
            classes: vec!["yes".into(), "no".into()],
            train: black.clone(),
            test: black,
            ..data::load("digits:train=1,test=1").unwrap()
        };
        let surveys = data::survey(&data).unwrap();
        assert!(
            balance(&data, &surveys, 100)
                .lines()
                .any(|line| line.starts_with("no") && line.contains("0.0 %"))
        );
        assert!(!samples(&data, &Screen::detect()).unwrap().contains("no"));
    }

    #[test]
    fn fetching_what_is_not_published_is_a_usage_error() {
        assert_eq!(fetch("mnits", &[], &mut Vec::new()).unwrap_err().exit_code(), 2);
    }
}
