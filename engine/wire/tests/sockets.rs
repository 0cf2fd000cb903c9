//! Sessions and requests over real sockets, plain and TLS, on every back end, against small servers in the test; and
//! one line for everything that goes wrong on the way.

mod support;

use engine::time::Nanos;
use std::io::{Read, Write};
use std::sync::Arc;
use support::{Identity, ManualClock, Stream, net, serve, serve_tcp, until};
use tungstenite::Message as TheirMessage;
use wire::driver::Driver;
use wire::http::{HttpClient, HttpConfig, HttpError, Method, Request};
use wire::net::{Backend, Clock, Connected, Connecting, Endpoint, Lookup, Net, NetError, Resolver, What};
use wire::session::{Event, Failure, Heard, LinkId, Polled, Protocol, Session, SessionConfig, SessionTimes};
use wire::tls::{TlsConfig, TlsConfigError};

/// Subscribes once.
struct Venue;

impl Protocol for Venue {
    fn subscribe(&mut self, batch: usize, id: u64, out: &mut Vec<u8>) -> bool {
        if batch == 0 {
            out.extend_from_slice(format!(r#"{{"method":"SUBSCRIBE","id":{id}}}"#).as_bytes());
        }
        batch == 0
    }

    fn hear(&mut self, frame: &[u8]) -> Heard {
        let id = frame.strip_prefix(b"{\"id\":").and_then(|rest| rest.strip_suffix(b"}"));
        id.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok())
            .map_or(Heard::Data, |id| Heard::Ack { id })
    }
}

fn driver(endpoint: Endpoint) -> Driver<Venue> {
    let config = SessionConfig {
        host: endpoint.host_header(),
        path: "/ws".into(),
        headers: vec![],
        message_bytes_max: 1 << 20,
        send_bytes_max: 1 << 20,
        times: SessionTimes::USUAL,
    };
    Driver::new(Session::new(config, Venue, 1), endpoint, Resolver::start().unwrap())
}

fn endpoint(port: u16, tls: Option<&Identity>) -> Endpoint {
    let tls = tls.map(|identity| TlsConfig::trusting(identity.pem.as_bytes()).unwrap());
    Endpoint::new("localhost", port, tls)
}

/// Acknowledges the subscription, and gives everything else back.
fn echo(stream: &mut dyn Stream) {
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let answer = match message {
            TheirMessage::Text(text) => match text.split_once(r#""id":"#) {
                Some((_, rest)) => TheirMessage::text(format!(r#"{{"id":{rest}"#)),
                None => TheirMessage::Text(text),
            },
            TheirMessage::Binary(bytes) => TheirMessage::Binary(bytes),
            _ => continue,
        };
        if socket.send(answer).is_err() {
            return;
        }
    }
}

/// The next event; frames before it are dropped.
fn event(driver: &mut Driver<Venue>, net: &mut Net, clock: &ManualClock) -> Event {
    until(|| {
        let found = match driver.poll(net, clock, clock.now()) {
            Polled::Nothing => return None,
            Polled::Frame(_) => None,
            Polled::Event(event) => Some(event.clone()),
        };
        driver.consume();
        found
    })
}

/// The next frame, and its time.
fn frame(driver: &mut Driver<Venue>, net: &mut Net, clock: &ManualClock) -> (Vec<u8>, Nanos) {
    until(|| {
        let found = match driver.poll(net, clock, clock.now()) {
            Polled::Nothing => return None,
            Polled::Frame(frame) => Some((frame.bytes.to_vec(), frame.recv_ns)),
            Polled::Event(event) => panic!("{event}"),
        };
        driver.consume();
        found
    })
}

#[test]
fn a_session_lives_over_plain_and_tls_sockets_on_every_back_end() {
    let identity = Identity::new("localhost", false);
    for backend in Backend::ALL {
        for tls in [None, Some(&identity)] {
            let (mut net, clock) = (net(backend), ManualClock::new());
            let port = serve(tls.map(Identity::server), echo);
            let mut driver = driver(endpoint(port, tls));
            driver.session().start(clock.now());
            assert_eq!(event(&mut driver, &mut net, &clock), Event::Opened(LinkId(0)));
            assert_eq!(event(&mut driver, &mut net, &clock), Event::Live(LinkId(0)));
            // Short, longer than a TLS record, longer than a read.
            for length in [1, 200, 20_000, 500_000] {
                clock.advance_ms(1);
                let text = vec![b'x'; length];
                driver.send_text(&mut net, clock.now(), &text).unwrap();
                assert!(
                    frame(&mut driver, &mut net, &clock) == (text, clock.now()),
                    "{backend:?}, {length} bytes"
                );
            }
            driver.session().stop(clock.now());
            assert_eq!(event(&mut driver, &mut net, &clock), Event::Left(LinkId(0)), "{backend:?}");
            driver.close(&mut net);
        }
    }
}

#[test]
fn a_rotation_over_sockets_leaves_no_moment_without_a_live_link() {
    let identity = Identity::new("localhost", false);
    // Two connections at once: each has its own thread.
    let config = identity.server();
    let port = serve_tcp(move |stream| {
        let config = config.clone();
        std::thread::spawn(move || {
            let connection = rustls::ServerConnection::new(config).unwrap();
            echo(&mut rustls::StreamOwned::new(connection, stream));
        });
    });
    let (mut net, clock) = (net(Backend::Mio), ManualClock::new());
    let mut driver = driver(endpoint(port, Some(&identity)));
    driver.session().start(clock.now());
    for expected in [Event::Opened(LinkId(0)), Event::Live(LinkId(0))] {
        assert_eq!(event(&mut driver, &mut net, &clock), expected);
    }
    driver.session().rotate(clock.now());
    for expected in [Event::Leaving(LinkId(0)), Event::Opened(LinkId(1)), Event::Live(LinkId(1))] {
        assert_eq!(event(&mut driver, &mut net, &clock), expected);
        assert!(driver.session().in_service().is_some());
    }
    assert_eq!(driver.send_text(&mut net, clock.now(), b"new"), Ok(LinkId(1)));
    assert_eq!(frame(&mut driver, &mut net, &clock).0, b"new");
    clock.advance_ms(3_000);
    assert_eq!(event(&mut driver, &mut net, &clock), Event::Left(LinkId(0)));
    assert_eq!(driver.session().in_service(), Some(LinkId(1)));
}

/// What the way to a connection fails with.
fn failure(endpoint: Endpoint, clock: &ManualClock, step_ms: u64) -> NetError {
    let mut net = net(Backend::Busy);
    let mut connecting = Connecting::begin(endpoint, &Resolver::start().unwrap());
    until(|| {
        clock.advance_ms(step_ms);
        match connecting.poll(&mut net, clock.now()) {
            Ok(Connected::NotYet) => None,
            Ok(Connected::Yes(_)) => panic!("it stands"),
            Err(error) => Some(error),
        }
    })
}

#[test]
fn every_failure_on_the_way_is_one_line_with_host_port_and_what_failed() {
    let (good, expired) = (Identity::new("localhost", false), Identity::new("localhost", true));
    let other = Identity::new("other.test", false);
    let clock = ManualClock::new();
    let says = |endpoint: Endpoint, step_ms: u64, expected: &str| {
        let port = endpoint.port;
        let line = failure(endpoint, &clock, step_ms).to_string();
        let expected = format!("localhost:{port}: {expected}");
        assert!(line.starts_with(&expected) && !line.contains('\n'), "{line}\nnot {expected}");
    };
    let serving = |identity: &Identity| serve(Some(identity.server()), |stream| drop(stream.read(&mut [0])));

    says(endpoint(serving(&good), Some(&other)), 0, "TLS: invalid peer certificate: UnknownIssuer");
    says(
        endpoint(serving(&other), Some(&other)),
        0,
        "TLS: invalid peer certificate: certificate not valid for name",
    );
    says(
        endpoint(serving(&expired), Some(&expired)),
        0,
        "TLS: invalid peer certificate: certificate expired",
    );

    let plain = serve_tcp(|mut stream| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    says(endpoint(plain, Some(&good)), 0, "the peer does not speak TLS");
    let closing = serve_tcp(|mut stream| drop(stream.read(&mut [0; 1_000])));
    says(endpoint(closing, Some(&good)), 0, "the connection was cut without TLS's goodbye");
    let silent = serve_tcp(|mut stream| while stream.read(&mut [0; 1_000]).is_ok_and(|count| count > 0) {});
    says(endpoint(silent, Some(&good)), 1, "the TLS handshake was not done within 5000 ms");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().port();
    drop(listener);
    says(endpoint(nobody, None), 0, "cannot connect: Connection refused");

    let nowhere = failure(Endpoint::new("no.such.name.invalid", 9443, None), &clock, 0);
    assert!(matches!(nowhere.what, What::Resolve(_)), "{nowhere}");
    assert!(nowhere.to_string().starts_with("no.such.name.invalid:9443: the name cannot be resolved: "));
    let nameless = endpoint(plain, Some(&good));
    let nameless = failure(Endpoint { host: "127.0.0.1".into(), ..nameless }, &clock, 0);
    assert_eq!(nameless.what, What::PlainText, "an address is a name that a certificate can have");
}

#[test]
fn addresses_are_tried_one_after_the_other_until_one_takes_the_connection() {
    let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clock = ManualClock::new();
    let connect = |addresses: Vec<std::net::SocketAddr>| {
        let mut net = net(Backend::Busy);
        let endpoint = Endpoint::new("venue.test", 443, None);
        let mut connecting = Connecting::begin_with(endpoint, Lookup::known(addresses));
        until(|| match connecting.poll(&mut net, clock.now()) {
            Ok(Connected::NotYet) => None,
            Ok(Connected::Yes(_)) => Some(Ok(())),
            Err(error) => Some(Err(error.to_string())),
        })
    };
    assert_eq!(connect(vec![closed, closed, listening.local_addr().unwrap()]), Ok(()));
    let refused = connect(vec![closed, closed]).unwrap_err();
    assert!(refused.starts_with("venue.test:443: cannot connect: Connection refused"), "{refused}");
    assert_eq!(
        connect(vec![]).unwrap_err(),
        "venue.test:443: the name cannot be resolved: it has no address"
    );
}

#[test]
fn an_authority_without_a_certificate_is_refused() {
    assert_eq!(TlsConfig::trusting(b"").unwrap_err(), TlsConfigError::Pem);
    assert_eq!(TlsConfig::trusting(b"-----BEGIN CERTIFICATE-----\nx").unwrap_err(), TlsConfigError::Pem);
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(TlsConfig::trusting(broken), Err(TlsConfigError::Refused(_))));
    assert!(TlsConfig::public().is_ok());
}

#[test]
fn a_session_that_cannot_open_says_why_and_tries_again_later() {
    let plain = serve_tcp(|mut stream| {
        let _ = stream.read(&mut [0; 1_000]);
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n");
    });
    let (mut net, clock) = (net(Backend::Busy), ManualClock::new());
    let mut driver = driver(endpoint(plain, None));
    driver.session().start(clock.now());
    let Event::Lost { failure, retry_ns, .. } = event(&mut driver, &mut net, &clock) else {
        panic!("no failure")
    };
    assert_eq!(failure.to_string(), "the WebSocket handshake was refused with HTTP status 404");
    assert!(retry_ns > clock.now());
    clock.advance_ms(1_000);
    let again = event(&mut driver, &mut net, &clock);
    assert!(matches!(again, Event::Lost { failure: Failure::Ws(_), .. }), "{again}");
}

/// Answers request after request by path.
fn rest(stream: &mut dyn Stream) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte).is_ok_and(|count| count == 1) {
        request.push(byte[0]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut request)).unwrap();
        let answer = match text.split(' ').nth(1).unwrap() {
            "/chunks" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
                    .to_owned()
            }
            "/long" => format!("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n{}", "y".repeat(300_000)),
            "/close" => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye".to_owned(),
            "/limited" => "HTTP/1.1 429 X\r\nRetry-After: 12\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_owned(),
            "/slow" => continue,
            "/none" => "nonsense\r\n".to_owned(),
            path => {
                let body = format!("{} {path}", text.split(' ').next().unwrap());
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                if body.starts_with("HEAD") { head } else { head + &body }
            }
        };
        if stream.write_all(answer.as_bytes()).is_err()
            || answer.contains("close")
            || answer.ends_with("\r\n\r\nabc")
        {
            return;
        }
    }
}

