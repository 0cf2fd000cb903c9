//! The general JSON decoder's ground: `simd-json` with memory that is taken once, and strict accessors whose
//! errors name the key and the byte. The venues' `general.rs` say which keys a message has.
//!
//! A frame is copied into a scratch buffer first, because `simd-json` unescapes strings in place. Its tape
//! keeps strings as slices of that buffer, so a string's address is its offset in the frame; numbers carry
//! none, and are reported at their key.

use crate::codec::{DecodeError, DecodeErrorKind, FRAME_BYTES_MAX};
use engine::num::{NumError, Step};
use engine::time::Nanos;
use simd_json::{Buffers, ErrorType, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};

/// Parses frames of at most [`FRAME_BYTES_MAX`] bytes without allocating.
pub(crate) struct JsonReader {
    scratch: Vec<u8>,
    buffers: Buffers,
    nodes: Vec<Node<'static>>,
}

/// Nesting that a frame may have: twice what any message of these venues needs.
const DEPTH_MAX: usize = 32;

impl JsonReader {
    /// Takes the memory: about 30 bytes of address space a byte of the longest frame, of which the pages that
    /// ordinary frames never reach stay untouched.
    pub(crate) fn new() -> Self {
        let mut reader = Self {
            scratch: vec![0; FRAME_BYTES_MAX + INPUT_PADDING],
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            nodes: Vec::new(),
        };
        // Every buffer of `simd-json` grows with the frame's length or its number of structural characters.
        // No frame has more of either than this one, which fails, but only after all of them have grown.
        let worst = vec![b'['; FRAME_BYTES_MAX];
        let parsed = reader.read(&worst, |_| Ok(()));
        debug_assert!(parsed.is_err());
        reader
    }

    /// Parses `frame` and hands its root to `read`.
    /// Err: too long, not JSON, nested too deeply, a number that no integer or float holds; or what `read` says.
    pub(crate) fn read<T>(
        &mut self,
        frame: &[u8],
        read: impl FnOnce(Value<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let whole_frame = |kind, offset| DecodeError { kind, key: "", offset };
        let len = frame.len();
        let Some(room) = self.scratch.get_mut(..len + INPUT_PADDING).filter(|_| len <= FRAME_BYTES_MAX)
        else {
            return Err(whole_frame(DecodeErrorKind::TooLong, offset_u32(FRAME_BYTES_MAX)));
        };
        room[..len].copy_from_slice(frame);
        let base = room.as_ptr().addr();
        let mut tape = Tape(std::mem::take(&mut self.nodes)).reset();
        let parsed = fill_tape_padded(room, len, &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => {
                let frame = Frame { base, len: offset_u32(len) };
                read(Value { nodes: &tape.0, frame, key: "", offset: 0 })
            }
            Err(error) => {
                let kind = match error.error() {
                    ErrorType::InvalidNumber | ErrorType::Overflow => DecodeErrorKind::BadNumber,
                    ErrorType::DepthLimitExceeded => DecodeErrorKind::UnknownShape,
                    _ => DecodeErrorKind::NotJson,
                };
                Err(whole_frame(kind, offset_u32(error.index().min(len))))
            }
        };
        self.nodes = tape.reset().0;
        result
    }
}

impl std::fmt::Debug for JsonReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonReader").field("nodes", &self.nodes.capacity()).finish_non_exhaustive()
    }
}

/// Where the frame's copy lies.
#[derive(Clone, Copy, Debug)]
struct Frame {
    base: usize,
    len: u32,
}

/// A JSON value, with the key it was found under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t> {
    /// This value's node and everything behind it.
    nodes: &'t [Node<'t>],
    frame: Frame,
    key: &'static str,
    /// Where the key stands.
    offset: u32,
}

