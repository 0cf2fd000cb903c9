//! Frames of RFC 6455, section 5: heads read and written, payloads masked. Nothing is copied here but into the
//! bytes that are sent.

use std::fmt;

/// What a frame carries (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a message.
    Continuation = 0,
    /// UTF-8 text, or its first part.
    Text = 1,
    /// Bytes, or their first part.
    Binary = 2,
    /// The end of the connection: a code and a reason.
    Close = 8,
    /// To be answered with a pong of the same payload.
    Ping = 9,
    /// The answer to a ping.
    Pong = 10,
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping, pong: whole in one frame, at most [`CONTROL_BYTES_MAX`], allowed between the parts of a message.
    #[inline]
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Head of a frame that a server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// What follows.
    pub opcode: Opcode,
    /// The last, or only, part of its message.
    pub is_last: bool,
    /// Bytes of the head itself, 2 to 10.
    pub head_bytes: usize,
    /// Bytes of the payload behind it.
    pub payload_bytes: u64,
}

/// Why bytes from a server are no WebSocket frames. The connection is not usable any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set: an extension, such as compression, that was not agreed on.
    ReservedBits,
    /// An opcode without meaning.
    Opcode(u8),
    /// A server must not mask (5.1).
    Masked,
    /// A length is not written in the fewest bytes, or above 2^63 (5.2).
    Length,
    /// A control frame in parts, or with more than 125 bytes (5.5).
    Control,
    /// A message began inside another one, or went on without a beginning (5.4).
    Fragment,
    /// A message of more bytes than configured.
    TooLong {
        /// What it would have needed at least.
        bytes: u64,
        /// The limit.
        bytes_max: usize,
    },
    /// Text that is not UTF-8 (8.1).
    Utf8,
    /// A close frame with one byte, a code that must not be sent, or a reason that is not UTF-8 (7.4).
    Close,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits => {
                f.write_str("a frame with reserved bits, as of a compression not agreed on")
            }
            Self::Opcode(bits) => write!(f, "a frame with opcode {bits}, which has no meaning"),
            Self::Masked => f.write_str("a masked frame from a server"),
            Self::Length => f.write_str("a frame whose length is not written in the fewest bytes"),
            Self::Control => f.write_str("a control frame in parts or above 125 bytes"),
            Self::Fragment => f.write_str("a part of a message out of place"),
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "a message of {bytes} bytes or more, above the limit of {bytes_max}")
            }
            Self::Utf8 => f.write_str("a text message that is not UTF-8"),
            Self::Close => f.write_str("a close frame with a wrong code or reason"),
        }
    }
}

impl std::error::Error for FrameError {}

impl FrameError {
    /// The code that a close frame says it with (RFC 6455, 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Utf8 => 1007,
            Self::TooLong { .. } => 1009,
            _ => 1002,
        }
    }
}

/// Reads the head of a server's frame. None: `bytes` do not hold all of it yet.
/// Err: no such head; see [`FrameError`].
#[inline]
pub fn parse_head(bytes: &[u8]) -> Result<Option<FrameHead>, FrameError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(FrameError::ReservedBits);
    }
    let Some(opcode) = Opcode::of(first & 0x0F) else { return Err(FrameError::Opcode(first & 0x0F)) };
    if second & 0x80 != 0 {
        return Err(FrameError::Masked);
    }
    let is_last = first & 0x80 != 0;
    if opcode.is_control() && (!is_last || *second > 125) {
        return Err(FrameError::Control);
    }
    let (head_bytes, payload_bytes, least) = match second {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length)), 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, u64::from_be_bytes(*length), 1 << 16),
            None => return Ok(None),
        },
        short => (2, u64::from(*short), 0),
    };
    if payload_bytes < least || payload_bytes >> 63 != 0 {
        return Err(FrameError::Length);
    }
    Ok(Some(FrameHead { opcode, is_last, head_bytes, payload_bytes }))
}

/// Bytes of the frame that a client sends for a payload of `payload_bytes`.
#[inline]
#[must_use]
pub const fn client_frame_bytes(payload_bytes: usize) -> usize {
    let length_bytes = match payload_bytes {
        0..=125 => 0,
        126..=0xFFFF => 2,
        _ => 8,
    };
    2 + length_bytes + 4 + payload_bytes
}