#[test]
fn requests_go_over_connections_that_are_kept_and_their_failures_are_one_line() {
    let identity = Identity::new("localhost", false);
    for (backend, tls) in
        [(Backend::Busy, None), (Backend::Mio, Some(&identity)), (Backend::IoUring, Some(&identity))]
    {
        let (mut net, clock) = (net(backend), ManualClock::new());
        let opened = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let (counter, server) = (opened.clone(), tls.map(Identity::server));
        let port = serve_tcp(move |mut stream| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let server = server.clone();
            std::thread::spawn(move || match server {
                None => rest(&mut stream),
                Some(config) => {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    rest(&mut rustls::StreamOwned::new(connection, stream));
                }
            });
        });
        let config = HttpConfig {
            endpoint: endpoint(port, tls),
            connections_max: 2,
            spare_count: 0,
            response_bytes_max: 1 << 20,
            answer_ns_max: Nanos::from_ms(2_000),
        };
        let mut client = HttpClient::new(config, Resolver::start().unwrap());
        let pause = std::thread::yield_now;
        for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
            let response = client.call(&mut net, &clock, &Request::new(method, "/a?b=c"), pause).unwrap();
            assert_eq!(
                (response.status, response.body),
                (200, format!("{} /a?b=c", method.name()).as_bytes())
            );
        }
        let head = client.call(&mut net, &clock, &Request::new(Method::Head, "/a"), pause).unwrap();
        assert_eq!((head.body, head.number("content-length")), (&b""[..], Some(7)));
        let get = |path| Request::new(Method::Get, path);
        assert_eq!(client.call(&mut net, &clock, &get("/chunks"), pause).unwrap().body, b"abcd");
        assert_eq!(client.call(&mut net, &clock, &get("/long"), pause).unwrap().body.len(), 300_000);
        let limited = client.call(&mut net, &clock, &get("/limited"), pause).unwrap();
        assert_eq!((limited.status, limited.number("Retry-After")), (429, Some(12)));
        assert_eq!(opened.load(std::sync::atomic::Ordering::Relaxed), 1, "one connection served them all");
        assert_eq!(client.call(&mut net, &clock, &get("/close"), pause).unwrap().body, b"bye");

        let place = format!("localhost:{port}");
        let cut = client.call(&mut net, &clock, &get("/cut"), pause).unwrap_err().to_string();
        let cut_in_tls = format!("{place}: the connection was cut without TLS's goodbye");
        assert!(
            cut == format!("{place}: the connection ended within the answer") || cut == cut_in_tls,
            "{cut}"
        );
        let none = client.call(&mut net, &clock, &get("/none"), pause).unwrap_err().to_string();
        assert_eq!(none, format!("{place}: the answer is not HTTP/1.1"));
        let slow = client.call(&mut net, &clock, &get("/slow"), || clock.advance_ms(1)).unwrap_err();
        assert_eq!(slow, HttpError::Late { host: place.clone(), ms: 2_000 });
        assert_eq!(slow.to_string(), format!("{place}: no whole answer within 2000 ms"));
        assert_eq!(client.call(&mut net, &clock, &get("/again"), pause).unwrap().body, b"GET /again");
        assert_eq!(
            client.call(&mut net, &clock, &get("/a b"), pause).unwrap_err().to_string().lines().count(),
            1
        );
        client.close(&mut net);
    }
}

