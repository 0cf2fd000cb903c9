//! Features for models.

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[];
