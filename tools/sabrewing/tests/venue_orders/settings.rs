//! What an account is asked and told before it is traded on.

use super::support::SimVenue;
use super::trader::{Given, Key, Trader};
use engine::instrument::ContractKind;
use engine::num::Side;
use engine::order::Tif;
use gateway::venues::binance::session::{FuturesSettings, MarginMode};

fn given(settings: FuturesSettings) -> Given {
    Given { settings, ..Given::new(ContractKind::Linear, Key::Hmac) }
}

#[test]
fn leverage_and_margin_type_are_set_before_anything_is_traded_and_what_is_so_already_is_no_error() {
    let venue = SimVenue::start();
    let settings = FuturesSettings { leverage: Some(7), margin: Some(MarginMode::Cross) };
    let mut trader = Trader::connect_with(&venue, &given(settings));
    let account = venue.admin("GET", "account?product=futures&account=alice", "");
    assert_eq!(account["positions"][0]["leverage"], "7");
    let line = trader.line(-4046);
    assert_eq!(line, "the margin type: -4046 \"No need to change margin type.\". It is already so.");
    assert_eq!(trader.session.stopped(), None);
    assert!(trader.try_place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10)));
}

#[test]
fn an_account_in_hedge_mode_is_not_traded_on() {
    let venue = SimVenue::start();
    venue.admin("POST", "hedge?account=alice", "");
    let mut trader = Trader::begin(&venue, &given(FuturesSettings::default()));
    trader.until("the stop", |trader| trader.session.stopped().is_some());
    let why = trader.session.stopped().unwrap();
    assert_eq!(why, "the account is in hedge mode, and the engine trades in one-way mode");
    let line = trader.line(0);
    assert_eq!(line, "the account's position mode. It is hedge mode: nothing is traded on it.");
    trader.until("a while", |trader| {
        assert!(!trader.try_place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10)));
        assert!(!trader.session.is_live());
        trader.session.counts().refused == 0
    });
}

#[test]
fn a_margin_type_or_leverage_that_the_account_cannot_have_stops() {
    for (settings, code) in [
        (FuturesSettings { margin: Some(MarginMode::Isolated), leverage: None }, -4054),
        (FuturesSettings { margin: None, leverage: Some(u8::MAX) }, -4028),
    ] {
        let venue = SimVenue::start();
        let mut trader = Trader::begin(&venue, &given(settings));
        trader.until("the stop", |trader| trader.session.stopped().is_some());
        assert_eq!(trader.session.stopped(), Some("the account cannot be set as configured"));
        trader.line(code);
        assert!(!trader.try_place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10)));
    }
}
