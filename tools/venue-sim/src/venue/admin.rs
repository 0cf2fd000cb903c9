//! The operator's side: the venue's own truth, its clock, and faults. On a port of its own, in plain text.

use engine::ids::AccountId;
use engine::time::Nanos;

use super::{Venue, slot};
use crate::binance::calls::Call;
use crate::binance::desk::Asked;
use crate::binance::failure::Failure;
use crate::binance::params::Params;
use crate::binance::render::money;
use crate::binance::{Desk, Json};
use crate::exchange::{Amount, HOUSE, Product};
use crate::faults::Rule;
use crate::outbox::{Outbox, Payload, Topic};
use crate::server::{Request, Response};

/// What the operator's port answers, one line each.
pub(crate) const ADMIN_HELP: &str = "\
GET  /admin/state                                    time, products, accounts, clients, faults
GET  /admin/book?product=spot&symbol=S[&limit=N]     the venue's own book
GET  /admin/orders?product=P&account=A[&symbol=S]    open orders
GET  /admin/order?product=P&account=A&symbol=S&orderId=N|origClientOrderId=C
GET  /admin/fills?product=P&account=A&symbol=S[&fromId=N&limit=N]
GET  /admin/account?product=P&account=A              balances, and positions on futures
GET  /admin/positions?account=A                      futures positions
POST /admin/clock?speed=N&leapMs=N                   time runs N times as fast; moves ahead
POST /admin/fault                                    installs the rule in the body, JSON
POST /admin/faults/clear                             takes all rules away
POST /admin/disconnect?product=P                     ends every WebSocket connection of a product
POST /admin/deposit?product=P&account=A&asset=X&amount=N
POST /admin/revoke?key=K                             takes an API key away
POST /admin/hedge?account=A                          its futures account is said to be in hedge mode
POST /admin/limits?product=P&weight=N&orders10s=N&ordersLong=N&refusals=N   0 turns a limit off
";

impl Venue {
    /// Answers an operator. What is sent to clients because of it goes to `out`.
    pub fn admin(&mut self, request: &Request, out: &mut Outbox) -> Response {
        let answered = Params::from_forms(&request.query, "").and_then(|params| {
            let path = request.path.strip_prefix("/admin/").unwrap_or_default();
            match request.method.as_str() {
                "GET" => self.admin_get(path, &params),
                "POST" => self.admin_post(path, &params, &request.body, out),
                _ => Err(Failure::of(405, -1000, "GET or POST.")),
            }
        });
        self.settle(out);
        match answered {
            Ok(body) => Response::json(200, body),
            Err(failure) => Response::json(failure.status, failure.json()),
        }
    }

    fn admin_get(&mut self, path: &str, params: &Params) -> Result<String, Failure> {
        let now = self.now;
        let call = match path {
            "state" => return Ok(self.state()),
            "book" => {
                let desk = self.desk_of(params)?;
                let market = desk.market_of(params)?;
                let limit = params.number("limit")?.unwrap_or(u64::MAX);
                let depth = desk.exchange.depth(market, usize::try_from(limit).unwrap_or(usize::MAX));
                let depth = depth.ok_or_else(|| Failure::missing("symbol"))?;
                let digits = desk.digits(market);
                let mut json = Json::object();
                json.int("lastUpdateId", depth.last_update_id);
                digits.levels(&mut json, "bids", &depth.bids);
                digits.levels(&mut json, "asks", &depth.asks);
                return Ok(json.done());
            }
            "orders" => Call::OpenOrders,
            "order" => Call::Query,
            "fills" => Call::Fills,
            "account" => Call::Account,
            "positions" => Call::PositionRisk,
            _ => return Err(Failure::of(404, -1000, "No such path.")),
        };
        let account = self.account_of(params)?;
        let asked = Asked { params, account, now, shift_ms: 0 };
        if call == Call::PositionRisk {
            let desk = self.desks[slot(Product::Futures)].as_mut();
            return desk.ok_or(Failure::of(404, -1000, "There are no futures."))?.call(call, asked);
        }
        self.desk_of(params)?.call(call, asked)
    }

