//! `session.logon`: the connection proves once whose it is, and every later request does without key and
//! signature. Ed25519 keys only. A second log-on replaces the first.

use super::template::{Field, Prepared, Value, Values};
use super::{Authentication, BinanceCodecError, MESSAGE_BYTES_MAX, RecvWindow};
use crate::codec::{EncodeError, Request};
use std::fmt;
use wire::sign::Ed25519Key;

/// Writes the message that logs a connection on.
pub struct LogOn {
    authentication: Authentication,
    prepared: Prepared,
}

impl LogOn {
    /// For the account of this key. Err: the public half has other characters than letters and digits.
    pub fn new(api_key: String, key: Ed25519Key, recv_window: RecvWindow) -> Result<Self, BinanceCodecError> {
        let authentication = Authentication::Ed25519 { api_key, key };
        if !authentication.has_plain_key() {
            return Err(BinanceCodecError::ApiKey);
        }
        let parameters = vec![("recvWindow", Value::Number(recv_window.as_ms()))];
        let prepared = Prepared::new("session.logon", parameters, &authentication);
        Ok(Self { authentication, prepared: prepared.ok_or(BinanceCodecError::ApiKey)? })
    }

    /// The message. Err: no room; the library could not sign.
    pub fn encode<'o>(&self, request: Request, out: &'o mut [u8]) -> Result<&'o [u8], EncodeError> {
        let mut values = Values::new();
        values.text(Field::RequestId).set_number(request.id);
        values.text(Field::Timestamp).set_number(request.now.as_ms());
        self.prepared.write(&mut values, &self.authentication, &mut [0; MESSAGE_BYTES_MAX], out)
    }
}

impl fmt::Debug for LogOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogOn")
    }
}
