//! Images and bars drawn with characters, and text of fixed width.

use schuss::data::ImageShape;
use schuss::{Error, Result};
use schuss_data::text::printable;
use std::io::{ErrorKind, IsTerminal, Write};
use std::ops::ControlFlow;

/// Columns assumed if the width is unknown.
const COLUMNS: usize = 80;
/// Blank columns between adjacent images.
const GAP: usize = 2;

/// Capabilities of the terminal on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Columns.
    pub(crate) width: usize,
    /// True if the width is known, so that longer lines would wrap.
    pub(crate) bounded: bool,
    ink: Ink,
}

/// Rendering of the upper and lower half of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    /// Characters only.
    Plain,
    /// The 24 greys of the 256 colours.
    Greys,
    /// 24-bit colours.
    TrueColour,
}

/// Grey image with caption lines below.
pub(crate) struct Tile {
    image: Grey,
    caption: Vec<String>,
}

/// Brightness in 0..=255, row after row.
struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
}

/// Writes to stdout or its substitute; a closed pipe is not a failure.
pub(crate) fn deliver(out: &mut dyn Write, text: &str) -> Result<ControlFlow<()>> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => {
            Err(Error::failure(format!("stdout cannot be written: {}", schuss_data::text::plain_io(&error))))
        }
    }
}

impl Screen {
    /// Creates a screen without colours.
    #[cfg(test)]
    pub(crate) fn of_width(width: usize) -> Self {
        Self { width, bounded: true, ink: Ink::Plain }
    }

    /// Detects the capabilities of stdout from the environment.
    pub(crate) fn detect() -> Self {
        Self::from(std::io::stdout().is_terminal(), |name| std::env::var(name).ok())
    }

    /// Uses colours only on a terminal that supports them, unless disabled by `NO_COLOR` (<https://no-color.org>).
    fn from(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let known = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        let width = set("COLUMNS").and_then(|columns| columns.parse().ok()).or_else(known);
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        let deep = set("COLORTERM").is_some_and(|depth| depth == "truecolor" || depth == "24bit");
        let ink = match (terminal && !dumb && set("NO_COLOR").is_none(), deep) {
            (false, _) => Ink::Plain,
            (true, false) => Ink::Greys,
            (true, true) => Ink::TrueColour,
        };
        Self { width: width.unwrap_or(COLUMNS).clamp(40, 400), bounded: width.is_some(), ink }
    }

    /// Returns the columns for a table: those of the screen, or 100 if unknown.
    pub(crate) fn table_width(&self) -> usize {
        if self.bounded { self.width } else { 100 }
    }

    /// Draws images in rows of `per_row`, with captions below.
    pub(crate) fn draw(&self, tiles: &[Tile], per_row: usize) -> String {
        let columns = ((self.width + GAP) / per_row.max(1)).saturating_sub(GAP).max(1);
        tiles.chunks(per_row.max(1)).map(|row| self.strip(row, columns)).collect()
    }

    fn strip(&self, tiles: &[Tile], columns: usize) -> String {
        let drawn: Vec<Vec<String>> = tiles.iter().map(|tile| self.tile(tile, columns)).collect();
        let height = drawn.iter().map(Vec::len).max().unwrap_or(0);
        let blank = " ".repeat(columns);
        let line = |at: usize| {
            let cells: Vec<&str> = drawn.iter().map(|tile| tile.get(at).unwrap_or(&blank).as_str()).collect();
            cells.join(&" ".repeat(GAP)).trim_end().to_owned() + "\n"
        };
        (0..height).map(line).collect::<String>() + "\n"
    }

    /// Returns the lines of a tile, each `columns` wide.
    fn tile(&self, tile: &Tile, columns: usize) -> Vec<String> {
        let image = tile.image.shrunk_to(columns);
        let margin = " ".repeat(columns - image.width);
        let cells = |y: usize| (0..image.width).map(move |x| (x, y));
        let picture = (0..image.height).step_by(2).map(|y| {
            let line: String = cells(y).map(|(x, y)| self.cell(image.at(x, y), image.at(x, y + 1))).collect();
            format!("{line}{}{margin}", self.reset())
        });
        picture.chain(tile.caption.iter().map(|text| fit(text, columns))).collect()
    }

