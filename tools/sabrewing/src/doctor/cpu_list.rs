//! Sets of cores in the kernel's list format: `0-3,8`.

use std::collections::BTreeSet;
use std::fmt;

/// A set of core numbers, each at most [`CORE_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuList(BTreeSet<u32>);

impl CpuList {
    /// Reads `0-3,8`. Nothing, and the `(null)` that kernels print for an unset mask, are the empty set.
    /// Err: names the part that is not a core or an ascending range, or that is beyond [`CORE_MAX`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut cores = BTreeSet::new();
        if text.is_empty() || text == "(null)" {
            return Ok(Self(cores));
        }
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (core(first, part)?, core(last, part)?);
            if first > last {
                return Err(format!("`{part}` is a descending range of cores"));
            }
            cores.extend(first..=last);
        }
        Ok(Self(cores))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, core: u32) -> bool {
        self.0.contains(&core)
    }

    /// The cores, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// The cores in both.
    pub(crate) fn both(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// The cores in either.
    pub(crate) fn either(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    /// The cores of `self` that `other` lacks.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    /// The set as a JSON array of numbers.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        self.iter().collect::<Vec<_>>().into()
    }
}

impl FromIterator<u32> for CpuList {
    fn from_iter<I: IntoIterator<Item = u32>>(cores: I) -> Self {
        Self(cores.into_iter().collect())
    }
}

/// The kernel's format again; `none` for the empty set.
impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut cores = self.iter().peekable();
        while let Some(first) = cores.next() {
            let mut last = first;
            while let Some(next) = cores.next_if_eq(&(last + 1)) {
                last = next;
            }
            let comma = if text.is_empty() { "" } else { "," };
            text += &if first == last { format!("{comma}{first}") } else { format!("{comma}{first}-{last}") };
        }
        f.pad(if text.is_empty() { "none" } else { &text })
    }
}

fn core(text: &str, part: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(core) if core <= CORE_MAX => Ok(core),
        Ok(_) => Err(format!("`{part}` goes beyond core {CORE_MAX}")),
        Err(_) => Err(format!("`{part}` is not a core or a range of cores")),
    }
}

/// The largest core number taken from outside: the C library's mask ends there, and `core_affinity` aborts
/// the process when it is handed a larger one.
pub(crate) const CORE_MAX: u32 = 1023;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_cores_are_read_and_printed_in_the_kernels_format() {
        let list = CpuList::parse("0-3,8\n").unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 8]);
        assert_eq!(list.to_string(), "0-3,8");
        assert_eq!(CpuList::parse("5,1,2").unwrap().to_string(), "1-2,5");
    }

    #[test]
    fn an_empty_list_and_a_null_mask_are_the_empty_set() {
        for text in ["", "\n", "(null)"] {
            assert!(CpuList::parse(text).unwrap().is_empty());
        }
        assert_eq!(CpuList::default().to_string(), "none");
    }

    #[test]
    fn what_is_not_a_list_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("0,x", "`x`"),
            ("1-", "`1-`"),
            ("3-1", "`3-1`"),
            ("0,,1", "``"),
            ("0-4294967295", "beyond core 1023"),
            ("-1", "`-1`"),
        ] {
            let why = CpuList::parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
