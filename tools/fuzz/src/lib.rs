//! Every function of the engine that takes foreign bytes: from a venue, a file, an operator. Each has a target
//! that runs it on any bytes and asserts what must hold of the answer: agreement with another reading, a round
//! trip, conservation. [`TARGETS`] is the list; a test fails when a public function of that kind is in
//! neither the list nor [`EXEMPT`].

mod driver;
mod exempt;
mod lent;
mod markets;
mod model;
mod mutate;
mod random;
mod scratch;
pub mod targets;
mod truth;
mod words;

pub use driver::{Failure, Limit, Outcome, Report, attempt, is_attempting, search, shrink};
pub use exempt::EXEMPT;
pub use markets::recorded;
pub use mutate::mutate;
pub use random::Random;

use std::path::PathBuf;
use targets::{
    binance, capture, commands, config, counters, decisions, detect, events, handshake, heard, http,
    hyperliquid, indicators, instruments, journal, keys, lines, num, orders, played, recovery, stage,
    streams, venue, websocket, wire,
};
use words::{
    BINANCE, COMMANDS, CONFIG, EVENTS, HYPERLIQUID, INDICATORS, INSTRUMENTS, JOURNAL, KEYS, NUMBERS, ORDERS,
    RECORDS, STREAMS, TIMES, URLS, VENUE,
};

