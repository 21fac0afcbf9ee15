//! Path of one optimizer down a surface, computed by the same rules that train networks.

use super::{Point, Surface};
use crate::optim::{Adam, Reference, Rule, Sgd};
use crate::record::PathRecord;

/// An optimizer, as one line of the legend.
pub(super) struct Optimizer {
    name: &'static str,
    rule: Rule,
    /// True if it uses the gradient of one sample, or with noise, instead of the full gradient.
    stochastic: bool,
}

/// Returns the four optimizers compared; the first three have the same learning rate.
pub(super) fn optimizers(lr: f64, adam_lr: f64) -> [Optimizer; 4] {
    let sgd = |momentum| Rule::from(Sgd { lr, momentum, ..Sgd::default() });
    let adam = Rule::from(Adam { lr: adam_lr, ..Adam::default() });
    [("GD", sgd(0.0), false), ("SGD", sgd(0.0), true), ("momentum", sgd(0.9), false), ("Adam", adam, false)]
        .map(|(name, rule, stochastic)| Optimizer { name, rule, stochastic })
}

/// Descends until the updates are used up or the path leaves the frame.
pub(super) fn path(
    surface: &Surface,
    optimizer: &Optimizer,
    start: &str,
    mut w: Point,
    seed: u64,
) -> PathRecord {
    let function = &surface.function;
    let mut descent = Reference::new(optimizer.rule.clone(), &w);
    let mut path = standing(optimizer, start, w, function.value(w));
    for update in 0..surface.updates {
        let gradient = if optimizer.stochastic {
            function.stochastic_gradient(w, update, seed)
        } else {
            function.gradient(w)
        };
        descent.step(&gradient, &mut w);
        path.points.push(w);
        path.values.push(function.value(w));
        if let Rule::Adam(adam) = &optimizer.rule {
            note_moments(adam, &descent, &mut path);
        }
        if !surface.contains(w) {
            break;
        }
    }
    path.verdict = verdict(surface, &path.points);
    path
}

/// Creates a path before its first update.
fn standing(optimizer: &Optimizer, start: &str, w: Point, value: f64) -> PathRecord {
    PathRecord {
        name: optimizer.name.to_owned(),
        optimizer: optimizer.rule.to_string(),
        start: start.to_owned(),
        points: vec![w],
        values: vec![value],
        reached: Vec::new(),
        m_hat: Vec::new(),
        v_hat: Vec::new(),
        effective_step: Vec::new(),
        verdict: String::new(),
    }
}

/// Records Adam's moments after the last update, corrected for their start at 0, and the step per unit of m̂.
fn note_moments(adam: &Adam, descent: &Reference, path: &mut PathRecord) {
    let corrections = adam.corrections(descent.updates());
    let corrected = |slot: usize| [0, 1].map(|axis| descent.slots()[slot][axis] / corrections[slot]);
    let v_hat = corrected(1);
    path.m_hat.push(corrected(0));
    path.v_hat.push(v_hat);
    path.effective_step.push(v_hat.map(|v| adam.lr / (v.sqrt() + adam.eps)));
}

/// Describes the end of a path, in one sentence.
fn verdict(surface: &Surface, points: &[Point]) -> String {
    let (start, end, updates) = (points[0], points[points.len() - 1], points.len() - 1);
    let after = format!("after {updates} update{}", if updates == 1 { "" } else { "s" });
    if !surface.contains(end) {
        return format!("leaves the frame {after}");
    }
    let slope = |w| length(surface.function.gradient(w));
    let minimum = surface.nearest_minimum(end);
    let stalled =
        |saddle: &Point| distance(end, *saddle) < distance(end, minimum) && slope(end) < 0.01 * slope(start);
    match surface.saddle.filter(stalled) {
        Some(saddle) => {
            format!("stalls at the saddle {} (gradient {}) {after}", pair(saddle), short(slope(end)))
        }
        None => {
            format!("ends {} from the minimum {} {after}", short(distance(end, minimum)), pair(minimum))
        }
    }
}

fn length([a, b]: Point) -> f64 {
    (a * a + b * b).sqrt()
}

pub(super) fn distance(a: Point, b: Point) -> f64 {
    length([a[0] - b[0], a[1] - b[1]])
}

fn pair([a, b]: Point) -> String {
    format!("({}, {})", short(a), short(b))
}

/// Formats as `3`, `-2.805` or `2e-7`: three decimals, or a power of ten if these would all be 0.
fn short(number: f64) -> String {
    if number != 0.0 && number.abs() < 0.001 {
        return format!("{number:.0e}");
    }
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
