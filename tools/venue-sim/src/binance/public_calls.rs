//! Calls that need no account: times, books, trades, candles, statistics.

use engine::ids::InstrumentId;
use engine::num::{Level, Price, Qty, Side};
use engine::time::Nanos;

use super::candles::Interval;
use super::desk::{Asked, Desk, shifted};
use super::failure::{Failure, INVALID_SYMBOL};
use super::json::Json;
use super::statistics::Day;
use crate::exchange::Product;

impl Desk {
    pub(super) fn time(asked: Asked<'_>) -> String {
        let mut json = Json::object();
        json.int("serverTime", asked.server_ms());
        json.done()
    }

    pub(super) fn depth_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let limit = asked.params.number("limit")?;
        let levels = match self.product {
            Product::Spot => limit.unwrap_or(100).clamp(1, 5_000),
            Product::Futures => match limit.unwrap_or(500) {
                limit @ (5 | 10 | 20 | 50 | 100 | 500 | 1_000) => limit,
                other => {
                    let text =
                        format!("{other} is not valid depth limit (depth limit: 5,10,20,50,100,500,1000).");
                    return Err(Failure::saying(400, -4021, text));
                }
            },
        };
        let levels = usize::try_from(levels).unwrap_or(usize::MAX);
        let depth = self.exchange.depth(market, levels).ok_or(INVALID_SYMBOL)?;
        let digits = self.digits(market);
        let mut json = Json::object();
        json.int("lastUpdateId", depth.last_update_id);
        if self.product == Product::Futures {
            json.int("E", asked.server_ms()).int("T", asked.server_ms());
        }
        digits.levels(&mut json, "bids", &depth.bids);
        digits.levels(&mut json, "asks", &depth.asks);
        Ok(json.done())
    }

    pub(super) fn trades_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let limit = limit(asked, 500, 1_000)?;
        let digits = self.digits(market);
        let mut json = Json::list();
        for trade in self.exchange.trades(market, asked.params.number("fromId")?, limit) {
            let value = self.exchange.market(market).map(|market| market.value(trade.price, trade.qty));
            json.item_open().int("id", trade.id).shown("price", digits.price(trade.price));
            json.shown("qty", digits.qty(trade.qty));
            json.shown("quoteQty", digits.amount(value.unwrap_or_default()));
            json.int("time", shifted(trade.time, asked.shift_ms));
            json.flag("isBuyerMaker", trade.aggressor == Side::Sell);
            if self.product == Product::Spot {
                json.flag("isBestMatch", true);
            }
            json.close();
        }
        Ok(json.done_list())
    }

    pub(super) fn agg_trades_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let limit = limit(asked, 500, 1_000)?;
        let digits = self.digits(market);
        let mut json = Json::list();
        for trade in self.exchange.agg_trades(market, asked.params.number("fromId")?, limit) {
            json.item_open().int("a", trade.id).shown("p", digits.price(trade.price));
            json.shown("q", digits.qty(trade.qty)).int("f", trade.first_trade).int("l", trade.last_trade);
            json.int("T", shifted(trade.time, asked.shift_ms)).flag("m", trade.aggressor == Side::Sell);
            if self.product == Product::Spot {
                json.flag("M", true);
            }
            json.close();
        }
        Ok(json.done_list())
    }

    pub(super) fn klines_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let params = asked.params;
        let market = self.market_of(params)?;
        let interval = Interval::parse(params.need("interval")?)
            .filter(|interval| self.product == Product::Spot || *interval != Interval::SECOND)
            .ok_or(Failure::of(400, -1120, "Invalid interval."))?;
        let limit = limit(asked, 500, if self.product == Product::Spot { 1_000 } else { 1_500 })?;
        let from = params.number("startTime")?.map(Nanos::from_ms);
        let to = params.number("endTime")?.map_or(Nanos::MAX, Nanos::from_ms);
        let candles = self.candles.get(market.index()).ok_or(INVALID_SYMBOL)?;
        Ok(candles.rows(interval, from, to, limit, self.digits(market)))
    }

    pub(super) fn book_ticker_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        self.one_or_all(asked, |market| {
            let quote = self.exchange.market(market)?.quote();
            let digits = self.digits(market);
            let none = Level { price: Price(0), qty: Qty(0) };
            let (bid, ask) = (quote.bid.unwrap_or(none), quote.ask.unwrap_or(none));
            let mut json = Json::object();
            json.text("symbol", &self.instrument(market)?.symbol);
            json.shown("bidPrice", digits.price(bid.price)).shown("bidQty", digits.qty(bid.qty));
            json.shown("askPrice", digits.price(ask.price)).shown("askQty", digits.qty(ask.qty));
            if self.product == Product::Futures {
                json.int("time", shifted(quote.time, asked.shift_ms)).int("lastUpdateId", quote.update_id);
            }
            Some(json.done())
        })
    }

    pub(super) fn price_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        self.one_or_all(asked, |market| {
            let last = self.exchange.market(market)?.last_price().unwrap_or_default();
            let mut json = Json::object();
            json.text("symbol", &self.instrument(market)?.symbol);
            json.shown("price", self.digits(market).price(last));
            if self.product == Product::Futures {
                json.int("time", asked.server_ms());
            }
            Some(json.done())
        })
    }

    pub(super) fn day_call(&self, asked: Asked<'_>) -> Result<String, Failure> {
        self.one_or_all(asked, |market| {
            let day = Day::of(self.candles.get(market.index())?, asked.now)?;
            let (digits, quote) = (self.digits(market), self.exchange.market(market)?.quote());
            let none = Level { price: Price(0), qty: Qty(0) };
            let (bid, ask) = (quote.bid.unwrap_or(none), quote.ask.unwrap_or(none));
            let last_qty = self.exchange.trades(market, None, 1).last().map_or(Qty(0), |trade| trade.qty);
            let mut json = Json::object();
            json.text("symbol", &self.instrument(market)?.symbol);
            json.shown("priceChange", digits.price(day.change()));
            json.shown("priceChangePercent", day.change_percent());
            json.shown("weightedAvgPrice", digits.mean_price(day.value, day.volume));
            if self.product == Product::Spot {
                json.shown("prevClosePrice", digits.price(day.prices[0]));
            }
            json.shown("lastPrice", digits.price(day.prices[3])).shown("lastQty", digits.qty(last_qty));
            if self.product == Product::Spot {
                json.shown("bidPrice", digits.price(bid.price)).shown("bidQty", digits.qty(bid.qty));
                json.shown("askPrice", digits.price(ask.price)).shown("askQty", digits.qty(ask.qty));
            }
            json.shown("openPrice", digits.price(day.prices[0]));
            json.shown("highPrice", digits.price(day.prices[1]));
            json.shown("lowPrice", digits.price(day.prices[2]));
            json.shown("volume", digits.qty(day.volume)).shown("quoteVolume", digits.amount(day.value));
            json.int("openTime", shifted(day.start, asked.shift_ms)).int("closeTime", asked.server_ms());
            json.int("firstId", day.first_id).int("lastId", day.last_id).int("count", day.count);
            Some(json.done())
        })
    }

    pub(super) fn premium_index(&self, asked: Asked<'_>) -> Result<String, Failure> {
        self.one_or_all(asked, |market| {
            let mark = self.marks.get(market.index())?.as_ref()?;
            let digits = self.digits(market);
            let eight = |price| engine::num::Decimal { digits: 8, ..digits.price(price) };
            let mut json = Json::object();
            json.text("symbol", &self.instrument(market)?.symbol).shown("markPrice", eight(mark.price));
            json.shown("indexPrice", eight(mark.index)).shown("estimatedSettlePrice", eight(mark.index));
            json.shown("lastFundingRate", mark.funding_rate.decimal()).shown("interestRate", "0.00010000");
            json.int("nextFundingTime", shifted(mark.next_funding, asked.shift_ms));
            json.int("time", shifted(mark.time, asked.shift_ms));
            Some(json.done())
        })
    }

    /// One object for the symbol that is named, else a list of all.
    pub(super) fn one_or_all(
        &self,
        asked: Asked<'_>,
        print: impl Fn(InstrumentId) -> Option<String>,
    ) -> Result<String, Failure> {
        if let Some(market) = self.market_if(asked.params)? {
            let nothing = Failure::of(400, -1000, "Nothing has traded on this symbol yet.");
            return print(market).ok_or(nothing);
        }
        let mut json = Json::list();
        for text in self.markets_of(asked.params)?.into_iter().filter_map(print) {
            json.item(text);
        }
        Ok(json.done_list())
    }
}

/// `limit` of a request, at most `max`.
pub(super) fn limit(asked: Asked<'_>, default: u64, max: u64) -> Result<usize, Failure> {
    let limit = asked.params.number("limit")?.unwrap_or(default).clamp(1, max);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}
