//! What must not be seen: wiped when dropped, and nothing of it in `Debug`.

use std::fmt;
use zeroize::Zeroizing;

/// A key or a password as its owner wrote it. Not cloned, not compared, not printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; copies that the caller made before stay the caller's. A `String` gives its own
    /// by `into_bytes`.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Says that there is one; not even its length.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let secret = Secret::new(b"NhqPtmdSJYdKjVHjA7PZ".to_vec());
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret Secret");
        assert_eq!(secret.expose(), b"NhqPtmdSJYdKjVHjA7PZ");
    }
}
