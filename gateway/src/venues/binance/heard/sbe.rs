//! Simple Binary Encoding as the spot WebSocket API uses it: little-endian blocks whose length the header says, groups
//! and texts behind them. A field is read only where the block holds all of it, so that older and newer versions of
//! the schema are read alike.

use engine::num::{Decimal, Step};
use engine::time::Nanos;
use std::fmt;

/// Why a frame is not what it should be: Copy, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SbeError {
    /// What is wrong.
    pub kind: SbeErrorKind,
    /// Byte of the frame.
    pub offset: usize,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SbeErrorKind {
    /// It ends before it should.
    Short,
    /// Of another schema.
    Schema,
    /// A field that the message must have is not there.
    Missing,
    /// A number beyond its range.
    Number,
    /// Between two ticks or units.
    OffStep,
    /// A value that none of the known ones is, or that this schema cannot say.
    Unknown,
    /// A symbol that is not listed.
    Symbol,
}

impl fmt::Display for SbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            SbeErrorKind::Short => "the message ends too early",
            SbeErrorKind::Schema => "a message of another schema",
            SbeErrorKind::Missing => "a field is missing",
            SbeErrorKind::Number => "a number is out of range",
            SbeErrorKind::OffStep => "a number is between two ticks or units",
            SbeErrorKind::Unknown => "a value is none of the known ones",
            SbeErrorKind::Symbol => "an unknown symbol",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for SbeError {}

pub(super) const fn error<T>(kind: SbeErrorKind, offset: usize) -> Result<T, SbeError> {
    Err(SbeError { kind, offset })
}

/// A place in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'t> {
    frame: &'t [u8],
    pub(super) at: usize,
}

/// A message: what its header says, its block, and what follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'t> {
    pub(super) template: u16,
    pub(super) block: Block<'t>,
    /// Groups and texts.
    pub(super) rest: Reader<'t>,
}

/// Fields at fixed places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'t> {
    bytes: &'t [u8],
    /// Where it stands in the frame.
    pub(super) at: usize,
}

impl<'t> Message<'t> {
    /// The message that `frame` begins with at `at`.
    pub(super) fn read(frame: &'t [u8], at: usize) -> Result<Self, SbeError> {
        let mut reader = Reader { frame, at };
        let (len, template) = (reader.u16()?, reader.u16()?);
        let (schema, _version) = (reader.u16()?, reader.u16()?);
        if schema != SCHEMA {
            return error(SbeErrorKind::Schema, at + 4);
        }
        let block = reader.block(usize::from(len))?;
        Ok(Self { template, block, rest: reader })
    }
}

/// The spot schema's number; its versions are told apart by the lengths of blocks.
const SCHEMA: u16 = 3;

impl<'t> Reader<'t> {
    fn take(&mut self, len: usize) -> Result<&'t [u8], SbeError> {
        let end = self.at.saturating_add(len);
        let Some(bytes) = self.frame.get(self.at..end) else {
            return error(SbeErrorKind::Short, self.frame.len());
        };
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SbeError> {
        let bytes = self.take(N)?;
        bytes.first_chunk().copied().ok_or(SbeError { kind: SbeErrorKind::Short, offset: self.at })
    }

    pub(super) fn u8(&mut self) -> Result<u8, SbeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, SbeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<usize, SbeError> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn block(&mut self, len: usize) -> Result<Block<'t>, SbeError> {
        let at = self.at;
        Ok(Block { bytes: self.take(len)?, at })
    }

    /// A text behind its length of one byte.
    pub(super) fn text(&mut self) -> Result<&'t [u8], SbeError> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A text behind its length of two bytes.
    pub(super) fn long_text(&mut self) -> Result<&'t [u8], SbeError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A message within this one, behind its length of four bytes. None: length 0.
    pub(super) fn message(&mut self) -> Result<Option<Message<'t>>, SbeError> {
        let len = self.u32()?;
        let at = self.at;
        self.take(len)?;
        // Cut, so that nothing of it is read beyond its length.
        let within = self.frame.get(..self.at).unwrap_or_default();
        if len == 0 { Ok(None) } else { Message::read(within, at).map(Some) }
    }
}

