//! A figure against its target. Times decide nothing: the word is for whoever reads the table.

/// `ok` where a figure of which less is better is at most its target; else by how much it misses. Nothing where there
/// is no target.
pub(crate) fn verdict(measured: f64, target_max: impl Into<Option<f64>>) -> String {
    let Some(target_max) = target_max.into() else { return String::new() };
    if measured <= target_max {
        format!("ok (<= {})", short(target_max))
    } else {
        format!("MISSED (<= {}) by {:.0} %", short(target_max), (measured / target_max - 1.0) * 100.0)
    }
}

/// Two decimals at most.
fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
