//! `schuss data show` and `schuss data fetch`.

use crate::terminal::{Screen, Tile, bar, deliver, fit, percent, printable};
use indicatif::{ProgressBar, ProgressStyle};
use schuss::Result;
use schuss::data::{self, Dataset, Shape, Split};
use schuss_data::text::{bytes, grouped};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

/// Most classes whose samples are drawn.
const CLASSES_DRAWN: usize = 20;
/// Samples drawn of each class.
const SAMPLES_DRAWN: usize = 2;
/// Pictures side by side.
const PER_ROW: usize = 5;
/// Columns of a class's name and of its bar.
const NAME: usize = 12;
const BAR: usize = 16;

/// Tells what is in the data that `spec` names.
///
/// # Errors
/// What [`data::load`] says, or a failure if `out` cannot be written.
pub(crate) fn show(spec: &str, screen: &Screen, out: &mut dyn Write) -> Result<()> {
    let data = data::load(spec)?;
    let text = facts(&data)? + &splits(&data)? + &balance(&data)? + &samples(&data, screen)?;
    deliver(out, &text).map(drop)
}

fn facts(data: &Dataset) -> Result<String> {
    let classes = data.classes.len();
    let shape = match data.shape {
        Shape::Image(image) => format!("{} x {} x {}: ", image.channels, image.height, image.width),
        Shape::Flat(_) => String::new(),
    };
    let noun = if data.shape.image().is_some() { "images" } else { "rows  " };
    Ok(format!(
        "data         {}\norigin       {}\nfingerprint  {}\nmemory       {}\n\
         {noun}       {shape}{} numbers each, in {classes} classes\n\n",
        printable(&data.name),
        printable(&data.origin),
        data.fingerprint()?,
        bytes(data.bytes() as u64),
        grouped(data.shape.features() as u64),
    ))
}

fn splits(data: &Dataset) -> Result<String> {
    let mut text = "split      images   pixels  mean/255    sd/255\n".to_owned();
    for (name, split) in data.splits() {
        let count = grouped(split.len() as u64);
        let PixelStatistics { lowest, highest, mean, deviation } = PixelStatistics::of_split(split)?;
        let range = format!("{lowest}..{highest}");
        let _ = writeln!(
            text,
            "{name:<5} {count:>11} {range:>8} {:>9.4} {:>9.4}",
            mean / 255.0,
            deviation / 255.0
        );
    }
    Ok(text + "\n")
}

/// What the bytes of some images are like.
#[derive(Debug, PartialEq)]
struct PixelStatistics {
    lowest: usize,
    highest: usize,
    mean: f64,
    /// Standard deviation over all pixels.
    deviation: f64,
}

impl PixelStatistics {
    fn of_split(split: &Split) -> Result<Self> {
        let mut counts = [0; 256];
        split.each_block(|_, block| {
            block.values().pixels().iter().for_each(|&pixel| counts[usize::from(pixel)] += 1);
            Ok(())
        })?;
        Ok(Self::of(&counts))
    }

    /// Of so many pixels of each level.
    fn of(counts: &[u64; 256]) -> Self {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let mean_of = |value: &dyn Fn(f64) -> f64| {
            let weighted =
                counts.iter().enumerate().map(|(level, &count)| count as f64 * value(level as f64));
            weighted.sum::<f64>() / total
        };
        let mean = mean_of(&|level| level);
        Self {
            lowest: counts.iter().position(|&count| count > 0).unwrap_or(0),
            highest: counts.iter().rposition(|&count| count > 0).unwrap_or(0),
            mean,
            deviation: mean_of(&|level| (level - mean).powi(2)).sqrt(),
        }
    }
}

/// Images per class, with bars in proportion to the largest class of the split.
fn balance(data: &Dataset) -> Result<String> {
    let counts = |split: &Split| split.class_counts(data.classes.len());
    let counts = [counts(&data.train)?, counts(&data.test)?];
    let half = 9 + 9 + 1 + BAR;
    let mut text = format!("{} {:<half$}  {}\n", fit("class", NAME), "   train", "   test");
    for (class, name) in data.classes.iter().enumerate() {
        let [train, test] = counts.each_ref().map(|counts| class_bar(counts, class));
        let _ = writeln!(text, "{} {train}  {}", fit(name, NAME), test.trim_end());
    }
    Ok(text + "\n")
}

fn class_bar(counts: &[usize], class: usize) -> String {
    let (count, total) = (counts[class] as f64, counts.iter().sum::<usize>().max(1) as f64);
    let largest = counts.iter().max().map_or(1.0, |&largest| largest.max(1) as f64);
    let images = grouped(counts[class] as u64);
    format!("{images:>8} {:>8}  {}", percent(count / total), bar(count / largest, BAR))
}

/// The first samples of each class of the training split.
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

/// Where the first samples of each class stand.
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

/// Downloads a published data set and prints the folder it is in; `mirrors` replace those built in.
///
/// # Errors
/// What [`data::fetch`] says, or a failure if `out` cannot be written.
pub(crate) fn fetch(name: &str, mirrors: &[String], out: &mut dyn Write) -> Result<()> {
    let mirrors = Some(mirrors).filter(|mirrors| !mirrors.is_empty());
    let mut files = Downloads::new(std::io::stderr().is_terminal());
    let folder = data::fetch(name, mirrors, &mut |file, got, total| files.progress(file, got, total));
    files.bar.finish_and_clear();
    deliver(out, &format!("{}\n", folder?.display())).map(drop)
}

/// What is told of downloads on stderr: a bar on a terminal, else one line per attempt at a file.
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

    /// Takes note of `got` bytes; fewer than before mean that another mirror is being tried.
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
    use schuss::data::{ImageShape, Samples};

    #[test]
    fn statistics_are_those_of_the_pixels() {
        let mut counts = [0; 256];
        [2, 4, 4, 4, 5, 5, 7, 9].iter().for_each(|&pixel: &usize| counts[pixel] += 1);
        let statistics = PixelStatistics::of(&counts);
        assert_eq!(statistics, PixelStatistics { lowest: 2, highest: 9, mean: 5.0, deviation: 2.0 });
    }

    #[test]
    fn show_tells_counts_balance_and_fingerprint_and_draws_every_class() {
        let spec = "digits:train=300,test=50";
        let mut shown = Vec::new();
        show(spec, &Screen::detect(), &mut shown).unwrap();
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
        assert!(balance(&data).unwrap().lines().any(|line| line.starts_with("no") && line.contains("0.0 %")));
        assert!(!samples(&data, &Screen::detect()).unwrap().contains("no"));
    }

    #[test]
    fn fetching_what_is_not_published_is_a_usage_error() {
        assert_eq!(fetch("mnits", &[], &mut Vec::new()).unwrap_err().exit_code(), 2);
    }
}