impl Block<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    /// None: the block does not hold it, or it says null.
    pub(super) fn u8(&self, at: usize) -> Option<u8> {
        self.array(at).map(u8::from_le_bytes).filter(|value| *value != u8::MAX)
    }

    /// None: as [`Self::u8`].
    pub(super) fn i64(&self, at: usize) -> Option<i64> {
        self.array(at).map(i64::from_le_bytes).filter(|value| *value != i64::MIN)
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes).filter(|value| *value != u16::MAX)
    }

    pub(super) fn i16(&self, at: usize) -> Option<i16> {
        self.array(at).map(i16::from_le_bytes).filter(|value| *value != i16::MIN)
    }

    /// A field that must be there.
    pub(super) fn need<T>(&self, field: Option<T>, at: usize) -> Result<T, SbeError> {
        field.ok_or(SbeError { kind: SbeErrorKind::Missing, offset: self.at + at })
    }

    pub(super) fn number(&self, at: usize) -> Result<i64, SbeError> {
        self.need(self.i64(at), at)
    }

    /// A number from zero on.
    pub(super) fn uint(&self, at: usize) -> Result<u64, SbeError> {
        u64::try_from(self.number(at)?)
            .map_err(|_| SbeError { kind: SbeErrorKind::Number, offset: self.at + at })
    }

    /// A code, or true and false.
    pub(super) fn code(&self, at: usize) -> Result<u8, SbeError> {
        self.need(self.u8(at), at)
    }

    pub(super) fn unknown<T>(&self, at: usize) -> Result<T, SbeError> {
        error(SbeErrorKind::Unknown, self.at + at)
    }

    /// A power of ten; null is a number of its own here.
    pub(super) fn power(&self, at: usize) -> Result<i8, SbeError> {
        self.need(self.array(at).map(i8::from_le_bytes), at)
    }

    /// Microseconds since 1970.
    pub(super) fn micros(&self, at: usize) -> Result<Nanos, SbeError> {
        let nanos = self.uint(at)?.checked_mul(1_000);
        nanos.map(Nanos).ok_or(SbeError { kind: SbeErrorKind::Number, offset: self.at + at })
    }

    /// The mantissa at `at` times ten to the `power`, exactly.
    pub(super) fn amount(&self, at: usize, power: i8) -> Result<Decimal, SbeError> {
        let bad = SbeError { kind: SbeErrorKind::Number, offset: self.at + at };
        let mantissa = i128::from(self.number(at)?);
        let up = 10_i128.checked_pow(u32::try_from(power).unwrap_or(0)).ok_or(bad)?;
        let exponent = u8::try_from(-i16::from(power.min(0))).ok().filter(|down| *down <= 18).ok_or(bad)?;
        Ok(Decimal { mantissa: mantissa.checked_mul(up).ok_or(bad)?, exponent, digits: exponent })
    }

    /// As [`Self::amount`], as a count of `step`.
    pub(super) fn count(&self, at: usize, power: i8, step: Step) -> Result<i64, SbeError> {
        let offset = self.at + at;
        let amount = self.amount(at, power)?;
        let scale = amount.exponent.max(step.exponent());
        let scaled = |decimal: Decimal| {
            decimal.rescaled(scale).map_err(|_| SbeError { kind: SbeErrorKind::Number, offset })
        };
        let (amount, step) = (scaled(amount)?, scaled(step.decimal(1))?);
        if amount % step != 0 {
            return error(SbeErrorKind::OffStep, offset);
        }
        i64::try_from(amount / step).map_err(|_| SbeError { kind: SbeErrorKind::Number, offset })
    }
}
