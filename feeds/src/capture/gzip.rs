//! A file's text, inflated when it is gzip (RFC 1952, several members too), as it is otherwise. Told apart by
//! the first two bytes, not by the name.
//!
//! The container is read here and not by `flate2`'s reader, because that one drops what it inflated in the
//! call that meets an error; here everything before a fault comes out first, and the fault names its byte.

use super::CaptureErrorKind;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{ErrorKind, Read};

/// The text of a file.
pub(super) struct Text<R> {
    source: R,
    input: Box<[u8]>,
    /// `input[start..end]` is not used yet.
    start: usize,
    end: usize,
    /// Offset in the file of `input[0]`.
    offset: u64,
    state: State,
    inflate: Decompress,
    crc: Crc,
    /// A fault that waits until what was inflated before it has been taken.
    fault: Option<CaptureErrorKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing read yet.
    Unknown,
    Plain,
    /// In the compressed data of a member.
    Body,
    Ended,
}

const INPUT_BYTES: usize = 64 * 1024;

impl<R: Read> Text<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            state: State::Unknown,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            fault: None,
        }
    }

    /// Fills the front of `out`, which is not empty; 0 is the end.
    /// Err: once, after everything before it; what follows is the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CaptureErrorKind> {
        if let Some(fault) = self.fault.take() {
            self.state = State::Ended;
            return Err(fault);
        }
        let mut count = 0;
        match self.step(out, &mut count) {
            Ok(()) => Ok(count),
            Err(fault) if count > 0 => {
                self.fault = Some(fault);
                Ok(count)
            }
            Err(fault) => {
                self.state = State::Ended;
                Err(fault)
            }
        }
    }

    /// Adds to `count` what it wrote, until there is something or the end.
    fn step(&mut self, out: &mut [u8], count: &mut usize) -> Result<(), CaptureErrorKind> {
        while *count == 0 {
            match self.state {
                State::Unknown => {
                    // Two bytes tell, and a first read may bring fewer.
                    while self.end < 2 && self.refill()? > 0 {}
                    let gzip = self.input[..self.end].starts_with(&MAGIC);
                    self.state = if gzip { State::Body } else { State::Plain };
                    if gzip {
                        self.header()?;
                    }
                }
                State::Plain => {
                    if self.start == self.end && self.refill()? == 0 {
                        self.state = State::Ended;
                        break;
                    }
                    let taken = out.len().min(self.end - self.start);
                    out[..taken].copy_from_slice(&self.input[self.start..self.start + taken]);
                    self.start += taken;
                    *count = taken;
                }
                State::Body => self.body(out, count)?,
                State::Ended => break,
            }
        }
        Ok(())
    }

    fn body(&mut self, out: &mut [u8], count: &mut usize) -> Result<(), CaptureErrorKind> {
        if self.start == self.end && self.refill()? == 0 {
            return Err(CaptureErrorKind::Cut { offset: self.position() });
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let input = &self.input[self.start..self.end];
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        let taken = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(0);
        let made = usize::try_from(self.inflate.total_out() - before.1).unwrap_or(0);
        self.start += taken;
        self.crc.update(&out[..made]);
        *count += made;
        match status {
            Ok(Status::StreamEnd) => {
                self.trailer()?;
                self.next_member()
            }
            Ok(Status::Ok | Status::BufError) if taken > 0 || made > 0 => Ok(()),
            Ok(_) => Err(self.corrupt("no progress in the compressed data")),
            Err(_) => Err(self.corrupt("invalid compressed data")),
        }
    }

    /// A member's header, magic included.
    fn header(&mut self) -> Result<(), CaptureErrorKind> {
        let [magic0, magic1, method, flags] = self.bytes::<4>()?;
        if [magic0, magic1] != MAGIC {
            return Err(self.corrupt("something that is not gzip follows"));
        }
        if method != DEFLATE || flags & RESERVED != 0 {
            return Err(self.corrupt("unknown compression method or flags"));
        }
        self.bytes::<6>()?; // time, extra flags, system
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes::<2>()?) {
                self.bytes::<1>()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.bytes::<1>()? != [0] {}
        }
        if flags & HEADER_CRC != 0 {
            self.bytes::<2>()?;
        }
        Ok(())
    }

    /// Checksum and length behind the compressed data.
    fn trailer(&mut self) -> Result<(), CaptureErrorKind> {
        let (crc, length) = (u32::from_le_bytes(self.bytes()?), u32::from_le_bytes(self.bytes()?));
        if crc != self.crc.sum() {
            return Err(self.corrupt("checksum differs"));
        }
        if length != self.crc.amount() {
            return Err(self.corrupt("length differs"));
        }
        Ok(())
    }

    fn next_member(&mut self) -> Result<(), CaptureErrorKind> {
        if self.start == self.end && self.refill()? == 0 {
            self.state = State::Ended;
            return Ok(());
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.header()
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], CaptureErrorKind> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            if self.start == self.end && self.refill()? == 0 {
                return Err(CaptureErrorKind::Cut { offset: self.position() });
            }
            *byte = self.input[self.start];
            self.start += 1;
        }
        Ok(bytes)
    }

    /// Reads behind what is there, or over it when all of it is used. Returns how much came; 0 is the end.
    fn refill(&mut self) -> Result<usize, CaptureErrorKind> {
        if self.start == self.end {
            self.offset += self.end as u64;
            (self.start, self.end) = (0, 0);
        }
        loop {
            match self.source.read(&mut self.input[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(CaptureErrorKind::Read { offset: self.offset + self.end as u64, error });
                }
            }
        }
    }

    /// Offset in the file of the next byte to use.
    fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    fn corrupt(&self, what: &'static str) -> CaptureErrorKind {
        CaptureErrorKind::Corrupt { offset: self.position(), what }
    }
}

