//! A recorded market as series, and the comparison of a column with its second implementation.

use strategies::indicators::{Bar, Panel};

use crate::series::{Series, lag, max, wilder, zip};
use crate::support::{bars, candles};

pub(crate) struct Market {
    pub(crate) bars: Vec<Bar>,
    pub(crate) open: Series,
    pub(crate) high: Series,
    pub(crate) low: Series,
    pub(crate) close: Series,
    pub(crate) volume: Series,
    pub(crate) hl2: Series,
    pub(crate) hlc3: Series,
    pub(crate) closes: Vec<f64>,
}

impl Market {
    pub(crate) fn of(file: &str, rows: usize) -> Self {
        let bars = bars(file);
        let bars = bars[..rows.min(bars.len())].to_vec();
        let column = |of: fn(&Bar) -> f64| bars.iter().map(|bar| Some(of(bar))).collect();
        Self {
            open: column(|bar| bar.open),
            high: column(|bar| bar.high),
            low: column(|bar| bar.low),
            close: column(|bar| bar.close),
            volume: column(|bar| bar.volume),
            hl2: column(|bar| (bar.high + bar.low) / 2.0),
            hlc3: column(|bar| (bar.high + bar.low + bar.close) / 3.0),
            closes: bars.iter().map(|bar| bar.close).collect(),
            bars,
        }
    }

    pub(crate) fn true_range(&self) -> Series {
        (0..self.bars.len())
            .map(|i| {
                let (bar, before) = (&self.bars[i], &self.bars[i.checked_sub(1)?]);
                max(&[bar.high - bar.low, (bar.high - before.close).abs(), (bar.low - before.close).abs()])
            })
            .collect()
    }

    pub(crate) fn atr(&self, n: usize) -> Series {
        wilder(&self.true_range(), n)
    }

    pub(crate) fn log_returns(&self) -> Series {
        zip(&self.close, &lag(&self.close, 1), |a, b| (a / b).ln())
    }
}

/// Holds columns against their second implementation and remembers which names were.
pub(crate) struct Check<'a> {
    pub(crate) market: &'a Market,
    pub(crate) file: &'a str,
    pub(crate) wrong: Vec<String>,
    pub(crate) seen: Vec<String>,
}

impl Check<'_> {
    pub(crate) fn is(&mut self, name: &str, expected: &Series) {
        let mut panel = Panel::new([name]).unwrap_or_else(|error| panic!("{error}"));
        let got = panel.batch(candles(&self.market.bars).columns()).remove(0);
        let size = expected.iter().flatten().map(|x| x.abs()).sum::<f64>() / expected.len().max(1) as f64;
        let differs =
            expected.iter().zip(&got).enumerate().find(|(_, (want, got))| match (want, got.get()) {
                (None, None) => false,
                (Some(want), Some(got)) => (want - got).abs() > 1e-8 * want.abs().max(size) + 1e-13,
                _ => true,
            });
        if let Some((row, (want, got))) = differs {
            self.wrong.push(format!("{} {name} row {row}: expected {want:?}, got {got:?}", self.file));
        }
        assert!(expected.iter().any(Option::is_some), "{name}: nothing to compare");
        self.seen.push(name.to_owned());
    }
}