    /// Returns one character that shows two brightnesses, in its upper and lower half.
    fn cell(&self, upper: f32, lower: f32) -> String {
        match self.ink {
            Ink::Plain => nearest_shade(upper / 255.0, lower / 255.0).to_string(),
            Ink::Greys => {
                format!("\x1b[38;5;{};48;5;{}m▀", grey_of_256(upper), grey_of_256(lower))
            }
            Ink::TrueColour => {
                let (upper, lower) = (upper.round() as u8, lower.round() as u8);
                format!("\x1b[38;2;{upper};{upper};{upper};48;2;{lower};{lower};{lower}m▀")
            }
        }
    }

    fn reset(&self) -> &'static str {
        if self.ink == Ink::Plain { "" } else { "\x1b[0m" }
    }
}

/// Returns the number of the nearest grey in the 256 colours: black, 24 steps from 8 to 238, white.
fn grey_of_256(brightness: f32) -> u8 {
    match brightness {
        dark if dark < 4.0 => 16,
        bright if bright > 246.0 => 231,
        grey => 232 + ((grey - 8.0) / 10.0).round().clamp(0.0, 23.0) as u8,
    }
}

/// Returns the block character whose halves come nearest.
fn nearest_shade(upper: f32, lower: f32) -> char {
    const BLOCKS: [(char, f32, f32); 7] = [
        (' ', 0.0, 0.0),
        ('░', 0.25, 0.25),
        ('▒', 0.5, 0.5),
        ('▓', 0.75, 0.75),
        ('█', 1.0, 1.0),
        ('▀', 1.0, 0.0),
        ('▄', 0.0, 1.0),
    ];
    let distance = |(_, above, below): &(char, f32, f32)| (above - upper).powi(2) + (below - lower).powi(2);
    BLOCKS.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(' ', |block| block.0)
}

impl Tile {
    /// Creates a tile from an image of `shape`, averaging its channels.
    pub(crate) fn new(pixels: &[u8], shape: ImageShape, caption: Vec<String>) -> Self {
        let area = shape.height * shape.width;
        let mix = |at: usize| {
            let channels = pixels.iter().skip(at).step_by(area).map(|&pixel| f32::from(pixel));
            channels.sum::<f32>() / shape.channels as f32
        };
        let pixels = (0..area).map(mix).collect();
        Self { image: Grey { width: shape.width, height: shape.height, pixels }, caption }
    }
}

impl Grey {
    /// Returns the brightness of a pixel, black outside the image.
    fn at(&self, x: usize, y: usize) -> f32 {
        if x < self.width && y < self.height { self.pixels[y * self.width + x] } else { 0.0 }
    }

    /// Shrinks the image to a width of at most `columns`, in proportion; each pixel is the mean of the area it covers.
    fn shrunk_to(&self, columns: usize) -> Self {
        let width = self.width.min(columns);
        let height = (self.height * width).div_ceil(self.width.max(1));
        let (across, down) = (overlaps(self.width, width), overlaps(self.height, height));
        let mut pixels = Vec::with_capacity(width * height);
        for rows in &down {
            for cols in &across {
                let row = |y: usize| cols.iter().map(|&(x, share)| share * self.at(x, y)).sum::<f32>();
                pixels.push(rows.iter().map(|&(y, share)| share * row(y)).sum());
            }
        }
        Self { width, height, pixels }
    }
}

/// Returns, for each of `to` equal parts of `from` pixels, the pixels it covers and their weights.
fn overlaps(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let size = from as f32 / to.max(1) as f32;
    let part = |i: usize| {
        let (start, end) = (i as f32 * size, (i + 1) as f32 * size);
        let covered = start.floor() as usize..(end.ceil() as usize).min(from);
        let share = |x: usize| (end.min(x as f32 + 1.0) - start.max(x as f32)).max(0.0) / size;
        covered.map(|x| (x, share(x))).collect()
    };
    (0..to).map(part).collect()
}

/// Draws a bar over `fraction` of `width` columns, to an eighth of a column, padded with blanks.
pub(crate) fn bar(fraction: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (fraction.clamp(0.0, 1.0) * 8.0 * width as f64).round() as usize;
    let text = "█".repeat(eighths / 8) + PARTS[eighths % 8];
    format!("{text:width$}")
}

