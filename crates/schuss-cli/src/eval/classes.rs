//! Text on predicted classes: accuracy, confusion matrix, worst mistakes.

use super::looked_at;
use crate::terminal::{Screen, Tile, fit, percent};
use schuss::Result;
use schuss::data::Dataset;
use schuss::metrics::Confusion;
use schuss::network::{ClassScores, Mistake};
use schuss_data::text::{grouped, printable, significant};
use std::fmt::Write as _;

/// Images per row.
const PER_ROW: usize = 4;
/// Columns of a class's name.
const NAME: usize = 12;
/// Maximum columns of a class's name in a list.
const LONG_NAME: usize = 24;
/// Rows shown of a truncated list.
const HEAD: usize = 12;

/// Scores of a model's classes on the test split of `data`.
pub(super) struct Page<'a> {
    pub(super) scores: &'a ClassScores,
    pub(super) model: &'a str,
    pub(super) data: &'a Dataset,
}

impl Page<'_> {
    pub(super) fn text(&self, screen: &Screen) -> Result<String> {
        let cell = self.cell();
        let matrix = if NAME + cell * self.scores.classes.len() + "  recall".len() <= screen.width {
            self.matrix(cell)
        } else {
            self.largest_confusions() + &self.lowest_recalls()
        };
        Ok(self.facts() + &matrix + &self.worst(screen)?)
    }

    fn facts(&self) -> String {
        let ClassScores { accuracy, chance, only_class, loss, loss_name, samples, confusion, .. } =
            self.scores;
        let only = only_class.as_ref().map_or_else(String::new, |class| {
            format!("          it predicts `{}` for every sample\n", printable(class))
        });
        format!(
            "model     {}\ndata      {}\naccuracy  {accuracy:.4} ({} of {})\n\
             chance    {chance:.4} (the most common class alone)\n{only}loss      {} ({loss_name})\n\n",
            printable(self.model),
            looked_at(self.data),
            grouped(confusion.correct()),
            grouped(*samples),
            significant(*loss, 6),
        )
    }

    /// Returns the columns of a count in brackets.
    fn cell(&self) -> usize {
        let largest = self.scores.confusion.counts().iter().flatten().max().unwrap_or(&0);
        largest.to_string().len().max(3) + 2
    }

    /// Formats the confusion matrix: rows are true classes, columns predicted ones, the diagonal is in brackets.
    fn matrix(&self, cell: usize) -> String {
        let heading = |name: &String| format!(" {:>1$} ", fit(name, cell - 2).trim_end(), cell - 2);
        let headings: String = self.scores.classes.iter().map(heading).collect();
        let mut text = format!(
            "confusion: rows are true classes, columns predicted ones\n\n{:NAME$}{headings}  recall\n",
            ""
        );
        for (class, row) in self.scores.confusion.counts().iter().enumerate() {
            let count = |(column, &count): (usize, &u64)| match count {
                count if column == class => format!("{:>cell$}", format!("[{count}]")),
                0 => format!("{:>1$} ", "·", cell - 1),
                count => format!("{count:>0$} ", cell - 1),
            };
            let counts: String = row.iter().enumerate().map(count).collect();
            let name = fit(&self.scores.classes[class], NAME);
            let _ = writeln!(text, "{name}{counts}  {:>6}", self.recall(class));
        }
        text + "\n"
    }

    fn recall(&self, class: usize) -> String {
        self.scores.confusion.recall(class).map_or_else(|| "–".into(), |recall| format!("{recall:.4}"))
    }

    fn largest_confusions(&self) -> String {
        let (pairs, classes) = (self.scores.confusion.confusions(), &self.scores.classes);
        let width = self.name_width();
        let mut text =
            format!("the largest of {} confusions\n\n  count  {:width$} predicted\n", pairs.len(), "true");
        for &Confusion { actual, predicted, count } in pairs.iter().take(HEAD) {
            let (actual, predicted) = (fit(&classes[actual], width), fit(&classes[predicted], width));
            let _ = writeln!(text, "{count:>7}  {actual} {}", predicted.trim_end());
        }
        text + "\n"
    }

    fn lowest_recalls(&self) -> String {
        let (lowest, width) = (self.scores.confusion.by_recall(), self.name_width());
        let mut text =
            format!("the lowest recalls of {} classes\n\n  {:width$} recall\n", lowest.len(), "class");
        for &class in lowest.iter().take(HEAD) {
            let _ = writeln!(text, "  {} {}", fit(&self.scores.classes[class], width), self.recall(class));
        }
        text + "\n"
    }

    /// Returns the columns of names in lists.
    fn name_width(&self) -> usize {
        let longest = self.scores.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        longest.clamp(NAME, LONG_NAME)
    }

    fn worst(&self, screen: &Screen) -> Result<String> {
        let (worst, heading) = (&self.scores.worst, "the worst mistakes\n\n".to_owned());
        if worst.is_empty() {
            return Ok("no mistakes\n".into());
        }
        let Some(shape) = self.data.shape.image() else {
            let line = |mistake| format!("  {}\n", caption(mistake).join(", "));
            return Ok(heading + &worst.iter().map(line).collect::<String>());
        };
        let tile = |mistake: &Mistake| -> Result<Tile> {
            let sample = self.data.test.read(&[mistake.index as u64])?;
            Ok(Tile::new(sample.pixels(0), shape, caption(mistake)))
        };
        Ok(heading + &screen.draw(&worst.iter().map(tile).collect::<Result<Vec<_>>>()?, PER_ROW))
    }
}

fn caption(mistake: &Mistake) -> Vec<String> {
    let place = match mistake.probability {
        Some(probability) => format!("{}, #{}", percent(probability), mistake.index),
        None => format!("#{}", mistake.index),
    };
    vec![format!("true {}", mistake.actual), format!("seen {}", mistake.predicted), place]
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss::metrics::ConfusionMatrix;

    #[test]
    fn many_classes_are_shown_by_their_largest_confusions() {
        let data = schuss::data::load("digits:train=10,test=10").unwrap();
        let mut confusion = ConfusionMatrix::new(200);
        for (actual, predicted, count) in [(7, 7, 5), (7, 9, 15), (3, 3, 9), (5, 4, 2)] {
            (0..count).for_each(|_| confusion.add(actual, predicted));
        }
        let scores = ClassScores {
            accuracy: 0.5,
            chance: 0.5,
            only_class: None,
            loss: 1.0,
            loss_name: "cross-entropy".into(),
            samples: confusion.samples(),
            classes: (0..200).map(|class| format!("class {class}")).collect(),
            confusion,
            worst: vec![],
            metrics: Default::default(),
        };
        let page = Page { scores: &scores, model: "784-200", data: &data };
        let text = page.text(&Screen::detect()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.contains(&"     15  class 7      class 9")
                && lines.contains(&"the largest of 2 confusions")
        );
        assert!(
            lines.contains(&"  class 7      0.2500") && lines.contains(&"the lowest recalls of 3 classes")
        );
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }
}
