//! Accounts and their API keys, from a TOML file.

use engine::ids::AccountId;
use engine::num::Decimal;
use engine::time::Nanos;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

use crate::binance::Desk;
use crate::binance::auth::{ApiKey, Keys, Verifier};
use crate::exchange::{AccountTerms, Amount, HOUSE};

/// The accounts that a venue has when nobody says otherwise; their keys are printed in public documentation.
pub const TEST_ACCOUNTS: &str = include_str!("../../accounts.toml");

/// The key of a test account that logs on: its public half, and its private half as PEM (test 1 of RFC 8032).
pub const TEST_LOG_ON_KEY: (&str, &str) = (
    "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
     -----END PRIVATE KEY-----\n",
);

/// All accounts, as a file holds them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    #[serde(default)]
    account: Vec<AccountEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountEntry {
    name: String,
    /// Asset to amount.
    #[serde(default)]
    spot: BTreeMap<String, Decimal>,
    #[serde(default)]
    futures: BTreeMap<String, Decimal>,
    #[serde(default)]
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    api_key: String,
    secret: Option<String>,
    public_key: Option<String>,
    #[serde(default = "yes")]
    may_trade: bool,
}

const fn yes() -> bool {
    true
}

impl AccountFile {
    /// Reads TOML. Err: place and reason, without the text of the file, which holds secrets.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            format!("line {line}: {}", error.message())
        })
    }

    /// Reads a file. Err: file, place and reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Assets that somebody holds on spot.
    #[must_use]
    pub(super) fn spot_assets(&self) -> Vec<String> {
        let names = self.account.iter().flat_map(|account| account.spot.keys());
        names.cloned().collect()
    }

    /// Opens the accounts on both desks, under one number each. Returns them by name.
    /// Err: the account and what is wrong with it.
    pub(super) fn open(
        self,
        now: Nanos,
        desks: &mut [Option<Desk>; 2],
        keys: &mut Keys,
    ) -> Result<BTreeMap<String, AccountId>, String> {
        let mut accounts = BTreeMap::new();
        for entry in self.account {
            let name = entry.name;
            let fail = |what: &str| format!("account `{name}`: {what}");
            let mut id = HOUSE;
            for (desk, balances) in desks.iter_mut().zip([&entry.spot, &entry.futures]) {
                let Some(desk) = desk else { continue };
                let terms = AccountTerms { reports: true, unlimited: false };
                id = desk.exchange.open_account(terms).ok_or_else(|| fail("there are too many"))?;
                for (asset, amount) in balances {
                    let asset_id =
                        desk.exchange.asset(asset).ok_or_else(|| fail(&format!("no market has {asset}")))?;
                    let amount =
                        Amount::from_decimal(*amount).map_err(|error| fail(&format!("{asset}: {error}")))?;
                    if amount < Amount::ZERO {
                        return Err(fail(&format!("{asset}: below zero")));
                    }
                    let paid = desk.exchange.deposit(now, id, asset_id, amount, &mut desk.events);
                    paid.map_err(|_| fail(&format!("{asset}: more than an account can hold")))?;
                }
                // Nobody listens yet.
                desk.events.clear();
            }
            for key in entry.key {
                let verifier = match (&key.secret, &key.public_key) {
                    (Some(secret), None) => Verifier::hmac(secret),
                    (None, Some(public)) => {
                        Verifier::public_key(public).map_err(|error| fail(&error.to_string()))?
                    }
                    _ => return Err(fail("a key has either `secret` or `public_key`")),
                };
                let api_key = ApiKey { account: id, verifier, may_trade: key.may_trade };
                if !keys.add(key.api_key, api_key) {
                    return Err(fail("one of its keys is another's too"));
                }
            }
            if accounts.insert(name.clone(), id).is_some() {
                return Err(fail("there are two of that name"));
            }
        }
        Ok(accounts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_without_showing_a_secret() {
        let text =
            "[[account]]\nname = 'a'\n[[account.key]]\napi_key = 'K'\nsecret = 'hidden'\nextra = 'hidden'\n";
        let error = AccountFile::parse(text).err().unwrap();
        assert!(error.contains("line 6") || error.contains("line 5"), "{error}");
        assert!(error.contains("extra") && !error.contains("hidden"), "{error}");
    }

    #[test]
    fn the_test_accounts_are_accounts() {
        assert!(!AccountFile::parse(TEST_ACCOUNTS).unwrap().account.is_empty());
    }
}
