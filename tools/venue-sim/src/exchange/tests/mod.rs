//! The exchange through its requests, on markets with round numbers.

mod accounts;
mod conditional;
mod futures;
mod matching;
mod rejects;
mod requests;