const MAGIC: [u8; 2] = [0x1F, 0x8B];
const DEFLATE: u8 = 8;
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xE0;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder, write::GzEncoder};
    use std::io::Write;

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Hands out at most `step` bytes a call.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn read_all(file: &[u8], step: usize, room: usize) -> (Vec<u8>, Option<CaptureErrorKind>) {
        let mut text = Text::new(Slowly(file, step));
        let (mut all, mut out) = (Vec::new(), vec![0; room]);
        loop {
            match text.read(&mut out) {
                Ok(0) => return (all, None),
                Ok(count) => all.extend_from_slice(&out[..count]),
                Err(error) => {
                    assert_eq!(text.read(&mut out).unwrap(), 0, "an error comes once");
                    return (all, Some(error));
                }
            }
        }
    }

    fn sample() -> Vec<u8> {
        (0..4_000_u32)
            .flat_map(|i| format!("{} {}\n", i * 7, i.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn plain_and_gzip_files_of_any_members_and_headers_give_their_text() {
        let text = sample();
        let mut rich = GzBuilder::new()
            .filename("name")
            .comment("note")
            .extra(vec![1; 300])
            .write(Vec::new(), Compression::fast());
        rich.write_all(&text).unwrap();
        let rich = rich.finish().unwrap();
        let two = [gz(&text[..1000]), gz(b""), gz(&text[1000..])].concat();
        for file in [&text, &gz(&text), &rich, &two] {
            for (step, room) in [(1, 1 << 20), (7, 100), (1 << 20, 1 << 20), (1 << 20, 1)] {
                let (all, error) = read_all(file, step, room);
                assert!(all == text && error.is_none(), "{step} {room} {error:?}");
            }
        }
        assert!(matches!(read_all(b"", 1, 1), (all, None) if all.is_empty()));
        assert!(matches!(read_all(b"\x1f", 1, 1), (all, None) if all == b"\x1f"));
    }

    #[test]
    fn a_cut_file_gives_what_is_before_the_cut_and_the_cut() {
        let text = sample();
        let file = gz(&text);
        let mut longest = 0;
        for cut in (2..file.len()).step_by(97).chain(file.len() - 9..file.len()) {
            let (all, error) = read_all(&file[..cut], 1 << 20, 1 << 20);
            let Some(CaptureErrorKind::Cut { offset }) = error else { panic!("{error:?} at {cut}") };
            assert_eq!(offset, cut as u64);
            assert!(text.starts_with(&all));
            assert!(all.len() >= longest, "more of the file gives no less text");
            longest = all.len();
        }
        assert_eq!(longest, text.len(), "only the trailer was missing");
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_what_is_before_it_comes_out() {
        let text = sample();
        let file = gz(&text);
        let mut partly = 0;
        for (bit, byte) in (10..file.len()).step_by(61).chain(file.len() - 8..file.len()).enumerate() {
            let mut bad = file.clone();
            bad[byte] ^= 1 << (bit % 8);
            let (all, error) = read_all(&bad, 1 << 20, 1 << 20);
            let error = error.unwrap_or_else(|| panic!("bit of byte {byte} was not noticed"));
            assert!(
                matches!(error, CaptureErrorKind::Corrupt { .. } | CaptureErrorKind::Cut { .. }),
                "{error:?}"
            );
            partly += u32::from(!all.is_empty());
        }
        assert!(partly > 100, "{partly}");
    }

    #[test]
    fn what_follows_the_last_member_must_be_gzip() {
        let file = [gz(b"a\n"), b"trailing".to_vec()].concat();
        let (all, error) = read_all(&file, 1 << 20, 1 << 20);
        assert_eq!(all, b"a\n");
        assert!(matches!(error, Some(CaptureErrorKind::Corrupt { .. })), "{error:?}");
    }

    #[test]
    fn a_failing_read_is_told_with_its_offset() {
        struct Fails(u32);
        impl Read for Fails {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(ErrorKind::Interrupted.into()),
                    2 => {
                        out[..3].copy_from_slice(b"abc");
                        Ok(3)
                    }
                    _ => Err(ErrorKind::PermissionDenied.into()),
                }
            }
        }
        let (mut text, mut out) = (Text::new(Fails(0)), [0; 8]);
        assert_eq!(text.read(&mut out).unwrap(), 3);
        assert!(matches!(text.read(&mut out), Err(CaptureErrorKind::Read { offset: 3, .. })));
    }
}
