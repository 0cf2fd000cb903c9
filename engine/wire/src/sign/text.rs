//! Bytes as text and back: hexadecimal and base64 (RFC 4648, with padding), by table.

/// The lower-case hexadecimal digits of `bytes`; `TEXT` is twice as long.
#[inline]
pub(super) fn hex<const BYTES: usize, const TEXT: usize>(bytes: &[u8; BYTES]) -> [u8; TEXT] {
    const { assert!(TEXT == 2 * BYTES) }
    let mut text = [0; TEXT];
    for (byte, digits) in bytes.iter().zip(text.as_chunks_mut::<2>().0) {
        *digits = HEX[usize::from(*byte)];
    }
    text
}

/// The base64 of `bytes`; `TEXT` is four for every three begun.
#[inline]
pub(crate) fn base64<const BYTES: usize, const TEXT: usize>(bytes: &[u8; BYTES]) -> [u8; TEXT] {
    const { assert!(TEXT == BYTES.div_ceil(3) * 4) }
    let mut text = [b'='; TEXT];
    for (three, four) in bytes.chunks(3).zip(text.as_chunks_mut::<4>().0) {
        let bits =
            three.iter().zip([16, 8, 0]).fold(0, |bits, (byte, shift)| bits | u32::from(*byte) << shift);
        // Three bytes are four characters, two are three, one is two; the rest stays padding.
        for (character, shift) in four.iter_mut().zip([18, 12, 6, 0]).take(three.len() + 1) {
            *character = BASE64[(bits >> shift & 63) as usize];
        }
    }
    text
}

/// The bytes that base64 `text` stands for; white space is skipped. None: another character, a wrong length,
/// padding that is missing or misplaced, bits beyond the last byte.
#[cold]
pub(super) fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    // Room for all of it at once: a vector that grew would leave pieces of a key behind.
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held, mut characters, mut padding) = (0_u32, 0_u32, 0_usize, 0_usize);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        characters += 1;
        if *byte == b'=' {
            padding += 1;
            continue;
        }
        let value = u32::try_from(BASE64.iter().position(|known| known == byte)?).ok()?;
        if padding > 0 {
            return None;
        }
        (bits, held) = (bits << 6 | value, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    let whole = characters % 4 == 0 && bits == 0 && padding * 2 == held as usize;
    whole.then_some(bytes)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const HEX: [[u8; 2]; 256] = {
    let (mut table, digits, mut byte) = ([[0; 2]; 256], b"0123456789abcdef", 0);
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_texts_of_rfc_4648() {
        assert_eq!(&hex::<4, 8>(&[0x00, 0x0F, 0xA0, 0xFF]), b"000fa0ff");
        assert_eq!(&base64::<1, 4>(b"f"), b"Zg==");
        assert_eq!(&base64::<2, 4>(b"fo"), b"Zm8=");
        assert_eq!(&base64::<3, 4>(b"foo"), b"Zm9v");
        assert_eq!(&base64::<6, 8>(b"foobar"), b"Zm9vYmFy");
        assert_eq!(base64_decode(b"Zm9v\r\nYmE= ").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(base64_decode(b"").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for bad in
            ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=Zg=", "Zg==Zg==", "Zm-v", "Zm\0v"]
        {
            assert_eq!(base64_decode(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_base64_writes_it_reads(bytes in any::<[u8; 32]>()) {
            let text: [u8; 44] = base64(&bytes);
            prop_assert_eq!(base64_decode(&text), Some(bytes.to_vec()));
        }
    }
}
