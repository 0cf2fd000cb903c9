//! REST: from a request to its answer.

use engine::ids::AccountId;
use engine::time::Nanos;
use std::net::IpAddr;

use super::{Venue, slot};
use crate::binance::auth::{self, ApiKey};
use crate::binance::calls;
use crate::binance::desk::Asked;
use crate::binance::failure::{BAD_KEY_FORMAT, Failure, INVALID_KEY};
use crate::binance::params::{Params, signed_parts};
use crate::binance::{Endpoint, Security, Weight};
use crate::exchange::{HOUSE, Product};
use crate::outbox::{ConnId, Outbox, Payload, Topic};
use crate::server::{Request, Response};

impl Venue {
    /// Answers a request; the answer goes before the events that it causes.
    pub(super) fn rest(&mut self, conn: ConnId, ip: IpAddr, request: &Request, out: &mut Outbox) {
        let product = if request.path.starts_with("/fapi/") { Product::Futures } else { Product::Spot };
        let (response, topic) = match self.find_endpoint(product, request) {
            Ok(endpoint) => {
                let topic = if endpoint.is_order() { Topic::OrderAnswer } else { Topic::Answer };
                (self.respond(product, ip, request, endpoint), topic)
            }
            Err(failure) => (Response::json(failure.status, failure.json()), Topic::Answer),
        };
        out.push(conn, topic, Payload::Http(response));
    }

    fn find_endpoint(&self, product: Product, request: &Request) -> Result<&'static Endpoint, Failure> {
        let unknown = Failure::of(404, -1000, "No such path.");
        if self.desks[slot(product)].is_none() {
            return Err(unknown);
        }
        calls::rest(product, &request.method, &request.path)?.ok_or(unknown)
    }

    fn respond(&mut self, product: Product, ip: IpAddr, request: &Request, endpoint: &Endpoint) -> Response {
        let (now, shift) = (self.now, self.shift());
        let form = if request.method == "GET" { "" } else { request.body.as_str() };
        let params = Params::from_forms(&request.query, form);
        let known = || request.api_key.as_deref().and_then(|key| self.keys.find(key).ok());
        let account = known().map(|key| key.account);
        let Some(desk) = &mut self.desks[slot(product)] else {
            return Response::json(404, String::new());
        };
        let weight = params.as_ref().map_or(1, |params| endpoint.weight_of(product, params));
        let result = desk.limits.spend(now, ip, weight).and_then(|()| {
            let params = params?;
            let account = authorised(&self.keys, endpoint.security, &params, request, now, shift)?;
            desk.call(endpoint.call, Asked { params: &params, account, now, shift_ms: shift })
        });
        if result.is_ok() && matches!(endpoint.weight, Weight::FreeIfDone(_)) {
            desk.limits.give_back(now, ip, weight);
        }
        let counts = matches!(endpoint.security, Security::Trade).then_some(account).flatten();
        let mut response = match result {
            Ok(body) => Response::json(200, body),
            Err(failure) => {
                let mut response = Response::json(failure.status, failure.json());
                if let Some(at) = failure.retry_at_ms {
                    let seconds = at.saturating_sub(now.as_ms()).div_ceil(1_000);
                    response.headers.push(("Retry-After", seconds.to_string()));
                }
                response
            }
        };
        response.headers.extend(desk.limits.headers(now, ip, counts));
        response
    }
}

/// Whose request it is. Err: no key, a wrong one, a wrong signature, not in time, or not allowed to.
fn authorised(
    keys: &auth::Keys,
    security: Security,
    params: &Params,
    request: &Request,
    now: Nanos,
    shift_ms: i64,
) -> Result<AccountId, Failure> {
    if security == Security::None {
        return Ok(HOUSE);
    }
    let text = request.api_key.as_deref().ok_or(BAD_KEY_FORMAT)?;
    if security == Security::Key {
        return keys.find(text).map(|key| key.account);
    }
    keys.find(text)?;
    params.need("timestamp")?;
    params.need("signature")?;
    let form = if request.method == "GET" { "" } else { request.body.as_str() };
    let (signed, signature) =
        signed_parts(&request.query, form).ok_or_else(|| Failure::missing("signature"))?;
    auth::check_time(params, shifted(now, shift_ms))?;
    permitted(keys.check(text, &signed, &signature)?, security)
}

/// The account of a key that may do this. Err: `-2015`.
pub(super) fn permitted(key: &ApiKey, security: Security) -> Result<AccountId, Failure> {
    if security == Security::Trade && !key.may_trade { Err(INVALID_KEY) } else { Ok(key.account) }
}

/// The time that the venue's clock shows.
pub(super) fn shifted(now: Nanos, shift_ms: i64) -> Nanos {
    Nanos(now.0.saturating_add_signed(shift_ms.saturating_mul(1_000_000)))
}
