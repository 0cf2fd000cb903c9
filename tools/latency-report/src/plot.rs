//! Percentile plots as inline SVG: the share of values that are slower falls by ten from one line of the grid to
//! the next, so that a tail takes as much room as a median.

use std::fmt::Write;

use engine::histogram::{Histogram, highest_of};

/// One curve.
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) histogram: &'a Histogram,
    /// The baseline's: drawn dashed, in the colour of the curve before it.
    pub(crate) is_baseline: bool,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// Room for the labels left, above, right and below the plot.
const LEFT: f64 = 64.0;
const TOP: f64 = 16.0;
const RIGHT: f64 = 96.0;
const BOTTOM: f64 = 40.0;

/// The curves on one pair of axes; those without values are left out. None: none has any.
pub(crate) fn svg(title: &str, curves: &[Curve<'_>]) -> Option<String> {
    let curves: Vec<_> = curves.iter().filter(|curve| curve.histogram.count() > 0).collect();
    let most = curves.iter().map(|curve| curve.histogram.count()).max()?;
    let decades = most.checked_ilog10().map_or(1, |log| log + u32::from(10_u64.pow(log) < most)).max(1);
    let largest = curves.iter().map(|curve| curve.histogram.max_ns()).max()?;
    let smallest = curves.iter().map(|curve| curve.histogram.percentile_ns(1)).min()?;
    let axes = Axes { decades, low: decade_below(smallest), high: decade_above(largest) };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: latency by percentile\">\n"
    );
    axes.draw(&mut svg);
    let mut labels: Vec<(f64, &str, usize)> = Vec::new();
    let mut colour = 0;
    for curve in curves {
        colour += usize::from(!curve.is_baseline);
        let dashed = if curve.is_baseline { " dashed" } else { "" };
        let (points, end) = axes.points(curve.histogram);
        // Writing into a string cannot fail.
        let _ = writeln!(svg, "<polyline class=\"curve c{colour}{dashed}\" points=\"{points}\"/>");
        if !curve.is_baseline {
            labels.push((end, curve.name, colour));
        }
    }
    // Names stand at their curves' ends, apart from each other.
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = TOP;
    for (end, name, colour) in labels {
        let y = (end + 4.0).max(free + 12.0);
        free = y;
        let x = WIDTH - RIGHT + 6.0;
        let _ = writeln!(svg, "<text class=\"name c{colour}\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>");
    }
    svg += "</svg>\n";
    Some(svg)
}

/// What both axes span.
struct Axes {
    /// Of the share that is slower: 1 is 90 %, 2 is 99 %.
    decades: u32,
    /// Powers of ten of ns.
    low: u32,
    high: u32,
}

impl Axes {
    fn x(&self, nines: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (nines / f64::from(self.decades)).min(1.0)
    }

    fn y(&self, ns: u32) -> f64 {
        let place = f64::from(ns.max(1)).log10() - f64::from(self.low);
        self.y_of(place.clamp(0.0, f64::from(self.high - self.low)))
    }

    /// So many decades above the lowest.
    fn y_of(&self, decades: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * decades / f64::from(self.high - self.low)
    }

    fn draw(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for nines in 0..=self.decades {
            let x = self.x(f64::from(nines));
            let label = percent(nines);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                bottom + 16.0
            );
        }
        for decade in self.low..=self.high {
            let y = self.y_of(f64::from(decade - self.low));
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                length(decade)
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">percentile</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 6.0
        );
    }

    /// The curve's points, and where it ends.
    #[expect(clippy::cast_precision_loss, reason = "places on the screen")]
    fn points(&self, histogram: &Histogram) -> (String, f64) {
        let count = histogram.count();
        let (mut points, mut seen, mut last) = (String::new(), 0_u64, (f64::NEG_INFINITY, 0.0));
        for (bucket, values) in histogram.counts().iter().enumerate().filter(|(_, values)| **values > 0) {
            let y = self.y(highest_of(bucket).min(histogram.max_ns()));
            // A step: the value holds from the share before it to its own; the last from one in all of them.
            for beyond in [count - seen, (count - seen - values).max(1)] {
                let x = self.x((count as f64 / beyond as f64).log10());
                if (x - last.0).abs() >= 0.1 || (y - last.1).abs() >= 0.1 {
                    let _ = write!(points, "{x:.1},{y:.1} ");
                    last = (x, y);
                }
            }
            seen += values;
        }
        (points.trim_end().to_owned(), last.1)
    }
}

fn decade_below(ns: u32) -> u32 {
    ns.max(1).ilog10()
}

fn decade_above(ns: u32) -> u32 {
    decade_below(ns.saturating_sub(1)) + 1
}

/// 0, 90, 99, 99.9 and so on.
fn percent(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

/// 10^`decade` ns.
fn length(decade: u32) -> String {
    let unit = ["ns", "us", "ms", "s"][(decade as usize / 3).min(3)];
    format!("{} {unit}", 10_u64.pow(decade - 3 * (decade / 3).min(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_step_for_each_value_a_line_for_each_nine_and_none_without_values() {
        let mut histogram = Histogram::default();
        (0..1000).for_each(|n| histogram.record(if n < 990 { 100 } else { 20_000 }));
        let curve = Curve { name: "decode", histogram: &histogram, is_baseline: false };
        let plot = svg("frames", &[curve]).unwrap();
        for label in ["0 %", "90 %", "99 %", "99.9 %", "100 ns", "10 us", "100 us", ">decode<"] {
            assert!(plot.contains(label), "{label} is not in {plot}");
        }
        let points = plot.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(points.split(' ').count(), 4, "two values are two steps: {points}");
        let empty = Histogram::default();
        assert!(svg("none", &[Curve { name: "risk", histogram: &empty, is_baseline: false }]).is_none());
    }
}
