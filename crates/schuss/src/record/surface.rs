//! Error surfaces and the paths of optimizers over them.

use serde::{Deserialize, Deserializer, Serialize};

/// An error surface J(w1, w2), sampled on a grid, with the paths of optimizers over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceRecord {
    /// Short name, e.g. `saddle`.
    pub name: String,
    /// One-line title.
    pub title: String,
    /// Equation, as text.
    pub equation: String,
    /// Lesson, in one or two sentences.
    pub lesson: String,
    /// Range of w1, left to right.
    pub w1: [f64; 2],
    /// Range of w2, bottom to top.
    pub w2: [f64; 2],
    /// Points per side of the grid.
    pub size: usize,
    /// J on the grid, row after row from the bottom; `size * size` numbers, NaN where J is not finite.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub values: Vec<f64>,
    /// Known minima.
    pub minima: Vec<[f64; 2]>,
    /// One path per optimizer and start.
    pub paths: Vec<PathRecord>,
    /// Distance between the points of a path: `updates` or `epochs`.
    #[serde(default = "updates")]
    pub along: String,
}

/// Reads numbers, where `null` stands for a non-finite one.
fn nulls_are_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let all = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

fn updates() -> String {
    "updates".to_owned()
}

/// Path of one optimizer down a surface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathRecord {
    /// Name of the optimizer in the legend: `GD`, `SGD`, `momentum`, `Adam`.
    pub name: String,
    /// Optimizer spec, e.g. `sgd:lr=0.1,momentum=0.9`.
    pub optimizer: String,
    /// Name of the starting point.
    pub start: String,
    /// Weights before the first and after every update, or after some epochs.
    pub points: Vec<[f64; 2]>,
    /// J at those points, NaN where it is not finite.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub values: Vec<f64>,
    /// Updates or epochs after which those points were reached; empty if there is a point after every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<u64>,
    /// Adam only: bias-corrected first moment after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub m_hat: Vec<[f64; 2]>,
    /// Adam only: bias-corrected second moment after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v_hat: Vec<[f64; 2]>,
    /// Adam only: effective step lr / (sqrt(v_hat) + eps) after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effective_step: Vec<[f64; 2]>,
    /// One sentence on where it ended.
    pub verdict: String,
}

impl PathRecord {
    /// Returns the number of updates or epochs after which a point was reached.
    pub fn steps(&self, point: usize) -> u64 {
        self.reached.get(point).copied().unwrap_or(point as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_are_not_finite_are_null_and_are_read_back() {
        let path = PathRecord {
            name: "sgd".to_owned(),
            optimizer: "sgd".to_owned(),
            start: String::new(),
            points: vec![[0.0, 1.0]; 2],
            values: vec![0.5, f64::INFINITY],
            reached: vec![],
            m_hat: vec![],
            v_hat: vec![],
            effective_step: vec![],
            verdict: String::new(),
        };
        let text = serde_json::to_string(&path).unwrap();
        assert!(text.contains("[0.5,null]"), "{text}");
        let read: PathRecord = serde_json::from_str(&text).unwrap();
        assert!(read.values[0] == 0.5 && read.values[1].is_nan(), "{:?}", read.values);
    }
}
