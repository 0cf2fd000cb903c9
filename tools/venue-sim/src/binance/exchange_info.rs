//! `exchangeInfo`: markets, filters and limits.

use engine::instrument::Status;
use engine::num::{Decimal, Qty};

use super::desk::{Asked, Desk};
use super::failure::Failure;
use super::json::Json;
use super::render::Digits;
use crate::exchange::{Market, Product, Rate};

impl Desk {
    pub(super) fn exchange_info(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let wanted = self.markets_of(asked.params)?;
        let limits = self.limits.described();
        let mut json = Json::object();
        json.text("timezone", "UTC").int("serverTime", asked.server_ms());
        if self.product == Product::Futures {
            json.text("futuresType", "U_MARGINED");
        }
        json.raw("rateLimits", &limits).open_list("exchangeFilters").close_list();
        if self.product == Product::Futures {
            json.open_list("assets");
            for asset in self.exchange.assets() {
                let is_margin =
                    self.exchange.markets().iter().any(|market| market.instrument.quote == *asset);
                if is_margin {
                    json.item_open().text("asset", asset).flag("marginAvailable", true);
                    json.text("autoAssetExchange", "0").close();
                }
            }
            json.close_list();
        }
        json.open_list("symbols");
        for market in wanted.into_iter().filter_map(|market| self.exchange.market(market)) {
            match self.product {
                Product::Spot => spot_symbol(&mut json, market),
                Product::Futures => Self::futures_symbol(&mut json, market),
            }
        }
        json.close_list();
        if self.product == Product::Spot {
            json.open_list("sors").close_list();
        }
        Ok(json.done())
    }