/// Fits `text` to exactly `width` columns; `…` marks truncation.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= width {
        return format!("{text:width$}");
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Formats a fraction in percent: `97.7 %`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen { width: 80, bounded: true, ink: Ink::Plain };

    fn tile(width: usize, height: usize, pixels: &[u8]) -> Tile {
        Tile::new(pixels, ImageShape { channels: 1, height, width }, vec!["one".into(), "two".into()])
    }

    #[test]
    fn colours_need_a_terminal_that_has_them_and_an_owner_who_wants_them() {
        let ink = |terminal, variables: &[(&str, &str)]| {
            let value = |name: &str| Some(variables.iter().find(|pair| pair.0 == name)?.1.to_owned());
            Screen::from(terminal, value).ink
        };
        assert_eq!(ink(true, &[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Ink::TrueColour);
        assert_eq!(ink(true, &[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Ink::Greys);
        assert_eq!(ink(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]), Ink::Plain);
        assert_eq!(ink(true, &[("TERM", "dumb"), ("COLORTERM", "truecolor")]), Ink::Plain);
        assert_eq!(ink(false, &[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Ink::Plain);
    }

    #[test]
    fn a_cell_holds_two_rows_of_pixels() {
        let drawn = PLAIN.draw(&[tile(4, 3, &[255, 255, 0, 128, 255, 0, 0, 128, 255, 0, 0, 128])], 5);
        assert_eq!(drawn, "█▀ ▒\n▀  ░\none\ntwo\n\n");
    }

    #[test]
    fn colours_are_given_by_halves_and_end_with_the_picture() {
        let screen = Screen { ink: Ink::TrueColour, ..PLAIN };
        assert_eq!(
            screen.strip(&[tile(1, 2, &[7, 255])], 1).lines().next(),
            Some("\x1b[38;2;7;7;7;48;2;255;255;255m▀\x1b[0m")
        );
        assert_eq!([0.0, 8.0, 128.0, 238.0, 255.0].map(grey_of_256), [16, 232, 244, 255, 231]);
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let screen = Screen { width: 50, ..PLAIN };
        for side in [1, 8, 28, 64] {
            let tiles: Vec<Tile> = (0..7).map(|_| tile(side, side, &vec![255; side * side])).collect();
            let drawn = screen.draw(&tiles, 3);
            assert!(drawn.lines().all(|line| line.chars().count() <= 50), "{drawn}");
            assert_eq!(drawn.matches("two").count(), 7);
        }
    }

    #[test]
    fn shrinking_keeps_the_mean() {
        let pixels: Vec<u8> = (0..28 * 28).map(|i| (i * 37 % 256) as u8).collect();
        let mean = |image: &Grey| image.pixels.iter().sum::<f32>() / image.pixels.len() as f32;
        let image = tile(28, 28, &pixels).image;
        for columns in [1, 14, 18, 28] {
            let shrunk = image.shrunk_to(columns);
            assert_eq!((shrunk.width, shrunk.height), (columns, columns));
            assert!((mean(&shrunk) - mean(&image)).abs() < 0.01, "{columns}");
        }
    }

    #[test]
    fn channels_are_mixed_evenly() {
        let shape = ImageShape { channels: 3, height: 1, width: 2 };
        assert_eq!(Tile::new(&[0, 255, 30, 255, 60, 255], shape, vec![]).image.pixels, [30.0, 255.0]);
    }

    #[test]
    fn bars_and_texts_have_the_width_asked_for() {
        assert_eq!(bar(0.5, 4), "██  ");
        assert_eq!(bar(0.29, 4), "█▏  ");
        assert_eq!((bar(7.0, 2), bar(-1.0, 2), bar(f64::NAN, 2)), ("██".into(), "  ".into(), "  ".into()));
        assert_eq!(fit("ankle boot", 6), "ankle…");
        assert_eq!(fit("bag\x1b[2J", 9), "bag\u{fffd}[2J  ");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_but_a_full_disk_is() {
        struct Broken(ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(deliver(&mut Broken(ErrorKind::BrokenPipe), "text").unwrap(), ControlFlow::Break(()));
        assert_eq!(deliver(&mut Broken(ErrorKind::StorageFull), "text").unwrap_err().exit_code(), 1);
    }
}
