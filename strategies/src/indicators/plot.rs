//! A chart of price and indicators as SVG: candles with the columns that live on the price's scale, and
//! a pane for each of the others. Self-contained text; nothing is loaded.

use std::fmt::Write;

use super::bar::Bar;
use super::value::Value;

/// Draws `bars` and `columns` (as long as `bars`). No rows give an empty chart that says so.
#[must_use]
pub fn plot(title: &str, bars: &[Bar], columns: &[(&str, &[Value])]) -> String {
    let price = Scale::of(bars.iter().flat_map(|bar| [bar.low, bar.high]));
    // A column belongs on the price pane when most of it lies where prices do.
    let on_price = |column: &[Value]| {
        let defined = column.iter().filter_map(|value| value.get());
        let (inside, all) =
            defined.fold((0, 0), |(inside, all), x| (inside + usize::from(price.near(x)), all + 1));
        inside * 2 > all
    };
    let (over, below): (Vec<_>, Vec<_>) = columns.iter().partition(|(_, column)| on_price(column));
    let height = TOP + PRICE_HEIGHT + below.len() as f64 * (PANE_HEIGHT + GAP) + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"16\" font-size=\"14\">{}</text>\n",
        escaped(title)
    );
    if bars.is_empty() {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"60\">no candles</text>\n</svg>");
        return svg;
    }
    let x = Across { count: bars.len() as f64 };
    let mut pane = Pane { top: TOP, height: PRICE_HEIGHT, scale: price };
    pane.frame(&mut svg);
    candles(&mut svg, &pane, &x, bars);
    for (k, (name, column)) in over.iter().enumerate() {
        line(&mut svg, &pane, &x, column, COLOURS[k % COLOURS.len()]);
        legend(&mut svg, pane.top + 14.0 + 14.0 * k as f64, name, COLOURS[k % COLOURS.len()]);
    }
    for (name, column) in &below {
        let scale = Scale::of(column.iter().filter_map(|value| value.get()));
        pane = Pane { top: pane.top + pane.height + GAP, height: PANE_HEIGHT, scale };
        pane.frame(&mut svg);
        line(&mut svg, &pane, &x, column, COLOURS[0]);
        legend(&mut svg, pane.top + 14.0, name, COLOURS[0]);
    }
    times(&mut svg, &x, bars, height - BOTTOM + 16.0);
    svg.push_str("</svg>\n");
    svg
}

/// From values to heights.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The range of the finite values; something drawable when there is none or it is a point.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|x| x.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let margin = (0.04 * (high - low)).max(1e-9 * high.abs()).max(f64::MIN_POSITIVE);
        Self { low: low - margin, high: high + margin }
    }

    /// Within the range, or half of it beyond.
    fn near(&self, x: f64) -> bool {
        let half = (self.high - self.low) / 2.0;
        x > self.low - half && x < self.high + half
    }
}

struct Across {
    count: f64,
}

impl Across {
    fn at(&self, row: usize) -> f64 {
        LEFT + (row as f64 + 0.5) * self.step()
    }
    fn step(&self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.count
    }
}

struct Pane {
    top: f64,
    height: f64,
    scale: Scale,
}

impl Pane {
    fn at(&self, x: f64) -> f64 {
        self.top + self.height * (self.scale.high - x) / (self.scale.high - self.scale.low)
    }

    fn frame(&self, svg: &mut String) {
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#ccc\"/>",
            self.top,
            WIDTH - LEFT - RIGHT,
            self.height
        );
        for step in 0..=4 {
            let value = self.scale.low + (self.scale.high - self.scale.low) * f64::from(step) / 4.0;
            let y = self.at(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#eee\"/><text x=\"{}\" y=\"{:.1}\" fill=\"#666\">{}</text>",
                WIDTH - RIGHT,
                WIDTH - RIGHT + 4.0,
                y + 4.0,
                label(value)
            );
        }
    }
}