/// A function that can be run on any bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// On the command line, and the folder of its corpus.
    pub name: &'static str,
    /// The functions whose input it makes foreign.
    pub parses: &'static [&'static str],
    /// Runs one input. Panics when a property does not hold.
    pub run: fn(&[u8]) -> Outcome,
    /// Tokens of the format.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "recovery",
        parses: &["gateway::recovery::Recovered::read", "gateway::recovery::Recovered::at_start"],
        run: recovery::recovery,
        words: RECORDS,
    },
    Target {
        name: "answered",
        parses: &["gateway::heard::Heard::read"],
        run: recovery::answered,
        words: RECORDS,
    },
    Target {
        name: "data_dir",
        parses: &["engine::data_dir::DataDir::open"],
        run: recovery::data_dir,
        words: RECORDS,
    },
    Target {
        name: "binance",
        parses: &[
            "feeds::codec::FeedCodec::decode",
            "feeds::venues::AnyCodec::decode",
            "feeds::venues::binance::BinanceCodec::decode",
            "feeds::venues::binance::BinanceCodec::decode_general",
        ],
        run: binance::target,
        words: BINANCE,
    },
    Target {
        name: "heard",
        parses: &[
            "gateway::venues::binance::heard::Listing::find",
            "gateway::venues::binance::heard::answer::Answer::read",
            "gateway::venues::binance::heard::answer::rest_refusal",
            "gateway::venues::binance::heard::event::UserEvent::read",
            "gateway::venues::binance::heard::order::Execution::named",
            "gateway::venues::binance::heard::order::Status::named",
            "gateway::venues::binance::heard::sbe_messages::SbeMessage::read",
            "gateway::venues::binance::errors::action",
            "wire::json::Value::root",
        ],
        run: heard::target,
        words: heard::WORDS,
    },
    Target {
        name: "streams",
        parses: &["feeds::venues::binance::streams::hear", "feeds::venues::binance::streams::server_time"],
        run: streams::target,
        words: STREAMS,
    },
    Target { name: "url", parses: &["wire::url::Url::parse"], run: streams::url, words: URLS },
    Target {
        name: "hyperliquid",
        parses: &["feeds::venues::hyperliquid::HyperliquidCodec::decode"],
        run: hyperliquid::target,
        words: HYPERLIQUID,
    },
    Target { name: "lines", parses: &["feeds::capture::line::split_line"], run: lines::target, words: TIMES },
    Target {
        name: "capture",
        parses: &[
            "feeds::capture::reader::CaptureReader::open",
            "feeds::capture::reader::CaptureReader::open_all",
            "feeds::capture::merge::MergedCaptures::open",
        ],
        run: capture::target,
        words: TIMES,
    },
    Target {
        name: "played",
        parses: &["venue_sim::flow::capture::read", "venue_sim::flow::capture::parse"],
        run: played::target,
        words: BINANCE,
    },
    Target { name: "detect", parses: &["feeds::detect::detect"], run: detect::target, words: BINANCE },
    Target {
        name: "instruments",
        parses: &[
            "feeds::instruments::parse",
            "feeds::venues::binance::instruments::parse_exchange_info",
            "feeds::venues::binance::instruments::parse_exchange_info_of",
            "feeds::venues::binance::instruments::parse_rate_limits",
            "feeds::venues::hyperliquid::instruments::parse_meta",
        ],
        run: instruments::target,
        words: INSTRUMENTS,
    },
    Target {
        name: "instruments_recorded",
        parses: &["feeds::instruments_recorded::parse_recorded"],
        run: instruments::recorded,
        words: INSTRUMENTS,
    },
    Target {
        name: "described",
        parses: &["feeds::instruments::Description::instrument"],
        run: instruments::described,
        words: INSTRUMENTS,
    },
    Target {
        name: "stage",
        parses: &["feeds::stage::FeedStage::step", "engine::book_stage::BookStage::on_message"],
        run: stage::target,
        words: BINANCE,
    },
    Target {
        name: "num",
        parses: &[
            "engine::num::parse_decimal",
            "engine::num::Step::parse",
            "engine::num::Step::count",
            "engine::num::Price::parse",
            "engine::num::Qty::parse",
            "engine::num::Decimal::parse",
            "engine::time::Nanos::parse_length",
        ],
        run: num::target,
        words: NUMBERS,
    },
    Target {
        name: "journal",
        parses: &[
            "engine::journal::reader::Reader::open",
            "engine::journal::cursor::Cursor::new",
            "engine::journal::verify::verify",
        ],
        run: journal::target,
        words: JOURNAL,
    },
    Target {
        name: "counters",
        parses: &["engine::counters::reader::Reader::open"],
        run: counters::target,
        words: &["a_name", "\u{e9}", "\n"],
    },
    Target {
        name: "commands",
        parses: &[
            "engine::commands::reader::CommandReader::create",
            "engine::commands::reader::CommandReader::open",
        ],
        run: commands::target,
        words: COMMANDS,
    },
    Target {
        name: "command",
        parses: &["engine::commands::command::Command::decode"],
        run: commands::command,
        words: COMMANDS,
    },
    Target {
        name: "kill",
        parses: &["engine::commands::latch::KillLatch::of", "engine::commands::latch::KillLatch::of_run"],
        run: commands::kill,
        words: COMMANDS,
    },
    Target {
        name: "indicators",
        parses: &[
            "strategies::candles::time_frame::TimeFrame::from_str",
            "strategies::indicators::name::Request::from_parts",
            "strategies::indicators::name::Request::parse",
            "strategies::indicators::name::split_outside_parentheses",
            "strategies::indicators::panel::Panel::new",
        ],
        run: indicators::target,
        words: INDICATORS,
    },
    Target {
        name: "config",
        parses: &["sabrewing::config::Config::load", "engine::risk::limits::RiskLimits::with_parts"],
        run: config::target,
        words: CONFIG,
    },
    Target {
        name: "placement",
        parses: &["sabrewing::config::PlacementChoice::from", "sabrewing::config::PlacementChoice::load"],
        run: config::placement,
        words: CONFIG,
    },
    Target {
        name: "keys",
        parses: &[
            "wire::sign::secret::Secret::new",
            "wire::sign::hmac::HmacKey::sign",
            "wire::sign::ed25519::Ed25519Key::sign",
            "wire::print::Text::set",
            "wire::tls::TlsConfig::trusting",
        ],
        run: keys::target,
        words: KEYS,
    },
    Target {
        name: "wire",
        parses: &[
            "wire::cursor::Cursor::new",
            "wire::decimal::DecimalFormat::read",
            "wire::decimal::DecimalFormat::like",
            "wire::pairs::PairEnds::find",
            "wire::pairs::PairFormat::read",
            "wire::symbols::SymbolTable::find",
            "wire::symbols::SymbolTable::new",
            "wire::cursor::Cursor::literal",
        ],
        run: wire::target,
        words: NUMBERS,
    },
    Target {
        name: "websocket",
        parses: &[
            "wire::ws::frame::parse_head",
            "wire::ws::frame::mask",
            "wire::ws::frame::write_frame",
            "wire::ws::reader::close_reason",
        ],
        run: websocket::target,
        words: websocket::WORDS,
    },
    Target {
        name: "http",
        parses: &["wire::http::response::Response::header", "wire::http::response::Response::number"],
        run: http::target,
        words: http::WORDS,
    },
    Target {
        name: "handshake",
        parses: &[
            "wire::http::header::Header::new",
            "wire::ws::handshake::key",
            "wire::ws::handshake::read_answer",
            "wire::ws::handshake::write_request",
            "wire::http::request::Request::new",
            "wire::http::request::Request::write",
            "wire::tls::TlsStream::new",
            "wire::tls::TlsStream::process",
            "wire::tls::TlsStream::write",
        ],
        run: handshake::target,
        words: http::WORDS,
    },
    Target {
        name: "orders",
        parses: &[
            "gateway::paper::request::parse",
            "gateway::client_order_id::ClientOrderId::from_bytes",
            "gateway::paper::PaperExchange::request",
        ],
        run: orders::target,
        words: ORDERS,
    },
    Target {
        name: "venue",
        parses: &[
            "venue_sim::binance::auth::Keys::check",
            "venue_sim::binance::auth::Keys::find",
            "venue_sim::binance::auth::Verifier::accepts",
            "venue_sim::binance::auth::Verifier::public_key",
            "venue_sim::binance::params::Params::decimal",
            "venue_sim::binance::params::Params::flag",
            "venue_sim::binance::params::Params::from_forms",
            "venue_sim::binance::params::Params::from_json",
            "venue_sim::binance::params::Params::number",
            "venue_sim::binance::params::TextVisitor::visit_str",
            "venue_sim::binance::params::signed_parts",
            "venue_sim::faults::Rule::parse",
            "venue_sim::faults::Script::parse",
            "venue_sim::server::http::Request::parse",
            "venue_sim::venue::Venue::text",
            "venue_sim::venue::api::AnyParamsVisitor::visit_str",
            "venue_sim::venue::accounts::AccountFile::parse",
        ],
        run: venue::target,
        words: VENUE,
    },
    Target {
        name: "events",
        parses: &["sim::parity::parse_events", "sim::parity::load_events", "sim::parity::Settings::load"],
        run: events::target,
        words: EVENTS,
    },
    Target {
        name: "decisions",
        parses: &[
            "engine::decisions::Decisions::record",
            "engine::decisions::Decisions::finish",
            "engine::message::quotes::Quotes::read",
        ],
        run: decisions::target,
        words: &[],
    },
];

impl Target {
    /// The target of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Where its corpus lies.
    #[must_use]
    pub fn corpus_dir(&self) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).join(self.name)
    }

    /// Its corpus: file names and inputs, in the order of the names.
    ///
    /// # Panics
    /// It cannot be read.
    #[must_use]
    pub fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let dir = self.corpus_dir();
        let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let mut files: Vec<PathBuf> = entries.map_while(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        let read = |path: PathBuf| {
            let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(), input)
        };
        files.into_iter().map(read).collect()
    }
}
