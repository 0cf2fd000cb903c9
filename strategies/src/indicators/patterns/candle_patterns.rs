//! The candle patterns of the ta-lib crate, all 61, at TA-Lib's default settings.
//!
//! A stream of that crate opens over a history as long as its lookback and takes its memory there. A
//! pattern looks at a fixed number of past candles and no further, so a stream opened at construction
//! over candles of nothing is, one lookback later, in the very state of one opened over the real
//! candles: no update ever allocates. Until then TA-Lib's batch answers 0, and so does this.

use ta_lib::{Core, RetCode};

use crate::indicators::bar::Bar;
use crate::indicators::contract::Indicator;
use crate::indicators::registry::{Entry, Origin, on_candle, real};
use crate::indicators::value::Value;

/// A pattern's stream.
trait Stream: Clone + Send + Sized + 'static {
    fn lookback(core: &Core, penetration: f64) -> Result<usize, RetCode>;
    fn open(core: &Core, zeros: &[f64], penetration: f64) -> Result<Self, RetCode>;
    fn take(&mut self, bar: &Bar) -> Result<i32, RetCode>;
    fn look(&self, bar: &Bar) -> Result<i32, RetCode>;
}

/// A pattern: 0 where it is not, ±100 where it is (engulfing ±80 when only one end engulfs).
#[derive(Clone)]
struct Pattern<S> {
    /// `None` when the crate refused to open: no value ever.
    stream: Option<S>,
    /// Candles until the answers are the stream's.
    before: usize,
}

impl<S: Stream> Pattern<S> {
    fn new(penetration: f64) -> Self {
        let core = Core::new();
        let before = S::lookback(&core, penetration);
        let stream = before.and_then(|before| S::open(&core, &vec![0.0; before + 1], penetration));
        Self { stream: stream.ok(), before: before.unwrap_or(0) }
    }
}

impl<S: Stream> Indicator for Pattern<S> {
    type Input = Bar;
    type Output = [Value; 1];

    /// Undefined only where the crate's own count of candles is full, at 100 million.
    #[inline]
    fn update(&mut self, bar: Bar) -> [Value; 1] {
        let answer = self.stream.as_mut().map(|stream| stream.take(&bar));
        let early = self.before > 0;
        self.before = self.before.saturating_sub(1);
        answered(answer, early)
    }

    #[inline]
    fn peek(&self, _: &mut Self, bar: Bar) -> [Value; 1] {
        answered(self.stream.as_ref().map(|stream| stream.look(&bar)), self.before > 0)
    }
}

#[inline]
fn answered(answer: Option<Result<i32, RetCode>>, early: bool) -> [Value; 1] {
    [match answer {
        Some(Ok(_)) if early => Value::of(0.0),
        Some(Ok(hit)) => Value::of(f64::from(hit)),
        _ => Value::UNDEFINED,
    }]
}

