//! What a simulated venue is asked: requests read the same again, answers are JSON with the request's id, and nobody's
//! balance changes without a signature.
//!
//! Input: what a client, an operator or a file says.

use crate::driver::Outcome;
use crate::truth::outcome;
use engine::time::Nanos;
use serde_json::Value;
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use venue_sim::binance::auth::Verifier;
use venue_sim::binance::params::{Params, signed_parts};
use venue_sim::exchange::{Amount, ClientId, Rate};
use venue_sim::faults::{Rule, Script};
use venue_sim::outbox::{ConnId, Outbox, Payload};
use venue_sim::server::Request;
use venue_sim::venue::{AccountFile, Answer, Venue, VenueConfig};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let request = Request::parse(data);
    if let Ok(Some((request, taken))) = &request {
        assert_eq!(Request::parse(&data[..*taken]), Ok(Some((request.clone(), *taken))));
        assert!(*taken == 0 || Request::parse(&data[..*taken - 1]) != Ok(Some((request.clone(), *taken))));
    }
    let text = String::from_utf8_lossy(data);
    let kinds = PLACE.with(|place| {
        let mut place = place.borrow_mut();
        place.as_mut().map(|place| place.asked(request.as_ref().ok().and_then(Option::as_ref), &text))
    });
    let parsed = [
        parameters(&text),
        Rule::parse(&text).is_ok_and(|rule| (0.0..=1.0).contains(&rule.probability)),
        Script::parse(&text).is_ok(),
        AccountFile::parse(&text).is_ok(),
        Rate::parse(&text).is_ok_and(|rate| Rate::parse(&rate.decimal().to_string()) == Ok(rate)),
        Verifier::public_key(&text).is_ok(),
        ClientId::new(&text).is_some_and(|id| id.as_str() == text),
        Amount::parse(&text).is_ok_and(|amount| Amount::parse(&amount.decimal(0).to_string()) == Ok(amount)),
    ];
    outcome((request.map(|request| request.is_some()).map_err(|error| error as u8), kinds, parsed))
}

/// Whether the text is a form. What is signed of it never holds the signature.
fn parameters(text: &str) -> bool {
    if let Some((signed, signature)) = signed_parts(text, "") {
        assert!(!format!("&{signed}").contains("&signature="));
        assert!(!Verifier::hmac("secret").accepts(&signed, &signature) || signature.len() == 64);
    }
    let Ok(params) = Params::from_forms(text, "") else { return false };
    for name in ["limit", "timestamp", "price", "reduceOnly"] {
        let number = params.number(name).ok().flatten();
        assert!(number.is_none_or(|number| params.get(name).is_some_and(|text| text.parse() == Ok(number))));
        let _ = (params.decimal(name), params.flag(name));
    }
    true
}

/// A venue without a crowd, a stream connection and one to the WebSocket API, and what its answers said at first.
struct Place {
    venue: Venue,
    clients: [ConnId; 2],
    balances: [String; 2],
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = RefCell::new(Place::open());
}

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Place {
    fn open() -> Option<Self> {
        let config = VenueConfig {
            spot: vec!["BTCUSDT".into()],
            futures: vec!["BTCUSDT".into()],
            seed: 1,
            opened: Nanos::from_ms(1_700_000_000_000),
            accounts: None,
            faults: None,
            limits: false,
            flow: false,
        };
        let mut venue = Venue::open(&config, Nanos(0)).ok()?;
        let clients = [ConnId(1), ConnId(2)];
        for (conn, path) in clients.into_iter().zip(["/ws", "/ws-api/v3"]) {
            let request = Request {
                method: "GET".into(),
                path: path.into(),
                web_socket_key: Some("key".into()),
                ..Request::default()
            };
            let answer = venue.http(conn, IP, &request, &mut Outbox::default());
            assert!(matches!(answer, Answer::Upgrade(_)));
        }
        let balances = balances(&mut venue);
        Some(Self { venue, clients, balances })
    }

    /// Asks all three doors. Returns the status or code of each answer.
    fn asked(&mut self, request: Option<&(Request, usize)>, text: &str) -> Vec<i64> {
        let mut seen = Vec::new();
        if let Some((request, _)) = request.filter(|(request, _)| request.web_socket_key.is_none()) {
            let mut out = Outbox::default();
            self.venue.http(ConnId(3), IP, request, &mut out);
            let Some(Payload::Http(response)) = out.0.first().map(|sent| &sent.payload) else {
                panic!("no answer to {request:?}")
            };
            let _: Value = serde_json::from_str(&response.body).expect("an answer is JSON");
            seen.push(i64::from(response.status));
        }
        for conn in self.clients {
            // A second passes, so that no client asks too often.
            let mut out = Outbox::default();
            let later = self.venue.now().0 - 1_700_000_000_000_000_000 + Nanos::SECOND.0;
            self.venue.advance(Nanos(later), &mut out);
            out.0.clear();
            self.venue.text(conn, text, &mut out);
            let Some(Payload::Text(answer)) = out.0.first().map(|sent| &sent.payload) else {
                // A client whose 24 hours are over has gone.
                continue;
            };
            let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
            if let Ok(Value::Object(asked)) = serde_json::from_str(text)
                && answer.get("id").is_some_and(|id| !id.is_null())
            {
                assert_eq!(Some(&answer["id"]), asked.get("id"));
            }
            if conn == self.clients[1] {
                assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{answer}");
            }
            let code = answer.get("status").or_else(|| answer.get("code")).and_then(Value::as_i64);
            seen.push(code.unwrap_or(0));
        }
        assert_eq!(balances(&mut self.venue), self.balances, "money moved without a signature");
        seen
    }
}

fn balances(venue: &mut Venue) -> [String; 2] {
    ["alice", "bob"].map(|account| {
        let request = Request {
            method: "GET".into(),
            path: "/admin/account".into(),
            query: format!("product=spot&account={account}"),
            ..Request::default()
        };
        let answer = venue.admin(&request, &mut Outbox::default()).body;
        let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        answer["balances"].to_string()
    })
}
