//! Every function of the engine that takes foreign bytes: from a venue, a file, an operator. Each has a target
//! that runs it on any bytes and asserts what must hold of the answer: agreement with another reading, a round
//! trip, conservation. [`TARGETS`] is the list; a test fails when a public function of that kind is in
//! neither the list nor [`EXEMPT`].

mod driver;
mod lent;
mod markets;
mod model;
mod mutate;
mod random;
mod scratch;
pub mod targets;
mod truth;

pub use driver::{Failure, Limit, Outcome, Report, attempt, search, shrink};
pub use markets::recorded;
pub use mutate::mutate;
pub use random::Random;

use std::path::PathBuf;
use targets::{
    binance, capture, commands, config, counters, decisions, detect, events, handshake, heard, http,
    hyperliquid, indicators, instruments, journal, keys, lines, num, orders, played, recovery, stage, venue,
    websocket, wire,
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
        parses: &["gateway::recovery::Recovered::read"],
        run: recovery::recovery,
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
        parses: &["sabrewing::config::Config::load"],
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
            "venue_sim::binance::params::signed_parts",
            "venue_sim::faults::Rule::parse",
            "venue_sim::faults::Script::parse",
            "venue_sim::server::http::Request::parse",
            "venue_sim::venue::Venue::text",
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

/// Words of order requests.
const ORDERS: &[&str] = &[
    "order.place",
    "order.cancel",
    "order.status",
    "order.modify",
    "order.amend.keepPriority",
    "\"symbol\":\"BTCUSDT\"",
    "\"side\":\"SELL\"",
    "\"type\":\"LIMIT_MAKER\"",
    "\"type\":\"MARKET\"",
    "\"type\":\"LIMIT\"",
    "\"timeInForce\":\"IOC\"",
    "\"timeInForce\":\"FOK\"",
    "\"quantity\":\"0.001\"",
    "\"newQty\":\"0.001\"",
    "\"price\":\"10.1\"",
    "\"newClientOrderId\":\"sb0-1-2\"",
    "\"origClientOrderId\":\"sb0-1-2\"",
    "{",
    "}",
    ",",
    "\\",
    " ",
];
/// Words of what a simulated venue is asked.
const VENUE: &[&str] = &[
    "SUBSCRIBE",
    "order.place",
    "session.status",
    "\"method\":",
    "\"params\":",
    "\"id\":1",
    "btcusdt@depth@100ms",
    "GET /api/v3/depth?symbol=BTCUSDT HTTP/1.1\r\n",
    "Content-Length: 4\r\n",
    "\r\n\r\n",
    "symbol=BTCUSDT",
    "&signature=",
    "%2F",
    "\"kind\":\"gap\"",
    "[[account]]\n",
    "name = 'a'\n",
];
/// Words of event files.
const EVENTS: &[&str] = &[
    "RiskAdverseQueueModel",
    "ProbQueueModel PowerProbQueueFunc(2)",
    "ev,exch_ts,local_ts,px,qty",
    "3758096385",
    "3489660929",
    "3489660930",
    "3758096386",
    "3758096388",
    "3489660932",
    "3758096387",
    "2684354562",
    ",",
    "\n",
    "0.000",
    "-1",
];

/// Words of key files.
const KEYS: &[&str] = &[
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v",
    "+2VwBCIEIC",
    "gSEA",
    "=",
    "==",
    "\r\n",
    "0.\u{2}\u{1}",
    "\u{6}\u{3}+ep",
    "\u{4}\"\u{4} ",
];

/// Record kinds and numbers of what a restart reads.
const RECORDS: &[&str] = &[
    "31 0 ",
    "33 0 ",
    "34 0 ",
    "36 0 ",
    "40 0 ",
    "41 0 ",
    "42 0",
    "\n",
    "00",
    "01",
    "ff",
    "runs = ",
    "4294967295",
];

const NAMED_BY_REQUEST: &str =
    "takes a name that `Request` has looked up; the target `indicators` gets there";

/// Words of indicator columns.
const INDICATORS: &[&str] = &[
    "ema_",
    "rsi_14",
    "bb_20_2_u",
    "macd",
    "(",
    ")",
    ",",
    "_",
    "9",
    "2.5",
    "close",
    "hl2",
    "sma",
    "atr_",
    "\n",
    "1m",
    "4h",
    "1M",
    "1w",
];

/// Public functions that take bytes, texts or paths, and why no target runs them on foreign ones.
pub const EXEMPT: &[(&str, &str)] = &[
    ("engine::commands::command::Answer::refused", OWN_TEXT),
    ("engine::commands::writer::CommandWriter::create", "makes a file of its own in the directory"),
    ("engine::counters::Counters::create", OWN_TEXT),
    ("engine::counters::Counters::register", OWN_TEXT),
    ("engine::counters::Counters::register_histogram", OWN_TEXT),
    ("engine::counters::desc::Desc::counter", OWN_TEXT),
    ("engine::counters::desc::Desc::gauge", OWN_TEXT),
    ("engine::counters::desc::Desc::histogram", OWN_TEXT),
    ("engine::counters::desc::Desc::max", OWN_TEXT),
    ("engine::counters::desc::Desc::of_strategy", OWN_TEXT),
    ("engine::counters::desc::Desc::on_instrument", OWN_TEXT),
    ("engine::counters::desc::Desc::reason", OWN_TEXT),
    ("engine::counters::reader::Snapshot::find", "compares; the target `counters` calls it all the same"),
    ("engine::instrument::InstrumentTable::find", "compares; reads nothing out of the text"),
    ("engine::risk::words::MarketUnits::new", "names that are printed; reads nothing out of the text"),
    ("engine::journal::crc::Crc::bytes", "sums any bytes; the target `journal` has a sum of its own"),
    ("engine::journal::live::Journal::create", "writes into a directory of its own, which must be empty"),
    (
        "engine::journal::writer::Writer::append",
        "stores the bytes as they are; read back by the target `journal`",
    ),
    ("engine::record_copies::CopySender::copy", "copies what the stage's own log has written"),
    ("engine::runner::Control::stop_with", OWN_TEXT),
    (
        "strategies::signal::feature::Feature::parse",
        "names that strategies declare in code, no operator's; its tests refuse what is none",
    ),
    ("feeds::capture::source::CaptureSource::new", "says what failed as text; takes none"),
    ("feeds::venues::AnyCodec::new", "compares with the names of the venues"),
    ("venue_sim::exchange::amount::Amount::parse", "reads by `Decimal::parse`, which the target `num` runs"),
    ("venue_sim::exchange::amount::Rate::parse", "reads by `Decimal::parse`, which the target `num` runs"),
    ("venue_sim::exchange::order::ClientId::new", "copies up to 36 bytes; its tests refuse what is none"),
    ("venue_sim::exchange::query::Exchange::asset", "compares with the names of the assets"),
    ("venue_sim::exchange::query::Exchange::find_market", "compares with the names of the markets"),
    ("venue_sim::flow::statistics::Statistics::new", OWN_TEXT),
    ("venue_sim::flow::statistics::Statistics::of_capture", OWN_TEXT),
    ("venue_sim::markets::config", "compares with the symbols of a table"),
    ("venue_sim::markets::first_price", "compares with the symbols of a table"),
    ("venue_sim::markets::listing", "compares with the symbols of a table"),
    ("sim::parity::Error::output", "keeps the path of a file that could not be written, for the message"),
    ("gateway::codec::OrderCodec::amend", WRITES),
    ("gateway::codec::OrderCodec::cancel", WRITES),
    ("gateway::codec::OrderCodec::place", WRITES),
    ("gateway::codec::OrderCodec::query", WRITES),
    ("gateway::venues::binance::codec::BinanceCodec::amend", WRITES),
    ("gateway::venues::binance::codec::BinanceCodec::cancel", WRITES),
    ("gateway::venues::binance::codec::BinanceCodec::place", WRITES),
    ("gateway::venues::binance::codec::BinanceCodec::query", WRITES),
    ("sabrewing::config::Config::parse", "what `Config::load` reads; the target `config` gets there"),
    ("sim::run::seed", "makes a data directory of its own in it"),
    ("gateway::venues::binance::log_on::LogOn::encode", WRITES),
    ("gateway::venues::binance::session::protocol::ApiProtocol::hear", BY_HEARD),
    ("gateway::venues::binance::session::protocol::ApiProtocol::log_on", WRITES),
    ("gateway::venues::binance::session::protocol::ApiProtocol::subscribe", WRITES),
    ("gateway::venues::binance::session::protocol::StreamProtocol::hear", BY_HEARD),
    (
        "gateway::venues::binance::log_on::LogOn::new",
        "the operator's key name: letters and digits or refused",
    ),
    ("wire::driver::Driver::send_text", SENDS),
    ("wire::json::Fields::missing", OWN_TEXT),
    ("wire::json::Fields::optional", OWN_TEXT),
    ("wire::json::Fields::present", OWN_TEXT),
    ("wire::json::Fields::required", OWN_TEXT),
    ("wire::json::Value::fields", OWN_TEXT),
    ("wire::json::Value::named", "hands a text to its caller's function; the target `heard` gets there"),
    ("wire::net::backend::Net::recv", "fills the room with what came, and reads nothing there"),
    ("wire::net::backend::Net::send", SENDS),
    ("wire::net::connect::Endpoint::new", "keeps the operator's host name; the resolver and TLS judge it"),
    ("wire::net::error::NetError::new", OWN_TEXT),
    (
        "wire::net::resolve::Resolver::lookup",
        "an address by the standard library's parser, or the system's resolver",
    ),
    ("wire::net::transport::Transport::recv", "fills the room with what came; `TlsStream` has a target"),
    ("wire::net::transport::Transport::send", SENDS),
    ("wire::outbox::Outbox::append", WRITES),
    ("wire::outbox::Outbox::push", SENDS),
    ("wire::session::config::Protocol::hear", "a venue's part: its implementors have the targets"),
    ("wire::session::config::Protocol::log_on", WRITES),
    ("wire::session::config::Protocol::ping", WRITES),
    ("wire::session::config::Protocol::subscribe", WRITES),
    (
        "wire::session::config::SecretText::from",
        "keeps the text; `write_request`, which has a target, checks it",
    ),
    ("wire::session::state::Session::send_text", SENDS),
    ("wire::ws::client::WebSocket::send_text", SENDS),
    ("strategies::indicators::blocks::chosen::Average::named", NAMED_BY_REQUEST),
    ("strategies::indicators::momentum::channel_oscillators::Stochastic::new", NAMED_BY_REQUEST),
    ("strategies::indicators::momentum::differences::PriceOscillator::new", NAMED_BY_REQUEST),
    ("strategies::indicators::patterns::redrawn::AverageCross::new", NAMED_BY_REQUEST),
    ("strategies::indicators::registry::entry", NAMED_BY_REQUEST),
    ("strategies::indicators::source::Field::named", NAMED_BY_REQUEST),
    ("strategies::indicators::plot::plot", "draws; the titles are the operator's and are escaped"),
    (
        "sabrewing::run::PlacementText::from_str",
        "hands the text to `PlacementChoice::from`; in a private module",
    ),
    (
        "sabrewing::replay::pace::Pace::from_str",
        "the operator's own command line; in a private module, tested there",
    ),
    ("venue_sim::binance::auth::Keys::add", OWN_TEXT),
    ("venue_sim::binance::auth::Keys::revoke", "compares; reads nothing out of the text"),
    ("venue_sim::binance::auth::Verifier::hmac", "any bytes are a secret"),
    ("venue_sim::binance::failure::Failure::filter", OWN_TEXT),
    ("venue_sim::binance::failure::Failure::illegal_characters", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::failure::Failure::malformed", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::failure::Failure::missing", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::failure::Failure::not_required", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::failure::Failure::of", OWN_TEXT),
    ("venue_sim::binance::failure::Failure::precision", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::failure::Failure::saying", NAME_IN_AN_ANSWER),
    ("venue_sim::binance::params::Params::get", "compares; reads nothing out of the text"),
    ("venue_sim::binance::params::Params::has", "compares; reads nothing out of the text"),
    ("venue_sim::binance::params::Params::need", "compares; reads nothing out of the text"),
    ("venue_sim::faults::Script::read", "a file for `Script::parse`, which has a target"),
    (
        "venue_sim::server::certificates::Certificates::make",
        "the operator's own names, refused by the library",
    ),
    ("venue_sim::server::connection::Pipe::read", "a buffer to write into"),
    ("venue_sim::server::connection::Pipe::write", "carries any bytes to the socket"),
    ("venue_sim::server::http::Response::json", OWN_TEXT),
    ("venue_sim::server::http::Response::upgrade", "hashes any bytes"),
    ("venue_sim::venue::Venue::account", "compares; reads nothing out of the text"),
    ("venue_sim::venue::accounts::AccountFile::read", "a file for `AccountFile::parse`, which has a target"),
];

const BY_HEARD: &str = "compares, and reads by `Answer::read`, which the target `heard` runs";

const WRITES: &str = "writes into the buffer, and reads nothing there";

const SENDS: &str = "sends bytes that this program wrote";

const NAME_IN_AN_ANSWER: &str = "puts a name into an answer, escaped; the target `venue` reads all answers";
const OWN_TEXT: &str = "takes texts of this program, not of the world";

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

const BINANCE: &[&str] = &[
    "spot",
    "usdm",
    "coinm",
    "perp",
    "spot2",
    "usdm2",
    "coinm2",
    "depthUpdate",
    "bookTicker",
    "trade",
    "aggTrade",
    "markPriceUpdate",
    "kline",
    "stream",
    "data",
    "lastUpdateId",
    "symbol",
    "bids",
    "asks",
    "pu",
    "ps",
    "st",
    "BTCUSDT",
    "ETHUSDT",
    "BTCUSD_PERP",
    "true",
    "false",
    "null",
    "MARKET",
    "NA",
    "\\u0065",
    "btcusdt@depth",
    "btcusdt@depth20@100ms",
    "btcusdt@rpiDepth@500ms",
    "\"zz\":1,",
    "[\"61800.20\",\"0.014\"]",
    "1723161255030314667",
    "result",
    "id",
    "channel",
    "l2Book",
    "e",
    "E",
    "U",
    "u",
    "0.00000000",
    "61837.63000000",
];
const HYPERLIQUID: &[&str] = &[
    "channel",
    "data",
    "coin",
    "levels",
    "time",
    "l2Book",
    "trades",
    "BTC",
    "ETHUSDT",
    "px",
    "sz",
    "side",
    "tid",
    "\"A\"",
    "\"B\"",
    "null",
    "subscriptionResponse",
    "{\"px\":\"1.0\",\"sz\":\"2\",\"n\":1}",
    "105055.0",
];
const TIMES: &[&str] = &[
    "1723161255030314667 {}",
    "1723164855030314668 {}",
    "18446744073709551615 ",
    "0 ",
    "\r\n",
    "\u{1f}\u{8b}",
];
const INSTRUMENTS: &[&str] = &[
    "symbols",
    "universe",
    "instruments",
    "filters",
    "filterType",
    "PRICE_FILTER",
    "LOT_SIZE",
    "NOTIONAL",
    "MIN_NOTIONAL",
    "tickSize",
    "stepSize",
    "minQty",
    "maxQty",
    "minNotional",
    "notional",
    "contractSize",
    "contractStatus",
    "contractType",
    "baseAssetPrecision",
    "quantityPrecision",
    "szDecimals",
    "isDelisted",
    "[[instrument]]",
    "venue",
    "product",
    "binance",
    "hyperliquid",
    "perp",
    "coinm",
    "binance-coinm",
    "tick",
    "price_decimals_max",
    "price_significant_figures",
    "qty_unit",
    "min_qty",
    "max_qty",
    "min_notional",
    "contract_size",
    "\"0.00000001\"",
    "0.000000000000000001",
    "9223372036854775807",
    "_remark",
    "TRADING",
    "CANCEL_ONLY",
    "\\u0007",
    "\"\"",
];
const NUMBERS: &[&str] = &[
    "0.",
    ".5",
    "1e3",
    "-1",
    "00",
    "9223372036854775807",
    "9223372036854775808",
    "0.000000000000000001",
    "18 ",
    "0 ",
    "[\"",
    "\",\"",
    "\"],[\"",
    "\"]]",
    "0.10 0.001 2 3",
    "0.25 0.002 2 3",
];
const COMMANDS: &[&str] = &[
    "flip",
    "put",
    "cut",
    "raw",
    "seal",
    "128",
    "144",
    "2688",
    "41088",
    "18446744073709551615",
    "SABRECMD",
    "sabrewing kill 1\n",
    "author ",
    "at_ns ",
    "reason ",
    "quoter",
    "levels",
    "skew_bps",
    "binance-usdm:BTCUSDT",
    "-0.50",
    "20",
];
const JOURNAL: &[&str] = &[
    "base 0",
    "base 1",
    "base 2",
    "flip",
    "put",
    "cut",
    "drop",
    "name",
    "seal",
    "seal-head",
    "raw",
    "256",
    "192",
    "128",
    "64",
    "320",
    "4294967295",
    "18446744073709551615",
    "SABREJNL",
];
const CONFIG: &[&str] = &[
    "[risk]",
    "[[strategy]]",
    "\"market_maker\"",
    "instruments",
    "levels",
    "skew_ticks",
    "[feed]",
    "[book]",
    "[latency]",
    "[journal]",
    "[host]",
    "[[thread]]",
    "stages",
    "core",
    "idle",
    "\"spin\"",
    "\"park\"",
    "\"spin-then-yield\"",
    "\"feed\"",
    "\"book\"",
    "\"signal\"",
    "\"strategy\"",
    "\"gateway\"",
    "{ msync_ms = 1000 }",
    "\"process\"",
    "true",
    "false",
    "0",
    "1001",
    "65536",
    "-1",
    "1.5",
    "nan",
    "\"0\"",
    "pinned_cores = [2, 3]",
    "strict_host = true",
];