macro_rules! patterns {
    (
        plain { $($name:literal $function:literal $open:ident $lookback:ident $stream:ident $title:literal;)* }
        with_penetration { $($pname:literal $pfunction:literal $popen:ident $plookback:ident $pstream:ident $ptitle:literal $default:literal;)* }
    ) => {
        $(impl Stream for ta_lib::$stream {
            fn lookback(core: &Core, _: f64) -> Result<usize, RetCode> {
                core.$lookback()
            }
            fn open(core: &Core, zeros: &[f64], _: f64) -> Result<Self, RetCode> {
                core.$open(zeros, zeros, zeros, zeros).map(|(stream, _)| stream)
            }
            fn take(&mut self, bar: &Bar) -> Result<i32, RetCode> {
                self.update(bar.open, bar.high, bar.low, bar.close)
            }
            fn look(&self, bar: &Bar) -> Result<i32, RetCode> {
                self.peek(bar.open, bar.high, bar.low, bar.close)
            }
        })*
        $(impl Stream for ta_lib::$pstream {
            fn lookback(core: &Core, penetration: f64) -> Result<usize, RetCode> {
                core.$plookback(penetration)
            }
            fn open(core: &Core, zeros: &[f64], penetration: f64) -> Result<Self, RetCode> {
                core.$popen(zeros, zeros, zeros, zeros, penetration).map(|(stream, _)| stream)
            }
            fn take(&mut self, bar: &Bar) -> Result<i32, RetCode> {
                self.update(bar.open, bar.high, bar.low, bar.close)
            }
            fn look(&self, bar: &Bar) -> Result<i32, RetCode> {
                self.peek(bar.open, bar.high, bar.low, bar.close)
            }
        })*

        pub(crate) const TABLE: &[Entry] = &[
            $(Entry::of_candle($name, $title, FORMULA, &[], |_, _| on_candle(Pattern::<ta_lib::$stream>::new(0.0)))
                .also(&[$function])
                .origin(wrapped($function))
                .compared(COMPARED),)*
            $(Entry::of_candle(
                $pname,
                $ptitle,
                FORMULA,
                &[real("penetration", $default, 0.0, 1.0)],
                |a, _| on_candle(Pattern::<ta_lib::$pstream>::new(a.real(0))),
            )
            .also(&[$pfunction])
            .origin(wrapped($pfunction))
            .compared(COMPARED),)*
        ];
    };
}

/// Six of them have golden columns; all are held against the batch functions of the crate.
const COMPARED: &str = "TA-Lib 0.8.3's own batch function; engulfing, doji, hammer, shooting star, morning and evening star: TA-Lib 0.8.1";

const FORMULA: &str = "0 or ±100 by TA-Lib's default candle settings; 0 until its averages are full";

const fn wrapped(function: &'static str) -> Origin {
    Origin::TaLib { function, transcendental: false, allocates_once: false }
}

