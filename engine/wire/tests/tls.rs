//! TLS in memory against rustls's own server: data of any length in any pieces, both versions, sessions resumed.

mod support;

use rustls::ServerConnection;
use rustls::version::{TLS12, TLS13};
use std::io::{Read, Write};
use support::{Identity, carry};
use wire::tls::{TlsConfig, TlsStream};

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn data_goes_both_ways_in_both_versions_however_the_bytes_are_split() {
    let identity = Identity::new("localhost", false);
    let client_config = TlsConfig::trusting(identity.pem.as_bytes()).unwrap();
    for version in [&TLS12, &TLS13] {
        for piece_bytes in [1, 5, 300, 17_000, usize::MAX] {
            let mut client = TlsStream::new(&client_config, "localhost").unwrap();
            let mut server = ServerConnection::new(identity.server_of(&[version])).unwrap();
            assert_eq!(carry(&mut client, &mut server, piece_bytes), b"");
            assert!(!client.is_handshaking() && !server.is_handshaking());
            for length in [1, 250, 16_384, 40_000] {
                let sent = text(length);
                server.writer().write_all(&sent).unwrap();
                assert!(carry(&mut client, &mut server, piece_bytes) == sent, "{length} in {piece_bytes}");

                let mut left = &sent[..];
                let mut received = Vec::new();
                while !left.is_empty() {
                    let count = client.write(left).unwrap();
                    left = &left[count..];
                    carry(&mut client, &mut server, piece_bytes);
                    let mut room = vec![0; length];
                    let count = server.reader().read(&mut room).unwrap();
                    received.extend_from_slice(&room[..count]);
                    assert!(count > 0);
                }
                assert!(received == sent, "{length}");
            }
            server.send_close_notify();
            carry(&mut client, &mut server, piece_bytes);
            assert!(client.is_peer_closed());
        }
    }
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    let identity = Identity::new("localhost", false);
    let (client_config, server_config) =
        (TlsConfig::trusting(identity.pem.as_bytes()).unwrap(), identity.server());
    for is_resumed in [false, true, true] {
        let mut client = TlsStream::new(&client_config, "localhost").unwrap();
        assert_eq!(client.is_resumed(), None);
        let mut server = ServerConnection::new(server_config.clone()).unwrap();
        carry(&mut client, &mut server, usize::MAX);
        assert_eq!(client.is_resumed(), Some(is_resumed));
    }
}

#[test]
fn damaged_ciphertext_is_an_error_and_no_data() {
    let identity = Identity::new("localhost", false);
    let config = TlsConfig::trusting(identity.pem.as_bytes()).unwrap();
    for damaged in [5, 100] {
        let mut client = TlsStream::new(&config, "localhost").unwrap();
        let mut server = ServerConnection::new(identity.server()).unwrap();
        carry(&mut client, &mut server, usize::MAX);
        server.writer().write_all(&text(200)).unwrap();
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).unwrap();
        bytes[damaged] ^= 1;
        client.room(1_000)[..bytes.len()].copy_from_slice(&bytes);
        client.received(bytes.len());
        let error = client.process(&mut [0; 1_000]).unwrap_err().to_string();
        assert!(error.starts_with("TLS: "), "{error}");
    }
}
