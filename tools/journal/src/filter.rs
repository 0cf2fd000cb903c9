//! Which records to show.

use clap::Args;
use engine::ids::{InstrumentId, Lane};
use engine::journal::View;
use engine::journal::schema::RecordKind;

use crate::context::Context;
use crate::render::instrument_of;

/// As typed.
#[derive(Args, Clone, Debug)]
pub(crate) struct FilterArgs {
    /// Only records of this kind: a name such as frame or order, or a number; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Vec<u16>,
    /// Only records about this instrument: BTCUSDT, binance-usdm:BTCUSDT or #id; may be repeated. Frames,
    /// timers and other records about no single instrument are left out.
    #[arg(long, value_name = "SYMBOL")]
    instrument: Vec<String>,
    /// Only this lane: feed, book, signal, strategy, gateway or runner; may be repeated.
    #[arg(long, value_name = "LANE", value_parser = parse_lane)]
    lane: Vec<Lane>,
}

/// With the journal's own instruments looked up.
pub(crate) struct Filter {
    kinds: Vec<u16>,
    instruments: Option<Vec<InstrumentId>>,
    lanes: Vec<Lane>,
}

impl FilterArgs {
    /// Err: an instrument that the journal does not know.
    pub(crate) fn resolve(&self, context: &Context) -> Result<Filter, String> {
        let found: Result<Vec<_>, _> = self.instrument.iter().map(|name| context.find(name)).collect();
        let instruments = found?.concat();
        Ok(Filter {
            kinds: self.kind.clone(),
            instruments: (!self.instrument.is_empty()).then_some(instruments),
            lanes: self.lane.clone(),
        })
    }
}

impl Filter {
    /// Whether nothing but fills is asked for.
    pub(crate) fn is_fills(&self) -> bool {
        self.kinds == [RecordKind::Fill as u16]
    }

    /// Whether fills of an instrument are among what is asked for.
    pub(crate) fn takes_fills_of(&self, id: InstrumentId) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&(RecordKind::Fill as u16)))
            && (self.lanes.is_empty() || self.lanes.contains(&Lane::Gateway))
            && self.instruments.as_ref().is_none_or(|wanted| wanted.contains(&id))
    }

    pub(crate) fn takes(&self, view: &View<'_>) -> bool {
        let takes_instrument = self
            .instruments
            .as_ref()
            .is_none_or(|wanted| instrument_of(&view.entry).is_some_and(|id| wanted.contains(&id)));
        (self.kinds.is_empty() || self.kinds.contains(&view.entry.kind))
            && (self.lanes.is_empty() || self.lanes.contains(&view.lane))
            && takes_instrument
    }
}

fn parse_kind(text: &str) -> Result<u16, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let named = RecordKind::ALL.into_iter().find(|kind| kind.name() == text);
    named.map(|kind| kind as u16).ok_or_else(|| {
        let names: Vec<_> = RecordKind::ALL.into_iter().map(RecordKind::name).collect();
        format!("kinds are: {}", names.join(", "))
    })
}

fn parse_lane(text: &str) -> Result<Lane, String> {
    let lanes: Vec<_> = Lane::ALL.into_iter().map(Lane::name).collect();
    Lane::ALL
        .into_iter()
        .find(|lane| lane.name() == text)
        .ok_or_else(|| format!("lanes are: {}", lanes.join(", ")))
}
