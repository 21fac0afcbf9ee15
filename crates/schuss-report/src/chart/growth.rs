//! Growth charts: cost against size on two logarithmic axes, with a lower limit.

use super::{
    Axis, Fineness,
    line::{LineChart, Series},
    scale::Spacing,
};
use crate::text;

/// Chart of cost against size, with both axes logarithmic. All values are positive.
#[derive(Clone, Debug)]
pub struct GrowthChart {
    /// Title.
    pub title: String,
    /// Fixed settings, and meaning of the limit.
    pub subtitle: String,
    /// Name of the size.
    pub x: String,
    /// Name of the cost, with its unit.
    pub y: String,
    /// Names and measured points [size, cost].
    pub lines: Vec<(String, Vec<[f64; 2]>)>,
    /// Lower limit of the cost, drawn dark, in dashes and dots.
    pub limit: Vec<[f64; 2]>,
}

/// Style of the limit: dark, in dashes and dots, different from the first lines.
const LIMIT_STYLE: usize = 27;

impl GrowthChart {
    /// Returns the chart as an SVG file.
    pub fn svg(&self) -> String {
        let axis = |label: &str| Axis::new(format!("{label}, log"), Spacing::Log, text::plain);
        let chart = LineChart {
            size: [640.0, 400.0],
            x: axis(&self.x),
            y: axis(&self.y),
            series: self.series(),
            levels: Vec::new(),
            named: true,
        };
        let description = format!("{} against {}", self.y, self.x);
        chart.draw(Fineness::FULL).standalone(&self.title, &self.subtitle, &description)
    }

    fn series(&self) -> Vec<Series> {
        let measured = self.lines.iter().enumerate().map(|(style, (name, points))| Series {
            name: name.clone(),
            style,
            points: points.clone(),
            marked: true,
            ..Series::default()
        });
        let limit = Series {
            name: "limit".to_owned(),
            style: LIMIT_STYLE,
            points: self.limit.clone(),
            ..Series::default()
        };
        measured.chain([limit]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_and_the_limit_are_drawn_and_named() {
        let chart = GrowthChart {
            title: "t".into(),
            subtitle: "s".into(),
            x: "width".into(),
            y: "seconds".into(),
            lines: vec![("sgd".into(), vec![[1.0, 3.0], [10.0, 40.0]])],
            limit: vec![[1.0, 2.0], [10.0, 20.0]],
        };
        let svg = chart.svg();
        for name in ["data-name=\"sgd\"", "data-name=\"limit\"", ">width, log<", ">seconds, log<"] {
            assert!(svg.contains(name), "{name} is missing in {svg}");
        }
    }
}