impl<'t> Value<'t> {
    fn node(&self) -> Node<'t> {
        self.nodes.first().copied().unwrap_or(Node::Static(StaticNode::Null))
    }

    /// Nodes that this value fills.
    fn size(&self) -> usize {
        match self.node() {
            Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
            Node::String(_) | Node::Static(_) => 1,
        }
    }

    /// An error about this value.
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        let offset = match self.node() {
            Node::String(text) => self.offset_of(text),
            _ => self.offset,
        };
        DecodeError { kind, key: self.key, offset }
    }

    /// An error about a key that should be there: at the end of the frame.
    pub(crate) fn missing(&self, key: &'static str) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::MissingKey, key, offset: self.frame.len }
    }

    fn offset_of(&self, text: &str) -> u32 {
        offset_u32(text.as_ptr().addr().wrapping_sub(self.frame.base)).min(self.frame.len)
    }

    fn sub(&self, at: usize, key: &'static str, offset: u32) -> Self {
        Self { nodes: self.nodes.get(at..).unwrap_or_default(), frame: self.frame, key, offset }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.node(), Node::Object { .. })
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self.node(), Node::Array { .. })
    }

    /// The text of a string. Err: not a string.
    pub(crate) fn text(&self) -> Result<&'t str, DecodeError> {
        match self.node() {
            Node::String(text) => Ok(text),
            _ => Err(self.error(DecodeErrorKind::WrongType)),
        }
    }

    /// Err: not a boolean.
    pub(crate) fn bool(&self) -> Result<bool, DecodeError> {
        match self.node() {
            Node::Static(StaticNode::Bool(value)) => Ok(value),
            _ => Err(self.error(DecodeErrorKind::WrongType)),
        }
    }

    /// A whole number. Err: not a number; a fraction or an exponent; below zero or beyond `i64`.
    pub(crate) fn uint(&self) -> Result<u64, DecodeError> {
        let value = match self.node() {
            Node::Static(StaticNode::U64(value)) => Some(value),
            Node::Static(StaticNode::I64(value)) => u64::try_from(value).ok(),
            Node::Static(StaticNode::F64(_)) => None,
            _ => return Err(self.error(DecodeErrorKind::WrongType)),
        };
        value.filter(|v| i64::try_from(*v).is_ok()).ok_or_else(|| self.error(DecodeErrorKind::BadNumber))
    }

    /// A whole number, of which -1 means none. Err: as [`Self::uint`], below -1.
    pub(crate) fn uint_or_none(&self) -> Result<Option<u64>, DecodeError> {
        match self.node() {
            Node::Static(StaticNode::I64(-1)) => Ok(None),
            _ => self.uint().map(Some),
        }
    }

    /// Milliseconds since 1970 as nanoseconds. Err: as [`Self::uint`]; beyond the year 2554.
    pub(crate) fn millis(&self) -> Result<Nanos, DecodeError> {
        let nanos = self.uint()?.checked_mul(1_000_000);
        nanos.map(Nanos).ok_or_else(|| self.error(DecodeErrorKind::BadNumber))
    }

    /// A decimal in a string, as a count of `step`. Err: not a string; not a plain decimal; between two steps.
    pub(crate) fn decimal(&self, step: Step) -> Result<i64, DecodeError> {
        let text = self.text()?;
        step.count(text.as_bytes()).map_err(|error| {
            self.error(match error {
                NumError::OffStep => DecodeErrorKind::OffStep,
                _ => DecodeErrorKind::BadNumber,
            })
        })
    }

    /// As [`Self::decimal`], with an optional minus sign.
    pub(crate) fn signed_decimal(&self, step: Step) -> Result<i64, DecodeError> {
        let text = self.text()?;
        let Some(body) = text.strip_prefix('-') else { return self.decimal(step) };
        let body = [Node::String(body)];
        let value = Value { nodes: &body, frame: self.frame, key: self.key, offset: self.offset };
        value.decimal(step).map(|magnitude| -magnitude)
    }

    /// The elements of an array. Err: not an array.
    pub(crate) fn elements(&self) -> Result<Elements<'t>, DecodeError> {
        match self.node() {
            Node::Array { len, .. } => Ok(Elements { of: *self, at: 1, left: len }),
            _ => Err(self.error(DecodeErrorKind::WrongType)),
        }
    }

    /// The values of those `keys` that an object has; others are passed over.
    /// Err: not an object; one of `keys` twice.
    pub(crate) fn fields<const N: usize>(
        &self,
        keys: &'static [&'static str; N],
    ) -> Result<Fields<'t, N>, DecodeError> {
        let Node::Object { len, .. } = self.node() else {
            return Err(self.error(DecodeErrorKind::WrongType));
        };
        let mut fields = Fields { of: *self, keys, values: [None; N] };
        let mut at = 1;
        for _ in 0..len {
            let Some(Node::String(name)) = self.nodes.get(at).copied() else { break };
            let index = keys.iter().position(|key| *key == name);
            let key = index.map_or("", |index| keys[index]);
            let value = self.sub(at + 1, key, self.offset_of(name));
            if let Some(index) = index {
                if fields.values[index].is_some() {
                    let offset = value.offset;
                    return Err(DecodeError { kind: DecodeErrorKind::DuplicateKey, key, offset });
                }
                fields.values[index] = Some(value);
            }
            at += 1 + value.size();
        }
        Ok(fields)
    }
}

/// The elements of an array, in order.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'t> {
    of: Value<'t>,
    at: usize,
    left: usize,
}

impl<'t> Iterator for Elements<'t> {
    type Item = Value<'t>;

    fn next(&mut self) -> Option<Value<'t>> {
        self.left = self.left.checked_sub(1)?;
        let value = self.of.sub(self.at, self.of.key, self.of.offset);
        self.at += value.size();
        Some(value)
    }
}

impl Elements<'_> {
    /// Elements that are left.
    pub(crate) fn count_left(&self) -> usize {
        self.left
    }
}

/// The values of an object under known keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'t, const N: usize> {
    of: Value<'t>,
    keys: &'static [&'static str; N],
    values: [Option<Value<'t>>; N],
}

impl<'t, const N: usize> Fields<'t, N> {
    /// The value of `key`, one of the keys asked for. None: the object does not have it.
    pub(crate) fn optional(&self, key: &'static str) -> Option<Value<'t>> {
        let index = self.keys.iter().position(|known| *known == key);
        debug_assert!(index.is_some(), "`{key}` was not asked for");
        self.values.get(index?).copied().flatten()
    }

    /// The value of `key`, one of the keys asked for. Err: the object does not have it.
    pub(crate) fn required(&self, key: &'static str) -> Result<Value<'t>, DecodeError> {
        self.optional(key).ok_or_else(|| self.of.missing(key))
    }
}

/// An offset in a frame; frames are far shorter than 4 GiB.
fn offset_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
