//! A figure against its target. Times decide nothing: the word is for whoever reads the table.

/// `ok` where a figure of which less is better is at most its target; else by how much it misses.
pub(crate) fn verdict(measured: f64, target_max: f64) -> String {
    if measured <= target_max {
        format!("ok (<= {target_max})")
    } else {
        format!("MISSED (<= {target_max}) by {:.0} %", (measured / target_max - 1.0) * 100.0)
    }
}