#[test]
fn spare_connections_are_open_before_they_are_needed_and_requests_run_side_by_side() {
    let port = serve_tcp(|mut stream| drop(std::thread::spawn(move || rest(&mut stream))));
    let (mut net, clock) = (net(Backend::Busy), ManualClock::new());
    let config = HttpConfig {
        endpoint: endpoint(port, None),
        connections_max: 2,
        spare_count: 2,
        response_bytes_max: 1 << 20,
        answer_ns_max: Nanos::from_ms(2_000),
    };
    let mut client = HttpClient::new(config, Resolver::start().unwrap());
    until(|| {
        client.turn(&mut net, &clock, clock.now());
        (client.open_count() == 2).then_some(())
    });
    let paths = ["/one", "/two"];
    let tickets = paths.map(|path| client.start(&Request::new(Method::Get, path), clock.now()).unwrap());
    assert_eq!(client.start(&Request::new(Method::Get, "/three"), clock.now()), Err(HttpError::Busy));
    for (ticket, path) in tickets.into_iter().zip(paths) {
        until(|| {
            client.turn(&mut net, &clock, clock.now());
            client
                .answer(ticket)
                .map(|answer| assert_eq!(answer.unwrap().body, format!("GET {path}").as_bytes()))
        });
        client.finish(&mut net, ticket);
        assert!(client.answer(ticket).is_none());
    }
    assert_eq!(client.open_count(), 2);
}

#[test]
fn a_back_end_that_is_not_there_is_replaced_and_a_wish_that_is_refused_is_said() {
    for backend in Backend::ALL {
        let net = net(backend);
        assert_eq!(net.remarks().is_empty(), net.backend() == backend, "{backend:?}: {:?}", net.remarks());
    }
    assert_eq!(Backend::ALL.map(Backend::name), ["busy", "mio", "io-uring"]);
}
