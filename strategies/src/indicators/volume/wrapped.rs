//! Volume functions of the ta-lib crate.

use crate::indicators::registry::{Entry, Reads, length, on_candle, on_value, out, real, whole};
use crate::indicators::source::Field;
use crate::indicators::wrapped::{ITSELF, OfCandle, OfValue, from_ta_lib, from_ta_lib_fixed, int, wrap};

wrap!(EfiStream: efi_open, efi_lookback, [close, volume] -> 1, a => [int(a, 0)]);
wrap!(EmvStream: emv_open, emv_lookback, [high, low, volume] -> 1, a => [int(a, 0), a.real(1)]);
wrap!(EriStream: eri_open, eri_lookback, [high, low, close] -> 2, a => [int(a, 0)]);
wrap!(KvoStream: kvo_open, kvo_lookback, [high, low, close, volume] -> 2, a => [int(a, 0), int(a, 1), int(a, 2)]);
wrap!(MarketfiStream: marketfi_open, marketfi_lookback, [high, low, volume] -> 1);
wrap!(NviStream: nvi_open, nvi_lookback, [close, volume] -> 1);
wrap!(PviStream: pvi_open, pvi_lookback, [close, volume] -> 1);
wrap!(PvtStream: pvt_open, pvt_lookback, [close, volume] -> 1);
wrap!(RvolStream: rvol_open, rvol_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(WadStream: wad_open, wad_lookback, [high, low, close] -> 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle("efi", "Elder's force index", "ema(change·volume)", &[length(13)], |a, _| {
        on_candle(OfCandle::<ta_lib::EfiStream, 2, 1>::new(a))
    })
    .also(&["force_index"])
    .origin(from_ta_lib_fixed("efi"))
    .compared(ITSELF),
    Entry::of_candle(
        "emv",
        "Arms' ease of movement",
        "mean of the change of hl2 over (volume/divisor)/range",
        &[length(14), real("divisor", 10_000.0, 1e-9, 1e15)],
        |a, _| on_candle(OfCandle::<ta_lib::EmvStream, 3, 1>::new(a)),
    )
    .also(&["ease_of_movement"])
    .origin(from_ta_lib("emv"))
    .compared(ITSELF),
    Entry::of_candle(
        "eri",
        "Elder ray, bull and bear power",
        "high - ema(close), low - ema(close)",
        &[length(13)],
        |a, _| on_candle(OfCandle::<ta_lib::EriStream, 3, 2>::new(a)),
    )
    .outputs(&[out("bull"), out("bear")])
    .also(&["elder_ray"])
    .origin(from_ta_lib_fixed("eri"))
    .compared(ITSELF),
    Entry::of_candle(
        "kvo",
        "Klinger's volume oscillator and its signal",
        "ema(force, fast) - ema(force, slow)",
        &[whole("fast", 34, 1, 10_000), whole("slow", 55, 2, 10_000), whole("signal", 13, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::KvoStream, 4, 2>::new(a)),
    )
    .outputs(&[out(""), out("signal")])
    .also(&["klinger"])
    .origin(from_ta_lib_fixed("kvo"))
    .compared(ITSELF),
    Entry::of_candle("marketfi", "Williams' market facilitation", "(high - low)/volume", &[], |a, _| {
        on_candle(OfCandle::<ta_lib::MarketfiStream, 3, 1>::new(a))
    })
    .origin(from_ta_lib_fixed("marketfi"))
    .compared(ITSELF),
    Entry::of_candle(
        "nvi",
        "Negative volume index",
        "from 1000, the returns of candles with less volume than before",
        &[],
        |a, _| on_candle(OfCandle::<ta_lib::NviStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib_fixed("nvi"))
    .compared(ITSELF),
    Entry::of_candle(
        "pvi",
        "Positive volume index",
        "from 1000, the returns of candles with more volume than before",
        &[],
        |a, _| on_candle(OfCandle::<ta_lib::PviStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib_fixed("pvi"))
    .compared(ITSELF),
    Entry::of_candle("vpt", "Volume price trend", "cumulative return·volume", &[], |a, _| {
        on_candle(OfCandle::<ta_lib::PvtStream, 2, 1>::new(a))
    })
    .also(&["pvt"])
    .origin(from_ta_lib_fixed("pvt"))
    .compared(ITSELF),
    Entry::of_value(
        "rvol",
        "Relative volume",
        "volume over the mean of the n before",
        &[length(20)],
        |a, s| on_value(OfValue::<ta_lib::RvolStream, 1>::new(a), s),
    )
    .reading(Reads::Value(Field::Volume))
    .origin(from_ta_lib("rvol"))
    .compared(ITSELF),
    Entry::of_candle(
        "wad",
        "Williams' accumulation/distribution",
        "cumulative close against the true low or high",
        &[],
        |a, _| on_candle(OfCandle::<ta_lib::WadStream, 3, 1>::new(a)),
    )
    .origin(from_ta_lib_fixed("wad"))
    .compared(ITSELF),
];