    fn futures_symbol(json: &mut Json, market: &Market) {
        let instrument = &market.instrument;
        let liquidation_fee = market.futures.as_ref().map_or(Rate(0), |terms| terms.liquidation_fee);
        json.item_open().text("symbol", &instrument.symbol).text("pair", &instrument.symbol);
        json.text("contractType", "PERPETUAL").int("deliveryDate", 4_133_404_800_000_u64);
        json.int("onboardDate", 1_569_398_400_000_u64).text("status", status(instrument.status));
        json.text("maintMarginPercent", "2.5000").text("requiredMarginPercent", "5.0000");
        json.text("baseAsset", &instrument.base).text("quoteAsset", &instrument.quote);
        json.text("marginAsset", &instrument.quote);
        json.int("pricePrecision", instrument.price_rule.tick.digits());
        json.int("quantityPrecision", instrument.qty_unit.digits());
        json.int("baseAssetPrecision", 8).int("quotePrecision", 8).text("underlyingType", "COIN");
        json.open_list("underlyingSubType").close_list().text("triggerProtect", "0.0500");
        json.shown("liquidationFee", Decimal { digits: 6, ..liquidation_fee.decimal() });
        json.text("marketTakeBound", "0.05").int("maxMoveOrderLimit", market.filters.amends_max);
        json.open_list("filters");
        price_and_lot(json, Product::Futures, market);
        let filters = &market.filters;
        json.item_open().text("filterType", "MAX_NUM_ORDERS").int("limit", filters.orders_max).close();
        json.item_open().text("filterType", "MIN_NOTIONAL");
        json.shown("notional", plain(instrument.notional_min)).close();
        if let Some(band) = filters.percent_price {
            json.item_open().text("filterType", "PERCENT_PRICE");
            json.shown("multiplierUp", four(band.bid_up)).shown("multiplierDown", four(band.ask_down));
            json.text("multiplierDecimal", "4").close();
        }
        json.close_list();
        texts(
            json,
            "orderTypes",
            &["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        );
        texts(json, "timeInForce", &["GTC", "IOC", "FOK", "GTX", "GTD"]);
        json.close();
    }
}

fn price_and_lot(json: &mut Json, product: Product, market: &Market) {
    let digits = Digits::of(product, &market.instrument);
    let (instrument, filters) = (&market.instrument, &market.filters);
    json.item_open().text("filterType", "PRICE_FILTER");
    json.shown("minPrice", digits.price(filters.price_min));
    json.shown("maxPrice", digits.price(filters.price_max));
    json.shown("tickSize", digits.price(engine::num::Price(1))).close();
    let lot = [instrument.qty_min, instrument.qty_max, instrument.lot];
    let market_lot = [filters.market_qty_min, filters.market_qty_max, filters.market_lot];
    for (name, [min, max, step]) in [("LOT_SIZE", lot), ("MARKET_LOT_SIZE", market_lot)] {
        // On futures a market order's minimum and step are those of every order where it has none of its own.
        let or_lot = |own: Qty, lot: Qty| {
            if own.0 == 0 && product == Product::Futures { lot } else { own }
        };
        json.item_open().text("filterType", name);
        json.shown("minQty", digits.qty(or_lot(min, instrument.qty_min)));
        json.shown("maxQty", digits.qty(or_lot(max, instrument.qty_max)));
        json.shown("stepSize", digits.qty(or_lot(step, instrument.lot))).close();
    }
}

fn spot_symbol(json: &mut Json, market: &Market) {
    let instrument = &market.instrument;
    json.item_open().text("symbol", &instrument.symbol).text("status", status(instrument.status));
    json.text("baseAsset", &instrument.base).int("baseAssetPrecision", 8);
    json.text("quoteAsset", &instrument.quote).int("quotePrecision", 8).int("quoteAssetPrecision", 8);
    json.int("baseCommissionPrecision", 8).int("quoteCommissionPrecision", 8);
    texts(
        json,
        "orderTypes",
        &[
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
    );
    for (name, is_offered) in [
        ("icebergAllowed", false),
        ("ocoAllowed", false),
        ("otoAllowed", false),
        ("opoAllowed", false),
        ("quoteOrderQtyMarketAllowed", true),
        ("allowTrailingStop", false),
        ("cancelReplaceAllowed", true),
        ("amendAllowed", true),
        ("pegInstructionsAllowed", false),
        ("isSpotTradingAllowed", true),
        ("isMarginTradingAllowed", false),
    ] {
        json.flag(name, is_offered);
    }
    json.open_list("filters");
    spot_filters(json, market);
    json.close_list().open_list("permissions").close_list();
    json.open_list("permissionSets").item_open_list().item_text("SPOT").close_list().close_list();
    json.text("defaultSelfTradePreventionMode", "EXPIRE_MAKER");
    texts(json, "allowedSelfTradePreventionModes", &["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]);
    json.close();
}

fn spot_filters(json: &mut Json, market: &Market) {
    let (instrument, filters) = (&market.instrument, &market.filters);
    price_and_lot(json, Product::Spot, market);
    if let Some(band) = filters.percent_price {
        json.item_open().text("filterType", "PERCENT_PRICE_BY_SIDE");
        json.shown("bidMultiplierUp", band.bid_up.decimal().floor_to(4));
        json.shown("bidMultiplierDown", band.bid_down.decimal().floor_to(4));
        json.shown("askMultiplierUp", band.ask_up.decimal().floor_to(4));
        json.shown("askMultiplierDown", band.ask_down.decimal().floor_to(4));
        json.int("avgPriceMins", band.average_minutes).close();
    }
    json.item_open().text("filterType", "NOTIONAL");
    json.shown("minNotional", Decimal { digits: 8, ..instrument.notional_min });
    json.flag("applyMinToMarket", filters.notional_min_to_market);
    json.shown("maxNotional", super::render::money(filters.notional_max));
    json.flag("applyMaxToMarket", filters.notional_max_to_market);
    json.int("avgPriceMins", filters.percent_price.map_or(0, |band| band.average_minutes)).close();
    json.item_open().text("filterType", "MAX_NUM_ORDERS").int("maxNumOrders", filters.orders_max).close();
    json.item_open().text("filterType", "MAX_NUM_ALGO_ORDERS");
    json.int("maxNumAlgoOrders", filters.conditional_orders_max).close();
    json.item_open().text("filterType", "MAX_NUM_ORDER_AMENDS");
    json.int("maxNumOrderAmends", filters.amends_max).close();
}

fn texts(json: &mut Json, name: &str, texts: &[&str]) {
    json.open_list(name);
    for text in texts {
        json.item_text(text);
    }
    json.close_list();
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Trading => "TRADING",
        _ => "BREAK",
    }
}

fn four(rate: Rate) -> Decimal {
    rate.decimal().floor_to(4)
}

const fn plain(decimal: Decimal) -> Decimal {
    Decimal { digits: 0, ..decimal }
}
