//! What a market-data connection hears besides the market, and where connections go: an answer to a request is one
//! by a slow reading of the JSON too; a URL that is taken apart is put together again.
//!
//! Input of `target`: a frame, or the body of an answer. Input of `url`: a URL.

use crate::driver::Outcome;
use crate::truth::outcome;
use feeds::venues::binance::streams::{hear, server_time};
use serde_json::Value;
use wire::session::Heard;
use wire::url::Url;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let read: Option<Value> = serde_json::from_slice(data).ok();
    let of = |name: &str| read.as_ref().and_then(|read| read.get(name));
    let heard = hear(data);
    match heard {
        Heard::Ack { id } => {
            assert_eq!(of("id").and_then(Value::as_u64), Some(id));
            assert!(of("error").is_none() && of("code").is_none(), "a refusal is no acknowledgement");
        }
        Heard::Refused { id, .. } => {
            assert_eq!(of("id").and_then(Value::as_u64), id);
            assert!(of("error").is_some() || of("code").is_some(), "nothing is refused");
        }
        Heard::Shutdown => assert!(String::from_utf8_lossy(data).contains("serverShutdown")),
        _ => {}
    }
    let time = server_time(data);
    if let Some(time) = time {
        let ms = of("serverTime").and_then(Value::as_u64);
        assert_eq!(ms.and_then(|ms| ms.checked_mul(1_000_000)), Some(time.0));
    }
    outcome((format!("{heard:?}").split(' ').next().map(str::to_owned), time.is_some(), read.is_some()))
}

/// Runs one input.
pub fn url(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let read = Url::parse(&text);
    if let Ok(url) = &read {
        let scheme = if url.is_secure() { "wss" } else { "ws" };
        let host = url.host();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let again = format!("{scheme}://{host}:{}{}", url.port(), url.path());
        assert_eq!(Url::parse(&again).as_ref(), Ok(url), "{text:?} written as {again:?}");
        assert!(text.contains(url.host()) && !host.contains(['@', '/', ' ']), "{text:?}");
        assert!(url.path().starts_with('/') && !url.path().contains(char::is_whitespace), "{text:?}");
    }
    outcome((
        read.as_ref().err().map(|error| *error as u8),
        read.map(|url| (url.is_secure(), url.is_loopback())).ok(),
    ))
}