patterns! {
plain {
    "cdl_two_crows" "cdl2crows" cdl2crows_open cdl2crows_lookback Cdl2crowsStream "Two Crows";
    "cdl_three_black_crows" "cdl3blackcrows" cdl3blackcrows_open cdl3blackcrows_lookback Cdl3blackcrowsStream "Three Black Crows";
    "cdl_three_inside" "cdl3inside" cdl3inside_open cdl3inside_lookback Cdl3insideStream "Three Inside Up/Down";
    "cdl_three_line_strike" "cdl3linestrike" cdl3linestrike_open cdl3linestrike_lookback Cdl3linestrikeStream "Three-Line Strike";
    "cdl_three_outside" "cdl3outside" cdl3outside_open cdl3outside_lookback Cdl3outsideStream "Three Outside Up/Down";
    "cdl_three_stars_in_south" "cdl3starsinsouth" cdl3starsinsouth_open cdl3starsinsouth_lookback Cdl3starsinsouthStream "Three Stars In The South";
    "cdl_three_white_soldiers" "cdl3whitesoldiers" cdl3whitesoldiers_open cdl3whitesoldiers_lookback Cdl3whitesoldiersStream "Three Advancing White Soldiers";
    "cdl_advance_block" "cdladvanceblock" cdladvanceblock_open cdladvanceblock_lookback CdladvanceblockStream "Advance Block";
    "cdl_belt_hold" "cdlbelthold" cdlbelthold_open cdlbelthold_lookback CdlbeltholdStream "Belt-hold";
    "cdl_breakaway" "cdlbreakaway" cdlbreakaway_open cdlbreakaway_lookback CdlbreakawayStream "Breakaway";
    "cdl_closing_marubozu" "cdlclosingmarubozu" cdlclosingmarubozu_open cdlclosingmarubozu_lookback CdlclosingmarubozuStream "Closing Marubozu";
    "cdl_concealing_baby_swallow" "cdlconcealbabyswall" cdlconcealbabyswall_open cdlconcealbabyswall_lookback CdlconcealbabyswallStream "Concealing Baby Swallow";
    "cdl_counterattack" "cdlcounterattack" cdlcounterattack_open cdlcounterattack_lookback CdlcounterattackStream "Counterattack";
    "cdl_doji" "cdldoji" cdldoji_open cdldoji_lookback CdldojiStream "Doji";
    "cdl_doji_star" "cdldojistar" cdldojistar_open cdldojistar_lookback CdldojistarStream "Doji Star";
    "cdl_dragonfly_doji" "cdldragonflydoji" cdldragonflydoji_open cdldragonflydoji_lookback CdldragonflydojiStream "Dragonfly Doji";
    "cdl_engulfing" "cdlengulfing" cdlengulfing_open cdlengulfing_lookback CdlengulfingStream "Engulfing Pattern";
    "cdl_gap_side_by_side_white" "cdlgapsidesidewhite" cdlgapsidesidewhite_open cdlgapsidesidewhite_lookback CdlgapsidesidewhiteStream "Up/Down-gap side-by-side white lines";
    "cdl_gravestone_doji" "cdlgravestonedoji" cdlgravestonedoji_open cdlgravestonedoji_lookback CdlgravestonedojiStream "Gravestone Doji";
    "cdl_hammer" "cdlhammer" cdlhammer_open cdlhammer_lookback CdlhammerStream "Hammer";
    "cdl_hanging_man" "cdlhangingman" cdlhangingman_open cdlhangingman_lookback CdlhangingmanStream "Hanging Man";
    "cdl_harami" "cdlharami" cdlharami_open cdlharami_lookback CdlharamiStream "Harami Pattern";
    "cdl_harami_cross" "cdlharamicross" cdlharamicross_open cdlharamicross_lookback CdlharamicrossStream "Harami Cross Pattern";
    "cdl_high_wave" "cdlhighwave" cdlhighwave_open cdlhighwave_lookback CdlhighwaveStream "High-Wave Candle";
    "cdl_hikkake" "cdlhikkake" cdlhikkake_open cdlhikkake_lookback CdlhikkakeStream "Hikkake Pattern";
    "cdl_hikkake_modified" "cdlhikkakemod" cdlhikkakemod_open cdlhikkakemod_lookback CdlhikkakemodStream "Modified Hikkake Pattern";
    "cdl_homing_pigeon" "cdlhomingpigeon" cdlhomingpigeon_open cdlhomingpigeon_lookback CdlhomingpigeonStream "Homing Pigeon";
    "cdl_identical_three_crows" "cdlidentical3crows" cdlidentical3crows_open cdlidentical3crows_lookback Cdlidentical3crowsStream "Identical Three Crows";
    "cdl_in_neck" "cdlinneck" cdlinneck_open cdlinneck_lookback CdlinneckStream "In-Neck Pattern";
    "cdl_inverted_hammer" "cdlinvertedhammer" cdlinvertedhammer_open cdlinvertedhammer_lookback CdlinvertedhammerStream "Inverted Hammer";
    "cdl_kicking" "cdlkicking" cdlkicking_open cdlkicking_lookback CdlkickingStream "Kicking";
    "cdl_kicking_by_length" "cdlkickingbylength" cdlkickingbylength_open cdlkickingbylength_lookback CdlkickingbylengthStream "Kicking - bull/bear determined by the longer marubozu";
    "cdl_ladder_bottom" "cdlladderbottom" cdlladderbottom_open cdlladderbottom_lookback CdlladderbottomStream "Ladder Bottom";
    "cdl_long_legged_doji" "cdllongleggeddoji" cdllongleggeddoji_open cdllongleggeddoji_lookback CdllongleggeddojiStream "Long Legged Doji";
    "cdl_long_line" "cdllongline" cdllongline_open cdllongline_lookback CdllonglineStream "Long Line Candle";
    "cdl_marubozu" "cdlmarubozu" cdlmarubozu_open cdlmarubozu_lookback CdlmarubozuStream "Marubozu";
    "cdl_matching_low" "cdlmatchinglow" cdlmatchinglow_open cdlmatchinglow_lookback CdlmatchinglowStream "Matching Low";
    "cdl_on_neck" "cdlonneck" cdlonneck_open cdlonneck_lookback CdlonneckStream "On-Neck Pattern";
    "cdl_piercing" "cdlpiercing" cdlpiercing_open cdlpiercing_lookback CdlpiercingStream "Piercing Pattern";
    "cdl_rickshaw_man" "cdlrickshawman" cdlrickshawman_open cdlrickshawman_lookback CdlrickshawmanStream "Rickshaw Man";
    "cdl_rise_fall_three_methods" "cdlrisefall3methods" cdlrisefall3methods_open cdlrisefall3methods_lookback Cdlrisefall3methodsStream "Rising/Falling Three Methods";
    "cdl_separating_lines" "cdlseparatinglines" cdlseparatinglines_open cdlseparatinglines_lookback CdlseparatinglinesStream "Separating Lines";
    "cdl_shooting_star" "cdlshootingstar" cdlshootingstar_open cdlshootingstar_lookback CdlshootingstarStream "Shooting Star";
    "cdl_short_line" "cdlshortline" cdlshortline_open cdlshortline_lookback CdlshortlineStream "Short Line Candle";
    "cdl_spinning_top" "cdlspinningtop" cdlspinningtop_open cdlspinningtop_lookback CdlspinningtopStream "Spinning Top";
    "cdl_stalled" "cdlstalledpattern" cdlstalledpattern_open cdlstalledpattern_lookback CdlstalledpatternStream "Stalled Pattern";
    "cdl_stick_sandwich" "cdlsticksandwich" cdlsticksandwich_open cdlsticksandwich_lookback CdlsticksandwichStream "Stick Sandwich";
    "cdl_takuri" "cdltakuri" cdltakuri_open cdltakuri_lookback CdltakuriStream "Takuri (Dragonfly Doji with very long lower shadow)";
    "cdl_tasuki_gap" "cdltasukigap" cdltasukigap_open cdltasukigap_lookback CdltasukigapStream "Tasuki Gap";
    "cdl_thrusting" "cdlthrusting" cdlthrusting_open cdlthrusting_lookback CdlthrustingStream "Thrusting Pattern";
    "cdl_tristar" "cdltristar" cdltristar_open cdltristar_lookback CdltristarStream "Tristar Pattern";
    "cdl_unique_three_river" "cdlunique3river" cdlunique3river_open cdlunique3river_lookback Cdlunique3riverStream "Unique 3 River";
    "cdl_upside_gap_two_crows" "cdlupsidegap2crows" cdlupsidegap2crows_open cdlupsidegap2crows_lookback Cdlupsidegap2crowsStream "Upside Gap Two Crows";
    "cdl_xside_gap_three_methods" "cdlxsidegap3methods" cdlxsidegap3methods_open cdlxsidegap3methods_lookback Cdlxsidegap3methodsStream "Upside/Downside Gap Three Methods";
}
with_penetration {
    "cdl_abandoned_baby" "cdlabandonedbaby" cdlabandonedbaby_open cdlabandonedbaby_lookback CdlabandonedbabyStream "Abandoned Baby" 0.3;
    "cdl_dark_cloud_cover" "cdldarkcloudcover" cdldarkcloudcover_open cdldarkcloudcover_lookback CdldarkcloudcoverStream "Dark Cloud Cover" 0.5;
    "cdl_evening_doji_star" "cdleveningdojistar" cdleveningdojistar_open cdleveningdojistar_lookback CdleveningdojistarStream "Evening Doji Star" 0.3;
    "cdl_evening_star" "cdleveningstar" cdleveningstar_open cdleveningstar_lookback CdleveningstarStream "Evening Star" 0.3;
    "cdl_mat_hold" "cdlmathold" cdlmathold_open cdlmathold_lookback CdlmatholdStream "Mat Hold" 0.5;
    "cdl_morning_doji_star" "cdlmorningdojistar" cdlmorningdojistar_open cdlmorningdojistar_lookback CdlmorningdojistarStream "Morning Doji Star" 0.3;
    "cdl_morning_star" "cdlmorningstar" cdlmorningstar_open cdlmorningstar_lookback CdlmorningstarStream "Morning Star" 0.3;
}
}
