//! Percentile files as HdrHistogram's tools read them (`outputPercentileDistribution` of HdrHistogram's Java
//! library, <https://hdrhistogram.github.io/HdrHistogram/>): value, percentile, count so far, 1/(1 - percentile).

use std::fmt::Write;

use engine::histogram::{Histogram, highest_of};

/// Points to each halving of what is beyond, as HdrHistogram's own tools take.
const TICKS_PER_HALF: u32 = 5;

/// One hop's file, ns. Err: what the package says; a histogram of the engine always fits.
pub(crate) fn file(histogram: &Histogram) -> Result<String, String> {
    // Two digits are the geometry of the engine's buckets: each goes into one of the package's.
    let mut copied = hdrhistogram::Histogram::<u64>::new_with_bounds(1, u64::from(u32::MAX), 2)
        .map_err(|error| error.to_string())?;
    for (bucket, count) in histogram.counts().iter().enumerate().filter(|(_, count)| **count > 0) {
        let value = highest_of(bucket).min(histogram.max_ns());
        copied.record_n(value.into(), *count).map_err(|error| error.to_string())?;
    }
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    // Writing into a string cannot fail.
    for point in copied.iter_quantiles(TICKS_PER_HALF) {
        total += point.count_since_last_iteration();
        let value = point.value_iterated_to().min(histogram.max_ns().into());
        let percentile = point.quantile_iterated_to();
        let beyond =
            if percentile < 1.0 { format!("{:14.2}", 1.0 / (1.0 - percentile)) } else { String::new() };
        let _ = writeln!(text, "{value:12}.000 {percentile:14.12} {total:10} {beyond}");
    }
    let _ = writeln!(text, "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]", copied.mean(), copied.stdev());
    let _ =
        writeln!(text, "#[Max     = {:12}.000, Total count    = {:12}]", histogram.max_ns(), copied.len());
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {:12}]", copied.buckets(), 256);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_every_value_and_ends_with_the_largest() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|ns| histogram.record(ns));
        let text = file(&histogram).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.contains("Value"))
            .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert_eq!(rows.last().unwrap()[..3], [1000.0, 1.0, 1000.0]);
        let median = rows.iter().find(|row| (row[1] - 0.5).abs() < 1e-9).unwrap();
        assert!((median[0] - f64::from(histogram.percentile_ns(500_000))).abs() < 1e-9, "{median:?}");
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] < pair[1][1]), "{text}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
        assert!(file(&Histogram::default()).unwrap().contains("Total count    =            0]"));
    }
}
