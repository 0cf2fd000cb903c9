//! Times and lengths of time as people type them.

use engine::time::Nanos;

/// A moment, or a length of time before the newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Nanos),
    Before(Nanos),
}

impl When {
    /// Reads `2024-08-08`, `2024-08-08T23:54`, `2024-08-08T23:54:15.030Z` (UTC), or a length such as `250ms`,
    /// `90s`, `15m`, `2h`, `1d`. Err: neither.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let length = Nanos::parse_length(text, Nanos(0)..=Nanos::MAX).ok();
        length.map(Self::Before).or_else(|| parse_moment(text).map(Self::At)).ok_or_else(|| {
            format!("`{text}`: neither a UTC time such as 2024-08-08T23:54:15 nor a length such as 15m")
        })
    }

    /// The moment meant, where the newest record is of `newest`.
    pub(crate) fn resolve(self, newest: Nanos) -> Nanos {
        match self {
            Self::At(moment) => moment,
            Self::Before(length) => newest.since(length),
        }
    }
}

fn parse_moment(text: &str) -> Option<Nanos> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let (hour, minute, second) = match numbers(clock, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let in_range = (1970..2500).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 || fraction.len() > 9 {
        return None;
    }
    let ns: u64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
    // Days from the civil date, years counted from March (Howard Hinnant, `days_from_civil`).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_era = (year % 400) * 365 + year % 400 / 4 - year % 400 / 100 + (153 * month + 2) / 5 + day - 1;
    let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    let moment = Nanos((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000_000 + ns);
    // 31 April and the like come back as another day.
    moment.to_string().starts_with(date).then_some(moment)
}

fn numbers(text: &str, separator: char) -> Option<Vec<u64>> {
    text.split(separator).map(|part| part.parse().ok().filter(|_| !part.starts_with('+'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lengths_are_read_as_they_are_printed() {
        for ns in [0, 1_723_161_255_030_314_667, 951_782_400_000_000_000, 4_102_444_799_999_999_999] {
            assert_eq!(When::parse(&Nanos(ns).to_string()), Ok(When::At(Nanos(ns))));
        }
        assert_eq!(When::parse("2024-08-08"), When::parse("2024-08-08T00:00:00.000Z"));
        assert_eq!(When::parse("90s"), Ok(When::Before(Nanos(90_000_000_000))));
        assert_eq!(When::parse("250ms").unwrap().resolve(Nanos(1_000_000_000)), Nanos(750_000_000));
        for text in
            ["", "yesterday", "15", "15x", "2024-13-01", "2023-02-29", "2024-08-08T24:00", "99999999999d"]
        {
            assert!(When::parse(text).is_err(), "{text}");
        }
    }
}