    fn admin_post(
        &mut self,
        path: &str,
        params: &Params,
        body: &str,
        out: &mut Outbox,
    ) -> Result<String, Failure> {
        let now = self.now;
        match path {
            "clock" => {
                if let Some(speed) = params.number("speed")? {
                    let speed = u32::try_from(speed).map_err(|_| Failure::illegal_characters("speed"))?;
                    self.clock.set_speed(self.real, speed);
                }
                if let Some(ms) = params.number("leapMs")? {
                    self.clock.leap(Nanos::from_ms(ms));
                    self.advance(self.real, out);
                }
            }
            "fault" => {
                let rule = Rule::parse(body).map_err(|error| Failure::saying(400, -1100, error))?;
                self.faults.add(rule, now);
            }
            "faults/clear" => self.faults.clear(),
            "disconnect" => {
                let product = product_of(params)?;
                for (conn, _) in self.clients.iter().filter(|(_, client)| client.product == product) {
                    out.push(*conn, Topic::Control, Payload::Close("the operator's wish"));
                }
            }
            "deposit" => {
                let account = self.account_of(params)?;
                let amount = params.decimal("amount")?.ok_or_else(|| Failure::missing("amount"))?;
                let amount = Amount::from_decimal(amount).map_err(|_| Failure::precision("amount"))?;
                let desk = self.desk_of(params)?;
                let asset = desk.exchange.asset(params.need("asset")?);
                let asset = asset.ok_or_else(|| Failure::malformed("asset"))?;
                let paid = desk.exchange.deposit(now, account, asset, amount, &mut desk.events);
                paid.map_err(|reject| desk.refused(&reject))?;
            }
            "hedge" => {
                let account = self.account_of(params)?;
                for desk in self.desks.iter_mut().flatten() {
                    desk.hedged.insert(account);
                }
            }
            "revoke" => {
                let key = params.need("key")?.to_owned();
                if !self.keys.revoke(&key) {
                    return Err(crate::binance::failure::INVALID_KEY);
                }
                self.drop_revoked(&key, out);
            }
            "limits" => {
                let desk = self.desk_of(params)?;
                let mut terms = desk.limits.terms;
                for (name, limit) in [
                    ("weight", &mut terms.weight_per_minute),
                    ("orders10s", &mut terms.orders_per_10s),
                    ("ordersLong", &mut terms.orders_long),
                    ("refusals", &mut terms.refusals_before_ban),
                ] {
                    if let Some(value) = params.number(name)? {
                        *limit = u32::try_from(value).map_err(|_| Failure::illegal_characters(name))?;
                    }
                }
                desk.limits.terms = terms;
            }
            _ => return Err(Failure::of(404, -1000, "No such path.")),
        }
        Ok(self.state())
    }

    fn state(&self) -> String {
        let mut json = Json::object();
        json.int("now_ms", self.now.as_ms()).int("clients", self.clients.len());
        json.int("faults", self.faults.count(self.now)).open("products");
        for (name, desk) in ["spot", "futures"].into_iter().zip(&self.desks) {
            let Some(desk) = desk else { continue };
            json.open_list(name);
            for market in desk.exchange.markets() {
                json.item_text(&market.instrument.symbol);
            }
            json.close_list();
        }
        json.close().open_list("accounts");
        for name in self.accounts.keys() {
            json.item_text(name);
        }
        json.close_list().open("houses");
        for (name, desk) in ["spot", "futures"].into_iter().zip(&self.desks) {
            let Some((desk, house)) =
                desk.as_ref().and_then(|desk| Some((desk, desk.exchange.account(HOUSE)?)))
            else {
                continue;
            };
            json.open(name);
            for (asset, balance) in desk.exchange.assets().iter().zip(house.balances()) {
                json.shown(asset, money(balance.total()));
            }
            json.close();
        }
        json.close();
        json.done()
    }

    fn desk_of(&mut self, params: &Params) -> Result<&mut Desk, Failure> {
        let product = product_of(params)?;
        self.desks[slot(product)].as_mut().ok_or(Failure::of(
            404,
            -1000,
            "The venue does not have this product.",
        ))
    }

    fn account_of(&self, params: &Params) -> Result<AccountId, Failure> {
        let name = params.need("account")?;
        self.account(name).ok_or_else(|| Failure::saying(404, -1000, format!("No account `{name}`.")))
    }
}

fn product_of(params: &Params) -> Result<Product, Failure> {
    match params.need("product")? {
        "spot" => Ok(Product::Spot),
        "futures" => Ok(Product::Futures),
        _ => Err(Failure::malformed("product")),
    }
}