/// Writes `payload` as a client's whole frame, masked by `key`, to the start of `out`. Returns its bytes.
/// None: `out` is shorter than [`client_frame_bytes`]; nothing was written.
#[inline]
pub fn write_frame(out: &mut [u8], opcode: Opcode, key: [u8; 4], payload: &[u8]) -> Option<usize> {
    let total = client_frame_bytes(payload.len());
    let out = out.get_mut(..total)?;
    let (head, body) = out.split_at_mut(total - payload.len());
    let (length, length_bytes): (u8, &[u8]) = match payload.len() {
        0..=125 => (u8::try_from(payload.len()).ok()?, &[]),
        126..=0xFFFF => (126, &u16::try_from(payload.len()).ok()?.to_be_bytes()),
        _ => (127, &u64::try_from(payload.len()).ok()?.to_be_bytes()),
    };
    head[0] = 0x80 | opcode as u8;
    head[1] = 0x80 | length;
    head[2..2 + length_bytes.len()].copy_from_slice(length_bytes);
    head[2 + length_bytes.len()..].copy_from_slice(&key);
    mask(body, payload, key);
    Some(total)
}

/// Writes `payload` masked by `key` into `out`, which is as long (RFC 6455, 5.3).
#[inline]
pub fn mask(out: &mut [u8], payload: &[u8], key: [u8; 4]) {
    let word = u32::from_ne_bytes(key);
    let wide = u64::from(word) | u64::from(word) << 32;
    let ((blocks, tail), (out_blocks, out_tail)) = (payload.as_chunks::<8>(), out.as_chunks_mut::<8>());
    for (block, out) in blocks.iter().zip(out_blocks) {
        *out = (u64::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for ((byte, out), key) in tail.iter().zip(out_tail).zip(key.iter().cycle()) {
        *out = byte ^ key;
    }
}

/// Most bytes of a control frame's payload (RFC 6455, 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_of_the_three_lengths_are_read() {
        let head = |opcode, is_last, head_bytes, payload_bytes| {
            Ok(Some(FrameHead { opcode, is_last, head_bytes, payload_bytes }))
        };
        assert_eq!(parse_head(&[0x81, 5]), head(Opcode::Text, true, 2, 5));
        assert_eq!(parse_head(&[0x02, 126, 0, 126]), head(Opcode::Binary, false, 4, 126));
        let long = [0x80, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(parse_head(&long), head(Opcode::Continuation, true, 10, 65_536));
        for cut in 0..10 {
            assert_eq!(parse_head(&long[..cut]), Ok(None), "after {cut} bytes");
        }
    }

    #[test]
    fn heads_that_a_server_must_not_send_are_refused() {
        let refused = |bytes: &[u8]| parse_head(bytes).unwrap_err();
        assert_eq!(refused(&[0xC1, 5]), FrameError::ReservedBits);
        assert_eq!(refused(&[0x83, 5]), FrameError::Opcode(3));
        assert_eq!(refused(&[0x81, 0x85]), FrameError::Masked);
        assert_eq!(refused(&[0x09, 5]), FrameError::Control);
        assert_eq!(refused(&[0x89, 126, 0, 126]), FrameError::Control);
        assert_eq!(refused(&[0x81, 126, 0, 125]), FrameError::Length);
        assert_eq!(refused(&[0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255]), FrameError::Length);
        assert_eq!(refused(&[0x81, 127, 128, 0, 0, 0, 0, 0, 0, 0]), FrameError::Length);
        assert_eq!(FrameError::Utf8.close_code(), 1007);
        assert_eq!(FrameError::TooLong { bytes: 2, bytes_max: 1 }.close_code(), 1009);
    }

    #[test]
    fn the_masked_hello_of_the_rfc() {
        let mut out = [0; 11];
        let key = [0x37, 0xFA, 0x21, 0x3D];
        assert_eq!(write_frame(&mut out, Opcode::Text, key, b"Hello"), Some(11));
        assert_eq!(out, [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
        assert_eq!(write_frame(&mut out[..10], Opcode::Text, key, b"Hello"), None);
    }

    proptest! {
        #[test]
        fn masking_twice_gives_the_payload_back(payload in prop::collection::vec(any::<u8>(), 0..70_000), key: [u8; 4]) {
            let mut out = vec![0; client_frame_bytes(payload.len())];
            let count = write_frame(&mut out, Opcode::Binary, key, &payload).unwrap();
            prop_assert_eq!(count, out.len());
            let masked = &out[count - payload.len()..];
            let mut again = vec![0; payload.len()];
            mask(&mut again, masked, key);
            prop_assert_eq!(&again, &payload);
            for (at, byte) in masked.iter().enumerate().take(64) {
                prop_assert_eq!(*byte, payload[at] ^ key[at % 4]);
            }
        }
    }
}
