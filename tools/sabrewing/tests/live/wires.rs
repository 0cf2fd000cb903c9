//! Wires from clients to a server, each of which can be cut. What travels is not looked at.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Accepts connections and carries their bytes.
pub(crate) struct Wires {
    pub(crate) port: u16,
    /// Both ends of each, in the order in which they were opened.
    ends: Arc<Mutex<Vec<[TcpStream; 2]>>>,
}

impl Wires {
    /// Wires to `server`.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&ends);
        // Ends with the process: nobody waits for it.
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(venue) = TcpStream::connect(server) else { continue };
                for socket in [&client, &venue] {
                    socket.set_nodelay(true).unwrap();
                }
                let twice = |socket: &TcpStream| socket.try_clone().unwrap();
                kept.lock().unwrap().push([twice(&client), twice(&venue)]);
                let (to_client, to_venue) = (twice(&client), twice(&venue));
                std::thread::spawn(move || carry(client, to_venue));
                std::thread::spawn(move || carry(venue, to_client));
            }
        });
        Self { port, ends }
    }

    /// Connections so far, those that are cut included.
    pub(crate) fn count(&self) -> usize {
        self.ends.lock().unwrap().len()
    }

    /// Cuts one of them.
    pub(crate) fn cut(&self, index: usize) {
        for end in &self.ends.lock().unwrap()[index] {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // The other direction ends with this one.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
