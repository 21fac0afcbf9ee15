//! `metrics.csv`: every evaluation of every trial of a run, in one tidy table.

use crate::record::{EpochRecord, EvaluationPoint, Summary, Trace, TrialRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Formats the table, with a column for each metric measured; cells without a value are empty. `test_loss` and
/// `test_accuracy` are columns if the test split was evaluated once, at the end; their values are in the last row of a
/// trial.
pub(super) fn csv(summary: &Summary, traces: &[Trace]) -> String {
    let rows = summary.trials.iter().flat_map(|trial| &trial.epochs);
    let names: BTreeSet<&str> = rows.flat_map(|row| row.metrics.keys().map(String::as_str)).collect();
    let held_out = summary.data.eval_split != "test";
    let fixed = "recipe,seed,epoch,update,samples,seconds,train_loss,eval_loss,eval_accuracy";
    let tests = if held_out { &["test_loss", "test_accuracy"][..] } else { &[] };
    let head: Vec<String> = names.iter().chain(tests).map(|name| quoted(name)).collect();
    let mut text = std::iter::once(fixed.to_owned()).chain(head).collect::<Vec<_>>().join(",") + "\n";
    for (trial, trace) in summary.trials.iter().zip(traces) {
        let epochs = trial.epochs.iter().map(|row| (row.updates, row)).collect();
        for (i, point) in trace.evaluations.iter().enumerate() {
            let is_last = i + 1 == trace.evaluations.len();
            let mut cells = figures(trial, point);
            cells.extend(names.iter().map(|name| cell(metric(name, point, &epochs))));
            if held_out {
                let test = trial.test.as_ref().filter(|_| is_last);
                cells.push(cell(test.map(|test| test.loss)));
                cells.push(cell(test.and_then(|test| test.accuracy)));
            }
            text += &(cells.join(",") + "\n");
        }
    }
    text
}

/// Returns the cells that every run has.
fn figures(trial: &TrialRecord, point: &EvaluationPoint) -> Vec<String> {
    vec![
        quoted(&trial.name),
        trial.seed.to_string(),
        point.epoch.to_string(),
        point.updates.to_string(),
        point.samples.to_string(),
        cell(Some(point.train_seconds)),
        cell(point.train_loss),
        cell(point.eval_loss),
        cell(point.eval_accuracy),
    ]
}

/// Returns a metric of an evaluation, or of the epoch that ended with it.
fn metric(name: &str, point: &EvaluationPoint, epochs: &BTreeMap<u64, &EpochRecord>) -> Option<f64> {
    let known = point.metrics.get(name).or_else(|| epochs.get(&point.updates)?.metrics.get(name));
    known.copied().flatten()
}

fn cell(number: Option<f64>) -> String {
    number.filter(|number| number.is_finite()).map_or_else(String::new, |number| number.to_string())
}

/// Quotes text that contains a comma, a quote or a line break, as in RFC 4180.
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