/// Six significant digits, plainly.
fn label(x: f64) -> String {
    if x != 0.0 && (x.abs() >= 1e7 || x.abs() < 1e-4) {
        return format!("{x:.3e}");
    }
    let decimals = (0..8).find(|d| x.abs() * libm::pow(10.0, f64::from(*d)) >= 99_999.5).unwrap_or(8);
    let text = format!("{x:.*}", usize::try_from(decimals).unwrap_or(8));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn candles(svg: &mut String, pane: &Pane, x: &Across, bars: &[Bar]) {
    let width = (0.7 * x.step()).clamp(0.3, 12.0);
    for (rising, colour) in [(true, "#2a9d63"), (false, "#c8443c")] {
        let (mut wicks, mut bodies) = (String::new(), String::new());
        for (row, bar) in bars.iter().enumerate().filter(|(_, bar)| (bar.close >= bar.open) == rising) {
            let at = x.at(row);
            let _ = write!(wicks, "M{at:.1} {:.1}V{:.1}", pane.at(bar.high), pane.at(bar.low));
            let (top, bottom) = (pane.at(bar.open.max(bar.close)), pane.at(bar.open.min(bar.close)));
            let _ = write!(
                bodies,
                "M{:.1} {top:.1}h{width:.1}v{:.1}h-{width:.1}z",
                at - width / 2.0,
                (bottom - top).max(0.4)
            );
        }
        let _ = writeln!(
            svg,
            "<path d=\"{wicks}\" stroke=\"{colour}\" fill=\"none\" stroke-width=\"0.6\"/><path d=\"{bodies}\" fill=\"{colour}\"/>"
        );
    }
}

/// A line broken wherever the column is undefined.
fn line(svg: &mut String, pane: &Pane, x: &Across, column: &[Value], colour: &str) {
    let mut path = String::new();
    let mut pen_down = false;
    for (row, value) in column.iter().enumerate() {
        match value.get() {
            Some(value) => {
                let _ = write!(
                    path,
                    "{}{:.1} {:.1}",
                    if pen_down { 'L' } else { 'M' },
                    x.at(row),
                    pane.at(value)
                );
                pen_down = true;
            }
            None => pen_down = false,
        }
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.1\"/>");
}

fn legend(svg: &mut String, y: f64, name: &str, colour: &str) {
    let _ =
        writeln!(svg, "<text x=\"{}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>", LEFT + 6.0, escaped(name));
}

fn times(svg: &mut String, x: &Across, bars: &[Bar], y: f64) {
    let ticks = bars.len().min(6);
    for tick in 0..ticks {
        let row = if ticks < 2 { 0 } else { tick * (bars.len() - 1) / (ticks - 1) };
        let anchor = if tick == 0 {
            "start"
        } else if tick + 1 == ticks {
            "end"
        } else {
            "middle"
        };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"#666\" text-anchor=\"{anchor}\">{}</text>",
            x.at(row),
            utc(bars[row].open_time_ms)
        );
    }
}

/// `2023-01-02 16:45`, UTC. Civil date from days since the epoch (proleptic Gregorian).
fn utc(ms: i64) -> String {
    let (days, minutes) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 60_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + 400 * era + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 12.0;
const RIGHT: f64 = 76.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 28.0;
const GAP: f64 = 12.0;
const PRICE_HEIGHT: f64 = 420.0;
const PANE_HEIGHT: f64 = 140.0;
const COLOURS: [&str; 7] = ["#1f5fb4", "#d98200", "#7b3fa0", "#0f8b8d", "#b0305c", "#5d6d1e", "#444"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_turn_into_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00");
        assert_eq!(utc(1_672_677_900_000), "2023-01-02 16:45");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(utc(-1), "1969-12-31 23:59");
    }

    #[test]
    fn columns_far_from_the_price_get_panes_and_undefined_rows_break_the_line() {
        let bar = |i: i64| Bar {
            open_time_ms: i * 60_000,
            open: 100.0,
            high: 102.0,
            low: 99.0,
            close: 101.0,
            volume: 1.0,
        };
        let bars: Vec<Bar> = (0..4).map(bar).collect();
        let near = [Value::of(100.5), Value::UNDEFINED, Value::of(100.0), Value::of(101.0)];
        let far = [Value::of(3.0); 4];
        let svg = plot("a<b", &bars, &[("near", &near), ("far", &far)]);
        assert!(svg.contains("a&lt;b") && svg.contains(">near<") && svg.contains(">far<"));
        assert_eq!(
            svg.matches("fill=\"none\" stroke=\"#ccc\"").count(),
            2,
            "one pane for the price, one for `far`"
        );
        let path = svg.lines().find(|line| line.contains(COLOURS[0])).unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1));
    }

    #[test]
    fn one_row_no_rows_and_flat_prices_draw() {
        let flat = Bar { open_time_ms: 0, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 };
        for bars in [&[][..], &[flat], &[flat, flat]] {
            let column = vec![Value::of(1.0); bars.len()];
            assert!(!plot("t", bars, &[("c", &column)]).contains("NaN"));
        }
    }
}
