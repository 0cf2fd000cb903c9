//! How a live run begins and ends: what it refuses before it trades, in one line with a stated exit code, and what
//! signals do.

mod live;
mod support;

use engine::ids::Lane;
use engine::journal::schema::RecordKind;
use live::books::assert_conserved;
use live::{Running, SimVenue, Wanted, sabrewing};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;
use support::journal::Journal;
use support::{Dir, Ran};

#[test]
fn ctrl_c_takes_every_quote_back_and_ends_the_run_in_order() {
    for (signal, placement) in [(libc::SIGINT, "one"), (libc::SIGTERM, "five")] {
        let (venue, dir) = (SimVenue::start(), Dir::new());
        let mut running = Running::start(&Wanted { placement, ..Wanted::of(&venue) }.write(&dir));
        running.wait_live();
        running.wait("quotes stand", |now| {
            now.counters.iter().any(|entry| entry.name == "open_orders" && entry.value > 0)
        });
        let run = running.dir.clone();
        running.signal(signal);
        let summary = running.wait_end().expect(0, &[]).json();
        assert_eq!((&summary["open_orders"], &summary["stopped"]), (&0.into(), &serde_json::Value::Null));
        let journal = Journal::open(&run);
        assert!(assert_conserved(&journal, &run).0 > 0);
        let end = journal.of_kind(Lane::Runner, RecordKind::RunEnd).last().unwrap();
        assert_eq!(end.text(), "interrupted");
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let (venue, dir) = (SimVenue::start(), Dir::new());
    let mut running = Running::start(&Wanted::of(&venue).write(&dir));
    running.wait_live();
    // Both wait while it is stopped, so that it cannot end in order in between; two of one kind would be one.
    for signal in [libc::SIGSTOP, libc::SIGINT, libc::SIGTERM, libc::SIGCONT] {
        running.signal(signal);
    }
    assert_eq!(running.wait_end().code, Some(3));
}

/// A run with this configuration, refused: its one line and exit code.
fn refused(config: &str, code: i32, words: &[&str]) -> Ran {
    let ran = sabrewing(["run", "--config", config]).expect(code, words);
    assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.starts_with("sabrewing run: "), "{ran:?}");
    ran
}

#[test]
fn a_certificate_of_somebody_else_is_refused_in_one_line() {
    let (venue, other, dir) = (SimVenue::open(false, true), SimVenue::open(false, true), Dir::new());
    let config = Wanted::of(&venue).write(&dir);
    dir.file("root.pem", &other.root_pem);
    let port = venue.clients.port();
    refused(&config, 1, &[&format!("binance-usdm: localhost:{port}: TLS: invalid peer certificate: ")]);
}

#[test]
fn a_certificate_that_ran_out_and_one_of_another_name_are_refused_in_one_line() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted::of(&venue).write(&dir);
    venue.fault(r#"{"kind":"expired-certificate"}"#);
    refused(&config, 1, &["localhost", "TLS: invalid peer certificate: certificate expired"]);
    venue.clear_faults();
    let text = std::fs::read_to_string(&config).unwrap().replace("localhost", "127.0.0.1");
    refused(
        &dir.file("other.toml", text),
        1,
        &["127.0.0.1", "TLS: invalid peer certificate: certificate not valid for name"],
    );
}

#[test]
fn a_server_that_speaks_plain_text_is_refused_in_one_line() {
    let (venue, dir) = (SimVenue::open(false, false), Dir::new());
    refused(&Wanted::of(&venue).write(&dir), 1, &["localhost", "TLS"]);
}

#[test]
fn nobody_at_the_port_and_a_root_that_is_none_are_refused_in_one_line() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted::of(&venue).write(&dir);
    drop(venue);
    refused(&config, 1, &["localhost", "refused"]);
    dir.file("root.pem", "no certificate");
    refused(&config, 2, &["root_certificate"]);
}

#[test]
fn a_symbol_that_the_venue_does_not_list_is_refused_in_one_line() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let more = [("symbols", toml::Value::try_from(["BTCUSDT", "NOPEUSDT"]).unwrap())];
    let config = Wanted { more: &more, ..Wanted::of(&venue) }.write(&dir);
    // What is configured is wrong, and no venue out of reach: exit code 2, as with a list of one's own.
    refused(&config, 2, &["binance-spot", "NOPEUSDT", "status 400", "Invalid symbol."]);
    // Futures answer with all that they have.
    let mut file: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
    file["venue"].as_array_mut().unwrap().truncate(1);
    let config = dir.file("futures.toml", toml::to_string(&file).unwrap());
    let unlisted = "binance-usdm:NOPEUSDT: the venue does not list it";
    refused(&config, 2, &[unlisted]);
    let known = dir.file("known.toml", include_str!("../configs/instruments.toml"));
    sabrewing(["run", "--config", &config, "--instruments", &known]).expect(2, &[unlisted]);
}

#[test]
fn a_venue_that_does_not_say_its_limits_has_not_answered() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted { orders: true, products: 1, ..Wanted::of(&venue) }.write(&dir);
    let known = dir.file("known.toml", include_str!("../configs/instruments.toml"));
    drop(venue);
    let run = || sabrewing(["run", "--config", &config, "--instruments", &known]);
    let ran = run().expect(1, &["binance-usdm: localhost", "refused"]);
    assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{ran:?}");
    // A key that is missing is the operator's.
    std::fs::remove_file(dir.at("binance-usdm.key")).unwrap();
    run().expect(2, &["binance-usdm.key", "No such file"]);
}

/// A run whose venue is a server of plain text that answers every request with `answer`, and then ends the connection
/// or, `stays`, says nothing more.
fn refused_after(answer: &[u8], stays: bool, words: &[&str]) {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted::of(&venue).write(&dir);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer.to_vec();
    // Ends with the process.
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                // The client says no more than one request.
                let _ = socket.read(&mut request);
                let _ = socket.write_all(&answer);
                while stays && matches!(socket.read(&mut request), Ok(1..)) {}
            });
        }
    });
    let mut file: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
    for venue in file["venue"].as_array_mut().unwrap() {
        venue.as_table_mut().unwrap().insert("rest".into(), format!("http://127.0.0.1:{port}").into());
    }
    refused(&dir.file("plain.toml", toml::to_string(&file).unwrap()), 1, words);
}

fn answer(body: &[u8], length: usize) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn instruments_without_filters_are_refused_in_one_line() {
    let body = br#"{"symbols":[{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT"}]}"#;
    refused_after(&answer(body, body.len()), false, &["binance-usdm: /fapi/v1/exchangeInfo", "BTCUSDT"]);
}

#[test]
fn an_answer_that_is_cut_short_is_refused_in_one_line() {
    refused_after(&answer(b"{\"symbols\":[", 1_000), false, &["127.0.0.1"]);
}

#[test]
fn an_answer_that_is_no_json_is_refused_in_one_line() {
    refused_after(&answer(b"<html></html>", 13), false, &["/fapi/v1/exchangeInfo"]);
}

#[test]
fn an_answer_that_never_ends_is_given_up_after_ten_seconds_in_one_line() {
    let started = std::time::Instant::now();
    refused_after(&answer(b"{\"symbols\":[", 1_000), true, &["127.0.0.1"]);
    assert!(started.elapsed() >= Duration::from_secs(9), "it waited for {:?}", started.elapsed());
}
