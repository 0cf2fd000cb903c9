//! A client's connection as the bytes inside it, over TLS or not, that is looked at and never waited for: for peers that
//! are no venue, as benches and tests make them.

use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// A connection that was accepted.
pub struct Accepted {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// What the system has not taken yet, encrypted where there is TLS.
    unsent: Vec<u8>,
    room: Vec<u8>,
}

/// Bytes that one look takes at most.
const ROOM_BYTES: usize = 64 << 10;

impl Accepted {
    /// A connection that was just accepted; `tls` None: plain text. Err: the system refused an option, or TLS cannot
    /// begin.
    pub fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let tls = tls.map(ServerConnection::new).transpose().map_err(io::Error::other)?;
        let tls = tls.map(|mut tls| {
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Ok(Self { socket, tls, unsent: Vec::new(), room: vec![0; ROOM_BYTES] })
    }

    /// Takes bytes over, encrypted where there is TLS. They leave with [`Self::flush`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        };
        tls.writer().write_all(bytes)?;
        self.encrypt()
    }

    /// Hands the system what it takes. True: nothing is left. Err: the connection is over.
    pub fn flush(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if is_empty_handed(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Appends what has come to `into`; `received` is called right after the system gave bytes, before they are
    /// looked at. False: the peer has ended. Err: the connection is over.
    pub fn read(&mut self, into: &mut Vec<u8>, received: impl FnOnce()) -> io::Result<bool> {
        let Self { socket, tls, room, .. } = self;
        let count = match socket.read(room) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if is_empty_handed(&error) => return Ok(true),
            Err(error) => return Err(error),
        };
        received();
        let Some(tls) = tls else {
            into.extend_from_slice(&room[..count]);
            return Ok(true);
        };
        let mut cipher = &room[..count];
        while !cipher.is_empty() {
            tls.read_tls(&mut cipher)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            match tls.reader().read_to_end(into) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        self.encrypt()?;
        self.flush()?;
        Ok(true)
    }

    fn encrypt(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.unsent)?;
        }
        Ok(())
    }
}

fn is_empty_handed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::super::Certificates;
    use super::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
    use std::net::TcpListener;

    /// Sends back what `client` says, until it ends.
    fn echoes(tls: Option<Arc<ServerConfig>>, client: impl FnOnce(TcpStream) + Send + 'static) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || client(TcpStream::connect(address).unwrap()));
        let mut accepted = Accepted::new(listener.accept().unwrap().0, tls).unwrap();
        let (mut heard, mut moments) = (Vec::new(), 0);
        // A client that goes without a word ends with an error.
        while accepted.read(&mut heard, || moments += 1).unwrap_or(false) {
            accepted.write(&heard).unwrap();
            heard.clear();
            accepted.flush().unwrap();
            std::thread::yield_now();
        }
        thread.join().unwrap();
        assert!(moments > 0);
    }

    fn talks(mut stream: impl Read + Write) {
        let sent: Vec<u8> = (0..100_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        for part in sent.chunks(9_000) {
            stream.write_all(part).unwrap();
            let mut back = vec![0; part.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, part);
        }
    }

    #[test]
    fn what_a_client_says_comes_back_over_a_plain_connection() {
        echoes(None, talks);
    }

    #[test]
    fn what_a_client_says_comes_back_over_tls() {
        let made = Certificates::make(&["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(made.root_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        echoes(Some(made.valid), move |socket| {
            let name = ServerName::try_from("localhost").unwrap();
            let client = ClientConnection::new(Arc::new(trust), name).unwrap();
            talks(StreamOwned::new(client, socket));
        });
    }
}
