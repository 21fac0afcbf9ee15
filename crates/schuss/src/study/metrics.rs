//! `metrics.csv`: every evaluation of every trial of a run in one tidy table.

use super::record::{EvaluationPoint, Summary, Trace, TrialRecord};

/// Columns of figures, each with what it shows of an evaluation.
type Column = (&'static str, fn(&EvaluationPoint) -> Option<f64>);

const COLUMNS: [Column; 8] = [
    ("train_loss", |point| point.train_loss),
    ("eval_loss", |point| point.eval_loss),
    ("eval_accuracy", |point| point.eval_accuracy),
    ("mse", |point| Some(point.reconstruction?.mse)),
    ("psnr", |point| Some(point.reconstruction?.psnr)),
    ("ssim", |point| point.reconstruction?.ssim),
    ("mae", |point| Some(point.deviation?.mae)),
    ("r2", |point| point.deviation?.r2),
];

/// The table: cells are empty where there is no number. `test_loss` and `test_accuracy` stand in the last row of a trial
/// alone, where the test split was looked at once, at the end.
pub(super) fn csv(summary: &Summary, traces: &[Trace]) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut text =
        format!("recipe,seed,epoch,update,samples,seconds,{},test_loss,test_accuracy\n", names.join(","));
    let held_out = summary.data.eval_split != "test";
    for (trial, trace) in summary.trials.iter().zip(traces) {
        for (i, point) in trace.evaluations.iter().enumerate() {
            let is_last = i + 1 == trace.evaluations.len();
            text += &row(trial, point, held_out && is_last);
        }
    }
    text
}

fn row(trial: &TrialRecord, point: &EvaluationPoint, tested: bool) -> String {
    let test = trial.test.filter(|_| tested);
    let figures = COLUMNS.iter().map(|(_, value)| value(point));
    let tests = [test.map(|test| test.loss), test.and_then(|test| test.accuracy)];
    let cells: Vec<String> = figures.chain(tests).map(cell).collect();
    format!(
        "{},{},{},{},{},{},{}\n",
        quoted(&trial.name),
        trial.seed,
        point.epoch,
        point.updates,
        point.samples,
        cell(Some(point.train_seconds)),
        cells.join(",")
    )
}

fn cell(number: Option<f64>) -> String {
    number.filter(|number| number.is_finite()).map_or_else(String::new, |number| number.to_string())
}

/// RFC 4180: quotes around what has a comma, a quote or a line's end in it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_and_quotes_stay_one_cell() {
        assert_eq!(quoted("adam:lr=0.1,beta1=0.8"), "\"adam:lr=0.1,beta1=0.8\"");
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(
            (quoted("sgd"), cell(Some(f64::NAN)), cell(Some(0.5))),
            ("sgd".into(), String::new(), "0.5".into())
        );
    }
}
